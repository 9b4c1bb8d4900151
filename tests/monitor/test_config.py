import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from monitor.config import Settings, WebSettings, load_settings, public_settings
from monitor.errors import ConfigError


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "poolscope.toml"
    path.write_text(
        'catch_up = 7\n[web]\nport = 1111\nhost = "0.0.0.0"\n'
        '[[bitcoind]]\nurl = "http://alice:s3cret@node:8332"\npassword = "s3cret"\n'
    )
    return path


def test_file_is_weaker_than_environment_is_weaker_than_flags(
    config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POOLSCOPE_WEB__PORT", "2222")
    monkeypatch.setenv("POOLSCOPE_CATCH_UP", "8")
    settings = load_settings(config_file, {"catch_up": 9})
    assert settings.catch_up == 9
    assert settings.web.port == 2222
    assert settings.web.host == "0.0.0.0"


def test_public_settings_hide_every_secret(config_file: Path) -> None:
    settings = load_settings(config_file, {"store": "postgresql://u:s3cret@db/x"})
    shown = str(public_settings(settings))
    assert "s3cret" not in shown
    assert "alice" not in shown
    assert "node:8332" in shown
    assert "@db/x" in shown


def test_a_bare_url_is_a_node() -> None:
    settings = load_settings(None, {"bitcoind": ["http://h:1", {"url": "http://i:2"}]})
    assert [node.url for node in settings.bitcoind] == ["http://h:1", "http://i:2"]


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        ({"web": {"port": "many"}}, "web.port"),
        ({"nonsense": 1}, "nonsense"),
        ({"network": "othernet"}, "network"),
        ({"bitcoind": [{"url": "ftp://x"}]}, "bitcoind.0.url"),
        ({"economics": {"price_url": "file:///etc/passwd"}}, "economics.price_url"),
        ({"economics": {"price_url": "http://"}}, "economics.price_url"),
        ({"economics": {"price_url": "http://h:99999"}}, "economics.price_url"),
        ({"economics": {"tariffs": [0.05, -1]}}, "economics.tariffs.1"),
        ({"economics": {"pue": 0.5}}, "economics.pue"),
    ],
)
def test_a_bad_setting_is_named(flags: dict[str, object], name: str) -> None:
    with pytest.raises(ConfigError, match=f"^setting {name}: "):
        load_settings(None, flags)


@pytest.mark.parametrize(
    ("flags", "meant"),
    [({"netwrok": "x"}, "network"), ({"web": {"prot": 1}}, "web.port")],
)
def test_a_setting_that_is_not_there_gets_a_proposal(flags: dict[str, object], meant: str) -> None:
    with pytest.raises(ConfigError, match=rf"no such setting \(perhaps {meant}\)"):
        load_settings(None, flags)


def test_a_variable_that_is_no_list_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POOLSCOPE_LENSES", "tag,owner")
    with pytest.raises(ConfigError, match=r'^environment: .*"lenses"; write it as JSON'):
        load_settings()


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.toml does not exist"):
        load_settings(tmp_path / "gone.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("web = [")
    with pytest.raises(ConfigError, match=r"broken\.toml is not TOML: "):
        load_settings(broken)


def _all_fields(model: type[BaseModel], prefix: str = "") -> list[tuple[str, str]]:
    fields: list[tuple[str, str]] = []
    for name, field in model.model_fields.items():
        fields.append((prefix + name, field.description or ""))
        for inner in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                fields += _all_fields(inner, f"{prefix}{name}.")
    return fields


def test_every_setting_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text("utf-8")
    for name, description in _all_fields(Settings):
        assert description, f"setting {name} has no description"
        assert f"`{name}`" in page, f"setting {name} is not in docs/configuration.md"


def _default_of(name: str) -> object:
    fields = Settings.model_fields
    *sections, last = name.split(".")
    for section in sections:
        annotation = fields[section].annotation
        (model,) = (
            inner
            for inner in (annotation, *getattr(annotation, "__args__", ()))
            if isinstance(inner, type) and issubclass(inner, BaseModel)
        )
        fields = model.model_fields
    return fields[last].default


def test_documented_defaults_are_the_defaults() -> None:
    page = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text("utf-8")
    rows = re.findall(r"^\| `([\w.]+)` \| `([^`]*)` \|", page, re.MULTILINE)
    assert len(rows) > 10
    for name, shown in rows:
        default = _default_of(name)
        text = f"{default:g}" if isinstance(default, float) else str(default)
        assert shown == (text.lower() if isinstance(default, bool) else text), name


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1:9431"),
        ("0.0.0.0", "127.0.0.1:9431"),
        ("::", "[::1]:9431"),
        ("fd00::7", "[fd00::7]:9431"),
        ("node.lan", "node.lan:9431"),
    ],
)
def test_where_this_machine_reaches_the_server(host: str, address: str) -> None:
    assert WebSettings(host=host).reached_at == address
