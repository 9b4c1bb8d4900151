"""Addresses: what is taken, what is refused, and that neither ever shows a secret."""

from __future__ import annotations

import doctest
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor import urls
from monitor.errors import ConfigError
from monitor.urls import (
    HTTP,
    UrlError,
    parse,
    parse_store,
    parse_zmq,
    shown,
    split_host_port,
    with_password,
)


def test_examples() -> None:
    assert doctest.testmod(urls).failed == 0


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("http://node:8332", "http://node:8332"),
        ("HTTP://Node.LAN:8332/", "http://node.lan:8332/"),
        ("https://[::1]:8332", "https://[::1]:8332"),
        ("http://[0:0:0:0:0:0:0:1]", "http://[::1]"),
        ("http://[fe80::1%25eth0]:1", "http://[fe80::1%eth0]:1"),
        ("http://bücher.example/x", "http://xn--bcher-kva.example/x"),
        ("http://under_score:80", "http://under_score:80"),
        ("https://h:443/v2/key?a=1&b", "https://h:443/v2/key?a=1&b"),
        ("http://h:/x", "http://h/x"),
        ("http://host./", "http://host./"),
        ("http://h/ä?ö=ü", "http://h/%C3%A4?%C3%B6=%C3%BC"),
        ("http://h/a%20b?c=%23", "http://h/a%20b?c=%23"),
    ],
)
def test_what_is_taken(text: str, address: str) -> None:
    assert parse(text).address == address
    assert parse(parse(text).address) == parse(text)


@pytest.mark.parametrize(
    ("login", "user", "password"),
    [
        ("ann:pw", "ann", "pw"),
        ("ann", "ann", None),
        ("ann:", "ann", ""),
        (":pw", "", "pw"),
        ("ann:a:b@c", "ann", "a:b@c"),
        ("ann:%2F%3F%23%40%25%20%5C", "ann", "/?#@% \\"),
        ("ann:50%", "ann", "50%"),
        ("a%40b:%C3%A9", "a@b", "é"),
    ],
)
def test_logins(login: str, user: str, password: str | None) -> None:
    found = parse(f"http://{login}@node:8332")
    assert (found.user, found.password, found.host, found.port) == (user, password, "node", 8332)
    assert found.address == "http://node:8332"


@pytest.mark.parametrize("secret", ["ABCD/efg=", "12/34", "p?q", "p#q", "/", "a/b@c/d", "?#/"])
@pytest.mark.parametrize("form", ["http://ann:{}@10.0.0.2:8332", "https://{}@h/api"])
def test_an_address_that_could_be_two_is_refused(secret: str, form: str) -> None:
    with pytest.raises(UrlError, match=r"%2F.*%3F.*%23.*%40") as caught:
        parse(form.format(secret), instead="THESE")
    assert "or give THESE" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "must begin with http:// or https://"),
        ("node:8332", "must begin with http:// or https://"),
        ("localhost", "must begin with"),
        ("ftp://node", "must begin with"),
        ("http:/node", "must begin with"),
        ("http://", "has no host"),
        ("http://ann:pw@", "has no host"),
        ("http://:8332", "has no host"),
        ("http://::1:8332", "in brackets"),
        ("http://[::1", "bracket"),
        ("http://[::g]", "no IPv6"),
        ("http://[::1]8332", "bracket"),
        ("http://h:0", "port"),
        ("http://h:65536", "port"),
        ("http://h:x", "port"),
        ("http://h:+1", "port"),
        ("http://h:\uff11", "port"),
        ("http://a,b", "more than one host"),
        ("http://a b", "space"),
        ("http://h/a b", "space"),
        (" http://h", "space"),
        ("http://h\n", "control"),
        ("http://h\\x", "backslash"),
        ("http://h\x00", "control"),
        ("http://h<", "host"),
        ("http://-é..", "host"),
        ("http://h/#top", "#"),
        ("http://u:%ff@h", "UTF-8"),
        ("http://***@h", "poolscope config"),
        ("http://h/***/api", "poolscope config"),
        ("http://h/api?***", "poolscope config"),
    ],
)
def test_what_is_refused(text: str, why: str) -> None:
    with pytest.raises(UrlError, match=why) as caught:
        parse(text)
    assert isinstance(caught.value, ConfigError)


TEXT = st.text(st.characters(codec="utf-8"), min_size=4, max_size=12)


@given(secret=TEXT, where=st.integers(0, 6))
@example(secret="ABCD/efg=", where=0)
@example(secret="S3C#RET", where=1)
@example(secret="8332", where=0)
def test_neither_error_nor_showing_gives_a_secret_away(secret: str, where: int) -> None:
    """Take addresses with a secret somewhere, well or badly written."""
    forms = (
        "http://ann:{}@node.example:8332",
        "postgresql://ann:{}@db.example/pool",
        "https://{}@api.example/api",
        "https://api.example/api/x{}",
        "https://api.example/api?key={}",
        "https://api.example/api?{}",
        "http://ann:{}",
    )
    for written in (secret, quote(secret, safe="")):
        text = forms[where].format(written)
        say = shown(text) if where < 6 else ""
        try:
            parse_store(text) if text.startswith("postgresql") else parse(text, HTTP)
        except UrlError as error:
            say += str(error)
        ours = shown(forms[where].format("zzzz")) + "".join(ERRORS)
        assert written in ours or written not in say


def _errors() -> list[str]:
    found = []
    for text in ("", "http://", "http://a@b/@", "http://h:x", "http://::1:1", "http://a b"):
        try:
            parse(text)
        except UrlError as error:
            found.append(str(error))
    return found


ERRORS = _errors()


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("http://h:8332/", "http://h:8332/"),
        ("http://ann:pw@h:8332", "http://***@h:8332"),
        ("http://ann:ABCD/efg=@10.0.0.2:8332", "http://***@10.0.0.2:8332"),
        ("http://ann:12/34@10.0.0.2:8332", "http://***@10.0.0.2:8332"),
        ("postgresql://ann:S3C/RET@db/x", "postgresql://***@db/x"),
        ("postgresql://ann:S3C#RET@127.0.0.1:1/db", "postgresql://***@127.0.0.1:1/db"),
        ("postgresql:///db?host=/tmp", "postgresql:///db?***"),
        ("https://mempool.space/testnet4/api", "https://mempool.space/testnet4/api"),
        ("https://mempool.space/api/v1/prices", "https://mempool.space/api/v1/prices"),
        ("https://h/TOKEN/api", "https://h/***/api"),
        ("https://h/v2/3f9a77c1", "https://h/v2/***"),
        ("https://h/api?key=4&x", "https://h/api?***"),
        ("https://h/api#frag", "https://h/api"),
        ("ann:pw@h", "***@h"),
        ("what is this", "***"),
        ("http://h:pw", "http://***"),
        ("http://<pw>/x", "http://***/***"),
        ("sqlite:////var/lib/a@b.sqlite", "sqlite:////var/lib/a@b.sqlite"),
        ("ipc:///tmp/a", "ipc:///tmp/a"),
        ("tcp://127.0.0.1:28332", "tcp://127.0.0.1:28332"),
    ],
)
def test_what_is_shown(text: str, safe: str) -> None:
    assert shown(text) == safe
    assert shown(safe) == safe or "://" not in text


def test_secrets_of_an_address() -> None:
    url = parse("https://ann:p%2Fw@h/v2/abcdef/api?key=K1&T0K==&x")
    assert list(url.secrets()) == ["p/w", "abcdef", "K1", "T0K==", "x"]
    assert list(parse("https://lone@h").secrets()) == ["lone"]
    store = parse_store("postgresql://a:b@h/db?host=/tmp&sslpassword=s")
    assert list(store.secrets()) == ["b", "s"]
    assert "p/w" not in repr(url)
    assert "abcdef" not in repr(url)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("sqlite:////var/x y#z.sqlite", ("sqlite", "", None, "/var/x y#z.sqlite")),
        ("sqlite:///x.sqlite", ("sqlite", "", None, "x.sqlite")),
        ("postgresql://u:p@db:5/x", ("postgresql", "db", 5, "/x")),
        ("postgresql:///x?host=/tmp", ("postgresql", "", None, "/x")),
        ("postgresql://u@/x?host=/tmp", ("postgresql", "", None, "/x")),
        ("postgresql+psycopg://u@a,b/x", ("postgresql+psycopg", "a,b", None, "/x")),
    ],
)
def test_stores(text: str, parts: tuple[str, str, int | None, str]) -> None:
    found = parse_store(text)
    assert (found.scheme, found.host, found.port, found.path) == parts


@pytest.mark.parametrize(
    "text",
    [
        "mysql://h/x",
        "postgres://h/x",
        "/var/lib/x.sqlite",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite://x.sqlite",
        "sqlite:///x?mode=ro",
        "postgresql://u:S3C/RET@db/x",
        "postgresql://db:x/y",
    ],
)
def test_what_is_no_store(text: str) -> None:
    with pytest.raises(UrlError) as caught:
        parse_store(text)
    assert "RET" not in str(caught.value)


@pytest.mark.parametrize("password", ["pw", "pa:ss@w/rd%41?#[é ", "***", "'\"\\"])
@pytest.mark.parametrize(
    "text", ["postgresql://ann@db:5/x", "postgresql:///x?host=/tmp", "postgresql://db/x"]
)
def test_a_password_put_in_is_the_password(text: str, password: str) -> None:
    before, after = parse_store(text), parse_store(with_password(text, password))
    assert after.password == password
    assert (after.user or None, after.address) == (before.user, before.address)


@pytest.mark.parametrize(
    "text", ["tcp://127.0.0.1:28332", "tcp://[::1]:28332", "ipc:///run/bitcoin/zmq.sock"]
)
def test_zmq(text: str) -> None:
    assert parse_zmq(text) == text


@pytest.mark.parametrize(
    "text",
    ["", "28332", "tcp://127.0.0.1", "tcp://u:p@h:1", "tcp://h:1/x", "http://h:1", "ipc://x y"],
)
def test_what_is_no_zmq(text: str) -> None:
    with pytest.raises(UrlError):
        parse_zmq(text)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("10.0.0.5", ("10.0.0.5", None)),
        ("10.0.0.5:18332", ("10.0.0.5", 18332)),
        ("::1", ("::1", None)),
        ("[::1]", ("::1", None)),
        ("[::1]:8332", ("::1", 8332)),
        ("2001:db8::7", ("2001:db8::7", None)),
        ("node.lan:1", ("node.lan", 1)),
    ],
)
def test_hosts_and_ports(text: str, parts: tuple[str, int | None]) -> None:
    assert split_host_port(text) == parts
