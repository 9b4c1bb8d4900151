"""Settings by variables, numbered entries and files of secrets."""

from __future__ import annotations

import doctest
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from monitor import config_values
from monitor.cli import cli
from monitor.config import Settings, load_settings
from monitor.errors import ConfigError

Env = Callable[..., Settings]


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> Env:
    def load(toml: Path | None = None, flags: dict[str, Any] | None = None, **names: str) -> Any:
        for name, value in names.items():
            monkeypatch.setenv(f"POOLSCOPE_{name}", value)
        return load_settings(toml, flags)

    return load


@pytest.fixture
def nodes(tmp_path: Path) -> Path:
    path = tmp_path / "nodes.toml"
    path.write_text(
        '[[bitcoind]]\nurl = "http://a:1"\nuser = "ann"\npassword = "first"\n'
        '[[bitcoind]]\nurl = "http://b:2"\ncookie = "/c"\n'
    )
    return path


def secret(path: Path, text: str | bytes) -> str:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def test_examples() -> None:
    assert doctest.testmod(config_values).failed == 0


@pytest.mark.parametrize(
    ("name", "value", "read", "wanted"),
    [
        ("WEB__PORT", "9000", lambda s: s.web.port, 9000),
        ("web__port", "9000", lambda s: s.web.port, 9000),
        ("OFFLINE", "true", lambda s: s.offline, True),
        ("LENSES", '["tag"]', lambda s: s.lenses, ("tag",)),
        ("LENSES__0", "owner", lambda s: s.lenses, ("owner",)),
        ("ECONOMICS__TARIFFS__0", "0.3", lambda s: s.economics.tariffs, (0.3,)),
        ("WEB", '{"port": 7}', lambda s: s.web.port, 7),
        ("BITCOIND", '["http://h:1"]', lambda s: s.bitcoind[0].url, "http://h:1"),
        ("BITCOIND__0__URL", "http://h:1", lambda s: s.bitcoind[0].url, "http://h:1"),
        ("ESPLORA__URLS__0", "http://h/api", lambda s: s.esplora.urls, ("http://h/api",)),
        ("REGISTRY", "", lambda s: s.registry, None),
        ("BITCOIND__0__COOKIE", "", lambda s: s.bitcoind[0].cookie, None),
        ("REHEARSAL__SILENCES__0__HEIGHT", "5", None, "silences.0.seconds"),
    ],
)
def test_variables(
    env: Env, name: str, value: str, read: Callable[[Settings], Any] | None, wanted: Any
) -> None:
    if read is None:
        with pytest.raises(ConfigError, match=wanted):
            env(**{name: value})
    else:
        assert read(env(**{name: value})) == wanted


def test_entries_by_number_are_put_on_top_of_the_file(env: Env, nodes: Path) -> None:
    settings = env(nodes, BITCOIND__0__PASSWORD="second", BITCOIND__2__URL="http://c:3")
    assert [node.url for node in settings.bitcoind] == ["http://a:1", "http://b:2", "http://c:3"]
    assert settings.bitcoind[0].user == "ann"
    assert settings.bitcoind[0].password.get_secret_value() == "second"
    assert settings.bitcoind[1].cookie == Path("/c")


def test_entries_by_number_are_put_on_top_of_a_list_in_json(env: Env) -> None:
    settings = env(
        BITCOIND='["http://a:1", {"url": "http://b:2"}]',
        BITCOIND__0__USER="ann",
        BITCOIND__0__PASSWORD="pw",
        BITCOIND__1__REST="off",
    )
    assert [(n.url, n.user, n.rest) for n in settings.bitcoind] == [
        ("http://a:1", "ann", "auto"),
        ("http://b:2", "", "off"),
    ]


def test_flags_are_stronger_and_a_list_of_them_is_whole(env: Env, nodes: Path) -> None:
    names = {"BITCOIND__1__REST": "off"}
    settings = env(nodes, {"bitcoind": ("http://x:9",)}, **names)
    assert [node.url for node in settings.bitcoind] == ["http://x:9"]
    settings = env(nodes, {"bitcoind": {"1": {"user": "bob", "password": "pw"}}}, **names)
    assert [(n.url, n.user, n.rest) for n in settings.bitcoind] == [
        ("http://a:1", "ann", "auto"),
        ("http://b:2", "bob", "off"),
    ]


@pytest.mark.parametrize(
    ("names", "why"),
    [
        ({"BITCOIND__URL": "http://h"}, r"bitcoind: it is a list; .*POOLSCOPE_BITCOIND__0"),
        ({"BITCOIND__1__URL": "http://h"}, r"bitcoind: there is no entry 0"),
        ({"BITCOIND__00__URL": "http://h"}, r"bitcoind: it is a list"),
        ({"BITCOIND__-1__URL": "http://h"}, r"bitcoind: it is a list"),
        ({"BITCOIND__0__PASWORD": "x"}, r"bitcoind\.0\.pasword: there is no such setting"),
        ({"BITCOIND": "http://u:s3cret@h"}, r"POOLSCOPE_BITCOIND is no JSON"),
        ({"LENSES__1": "tag"}, r"lenses: there is no entry 0"),
        ({"WEB__PROT": "1"}, r"web\.prot: there is no such setting \(perhaps web\.port\)"),
    ],
)
def test_what_is_wrong_with_variables(env: Env, names: dict[str, str], why: str) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        env(**names)
    assert "s3cret" not in str(caught.value)


def test_variables_of_kubernetes_are_left_alone(env: Env) -> None:
    env(SERVICE_HOST="10.0.0.1", PORT="tcp://10.0.0.1:9431", PORT_9431_TCP_ADDR="10.0.0.1")


SECRETS = [
    ("STORE", lambda s: s.store, "postgresql://u:p@h/db"),
    ("STORE_PASSWORD", lambda s: s.store_password.get_secret_value(), "p@ss w/rd#?"),
    ("BITCOIND__0__PASSWORD", lambda s: s.bitcoind[0].password.get_secret_value(), "p/w"),
    ("BITCOIND__0__URL", lambda s: s.bitcoind[0].url, "http://u:p@h"),
    ("ESPLORA__TOKEN", lambda s: s.esplora.token.get_secret_value(), "t0k"),
    ("ESPLORA__URLS", lambda s: s.esplora.urls, '["https://h/key/api"]'),
    ("ESPLORA__HEADERS", lambda s: s.esplora.sent_headers, '{"X-Key": "k"}'),
    ("ECONOMICS__PRICE_URL", lambda s: s.economics.price_url, "https://h/?key=k"),
    ("ECONOMICS__PRICE_HEADERS", lambda s: s.economics.sent_headers, '{"X-Key": "k"}'),
    ("BITCOIND", lambda s: s.bitcoind[0].url, '["http://u:p@h"]'),
]
ALONE = {"ESPLORA__URLS__0": "https://h", "STORE": "postgresql://u@h/db"}


@pytest.mark.parametrize(("name", "read", "text"), SECRETS, ids=[s[0] for s in SECRETS])
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_every_secret_can_come_from_a_file(  # noqa: PLR0917
    env: Env,
    tmp_path: Path,
    name: str,
    read: Callable[[Settings], Any],
    text: str,
    end: str,
) -> None:
    others = {k: v for k, v in ALONE.items() if not k.startswith((name, "ESPLORA__URLS"))}
    if name in {"ESPLORA__TOKEN", "ESPLORA__HEADERS"}:
        others["ESPLORA__URLS__0"] = "https://h"
    by_file = read(env(**others, **{f"{name}_FILE": secret(tmp_path / "s", text + end)}))
    assert by_file == read(env(**{f"{name}_FILE": ""}, **others, **{name: text}))


def test_files_named_in_the_settings_file_and_by_flags(env: Env, tmp_path: Path) -> None:
    toml = tmp_path / "p.toml"
    there = secret(tmp_path / "s", "from the file\n")
    toml.write_text(f'[[bitcoind]]\nurl = "http://a"\nuser = "u"\npassword_file = "{there}"\n')
    assert load_settings(toml).bitcoind[0].password.get_secret_value() == "from the file"
    flags = {"esplora": {"token_file": secret(tmp_path / "t", "t0k"), "urls": ["http://h"]}}
    assert load_settings(toml, flags).esplora.token.get_secret_value() == "t0k"
    # a stronger place gives it by itself
    settings = env(toml, BITCOIND__0__PASSWORD="other")
    assert settings.bitcoind[0].password.get_secret_value() == "other"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty"),
        (b"\r\n", "is empty"),
        (b"x" * 70_000, "longer than 65536 bytes"),
        (b"\xff\xfe", "no text"),
    ],
)
def test_files_that_hold_no_secret(env: Env, tmp_path: Path, content: bytes, why: str) -> None:
    with pytest.raises(ConfigError, match=f"^setting store_password_file: .*{why}"):
        env(STORE_PASSWORD_FILE=secret(tmp_path / "s", content))


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/no/such/file", r"/no/such/file cannot be read: No such file"),
        ("/", r"/ cannot be read: Is a directory"),
        ("~no-such-user/x", "there is no home directory"),
        ("postgresql://u:s3cret@h/db", r"it cannot be read"),
        ("s3cret", r"it cannot be read"),
    ],
)
def test_files_that_cannot_be_read(env: Env, path: str, why: str) -> None:
    with pytest.raises(ConfigError, match=f"^setting store_password_file: {why}") as caught:
        env(STORE_PASSWORD_FILE=path)
    assert "s3cret" not in str(caught.value)


def test_both_are_one_too_many(env: Env, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"store_password: it is given by itself and by a file"):
        env(STORE_PASSWORD="a", STORE_PASSWORD_FILE=secret(tmp_path / "s", "b"))


@pytest.mark.parametrize("value", ["0123", "1e5", "true", "1_000", "2024-01-01", "a#b", '"a'])
def test_text_needs_no_quotes_in_a_flag(value: str) -> None:
    lines = ["--set", "bitcoind.0.url=http://h", "--set", "bitcoind.0.user=u"]
    for given in (value, f"'{value}'"):
        flags = ["config", "--json", *lines, "--set", f"bitcoind.0.password={given}"]
        result = CliRunner().invoke(cli, [*flags, "--set", f"bitcoind.0.user={given}"])
        assert result.exit_code == 0, result.exception
        assert f'"user": {value!r}'.replace("'", '"') in result.output or '"a' in value


@pytest.mark.parametrize("text", ["s3cret", "http://a:s3cret@h", "a..b=s3cret", "=s3cret"])
def test_an_assignment_that_is_none_is_not_shown(text: str) -> None:
    result = CliRunner().invoke(cli, ["config", "--set", text])
    assert isinstance(result.exception, ConfigError)
    assert "s3cret" not in str(result.exception)


KEYED = {"urls": ["https://h"], "token": "t"}


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        ({"esplora": {"token": "t"}}, "every API of esplora.urls"),
        ({"esplora": {"headers": {"X-Key": "k"}}}, "every API of esplora.urls"),
        ({"esplora": KEYED | {"urls": ["https://h", "http://h"]}}, "every API"),
        ({"esplora": KEYED | {"token": "a b"}}, "one word"),
        ({"esplora": KEYED | {"token": "s3cr\n3t"}}, "one word"),
        ({"esplora": KEYED | {"headers": {"X Key": "s3cret"}}}, "no name of an HTTP header"),
        ({"esplora": KEYED | {"headers": {"X": "s3cret\r\nY: z"}}}, "visible ASCII"),
        ({"esplora": KEYED | {"headers": {"Host": "s3cret"}}}, "set by poolscope"),
        ({"bitcoind": [{"url": "http://u:p@h", "login": "none"}]}, "leave one away"),
        ({"bitcoind": [{"url": "http://h", "login": "none", "cookie": "/c"}]}, "leave one away"),
        (
            {"bitcoind": [{"url": "http://u:p@h", "headers": {"authorization": "x"}}]},
            "Authorization header is, too",
        ),
        ({"bitcoind": [{"user": "a:b", "password": "s3cret"}]}, "colon"),
        ({"bitcoind": [{"zmq": "http://u:s3cret@h"}]}, "must begin with tcp://"),
        ({"store_password": "s3cret"}, "no postgresql://"),
        ({"store_password": "s3cret", "store": "postgresql://u:p@h/x"}, "store_password is one"),
        ({"store_password": 12345678}, "valid string"),
        ({"esplora": {"urls": "https://h/s3cret"}}, "valid tuple"),
        ({"http://u:s3cret@h": 1}, "no name of a setting"),
    ],
)
def test_what_is_wrong_is_said_without_the_value(flags: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        load_settings(None, flags)
    assert "s3cret" not in str(caught.value)
    assert "12345678" not in str(caught.value)


def test_several_addresses_of_one_api_may_have_its_key() -> None:
    urls = ["https://h/testnet4", "https://h/api"]
    assert load_settings(None, {"esplora": KEYED | {"urls": urls}}).esplora.sent_headers == {
        "Authorization": "Bearer t"
    }
