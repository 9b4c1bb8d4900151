"""Addresses as users write them: one parser, and one function that shows them.

An address may hold a secret in each of its parts: a password before the host, a token in the
path, a key in the query. So no error here quotes the address, and whatever shows one to
anybody uses `shown`.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv6Address, ip_address
from typing import Final
from urllib.parse import quote, unquote

from monitor.errors import ConfigError

HIDDEN: Final = "***"
"""Stands for what is not shown."""

HTTP: Final = ("http", "https")
WALLET: Final = "/wallet/"
"""Below this path a node itself answers RPC, for one of its wallets."""
POSTGRESQL: Final = ("postgresql", "postgresql+psycopg")
_SQLITE: Final = ("sqlite", "sqlite+pysqlite")

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_BRACKETED: Final = re.compile(r"\[([^\[\]]*)\](?::(.*))?")
_HOST: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?")
_SHOWN: Final = re.compile(r"^\*{3}@|[/?]\*{3}(?=[/?]|$)")
"""Where `shown` hid something."""
_UNWRITABLE: Final = re.compile(r"[\x00-\x20\x7f\u0080-\u00a0\u2028\u2029\\]")
_PATH_SAFE: Final = "/%:@!$&'()*+,;=~"
"""What may stand in a path or a query as it is, besides letters, digits, ``_``, ``.``, ``-``."""

_SECRET_PARAMETERS: Final = frozenset(
    {"password", "sslpassword", "passfile", "oauth_client_secret"}
)
"""Parameters of libpq that hold a secret; the others say how to connect."""

_SHOWN_SEGMENTS: Final = frozenset(
    (
        *("api", "rest", "rpc", "jsonrpc", "json-rpc", "wallet", "public", "esplora", "electrs"),
        *("mempool", "liquid", "bitcoin", "btc", "mainnet", "testnet", "testnet3", "testnet4"),
        *("signet", "regtest", "blocks", "block", "tip", "height", "hash", "hashes", "tx", "txs"),
        *("price", "prices", "simple", "ticker", "current", "rates", "exchange-rates", "coins"),
    )
)
"""Words of a path that tell what is asked, and so are no token."""
_VERSION: Final = re.compile(r"v\d{1,2}")


class UrlError(ConfigError, ValueError):
    """An address that cannot be used; says why and how to write it, and quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Url:
    """An address, taken apart.

    `host` is lower case, ASCII (a name of other letters in its IDNA form) and without brackets;
    empty where PostgreSQL is reached by a Unix socket, and with commas where it has several.
    `user` and `password` are decoded, None where there is none. `path` and `query` are
    percent-encoded as they are sent; `path` is empty or begins with a slash.
    """

    scheme: str
    host: str
    port: int | None = None
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    path: str = field(default="", repr=False)
    query: str = field(default="", repr=False)

    @property
    def place(self) -> str:
        """Host and port, without the port that the scheme means by itself."""
        usual = {"http": 80, "https": 443}.get(self.scheme)
        return bracketed(self.host) + (f":{self.port}" if self.port not in {None, usual} else "")

    @property
    def origin(self) -> str:
        """Scheme, host and port: the part that may be shown to anybody."""
        return f"{self.scheme}://{bracketed(self.host)}{f':{self.port}' if self.port else ''}"

    @property
    def target(self) -> str:
        """Path and query: what a request asks for."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def address(self) -> str:
        """The whole address but the login."""
        return self.origin + self.target

    def secrets(self) -> Iterator[str]:
        """Yield what must not be shown: password, lone user, tokens of the path, query values."""
        if self.password or self.user:
            yield self.password or self.user or ""  # alone, a name is a token
        if self.scheme in HTTP:
            yield from (part for part in self.path.split("/") if not _may_be_shown(part))
        for part in filter(None, self.query.split("&")):
            name, _, value = part.partition("=")
            if self.scheme not in POSTGRESQL or name in _SECRET_PARAMETERS:
                yield value if value.strip("=") else part  # a key alone may end in =


def parse(text: str, schemes: Collection[str] = HTTP, *, instead: str = "") -> Url:
    """Return the parts of an address.

    Parameters
    ----------
    instead:
        The settings that a login can be given by, to say so.

    Raises
    ------
    UrlError
        If it is no such address, or one that readers could take for two different ones.

    Examples
    --------
    >>> parse("HTTP://ann:p%40ss@Node.LAN:8332/").address
    'http://node.lan:8332/'
    """
    scheme, rest = _scheme_of(text, schemes)
    end = next((i for i, char in enumerate(rest) if char in "/?#"), len(rest))
    authority, tail = rest[:end], rest[end:]
    if "@" in tail:
        raise UrlError(
            "it has an @ behind a /, ? or #. In a password write / as %2F, ? as %3F, # as %23 and "
            "@ as %40" + (f", or give {instead}" if instead else "") + "; elsewhere write @ as %40"
        )
    if "#" in tail:
        raise UrlError(
            "it has a # with nothing to use behind it; leave it away, or write it as %23"
        )
    login, at, place = authority.rpartition("@")
    user, colon, password = login.partition(":")
    if "," in place and scheme not in POSTGRESQL:
        raise UrlError("it names more than one host")
    host, port = ("", None) if not place and scheme in POSTGRESQL else _host_and_port(place)
    path, _, query = tail.partition("?")
    return Url(
        scheme,
        host,
        port,
        user=_decoded(user) if at else None,
        password=_decoded(password) if colon else None,
        path=quote(path, safe=_PATH_SAFE),
        query=quote(query, safe=_PATH_SAFE + "?"),
    )


def parse_store(text: str) -> Url:
    """Return the parts of a store's address; of a SQLite store its file is the `path`.

    Raises
    ------
    UrlError
        If it is none of a store.
    """
    found = _SCHEME.match(text)
    scheme = found[1].lower() if found else ""
    if scheme in _SQLITE:
        assert found is not None
        file = text[found.end() :]
        if not file.startswith("/") or file in {"/", "/:memory:"}:
            raise UrlError(
                "the store must be a file: name one as sqlite:///FILE, with four slashes for an "
                "absolute path"
            )
        if "?" in file:
            raise UrlError("a SQLite store takes nothing behind a ?; leave that away")
        if "\0" in file:
            raise UrlError("it has a control character in it")
        return Url(scheme, "", path=file[1:])
    if scheme not in POSTGRESQL:
        raise UrlError("a store is a sqlite:///FILE or a postgresql://HOST/DB")
    return parse(text, POSTGRESQL, instead="the password as store_password")


def with_password(text: str, password: str) -> str:
    """Return the address `text` with a password in it, whatever characters that has.

    Raises
    ------
    UrlError
        If it is no address of PostgreSQL.
    """
    url = parse_store(text)
    login = f"{quote(url.user or '', safe='')}:{quote(password, safe='')}"
    return f"{url.scheme}://{login}@{url.origin.partition('://')[2]}{url.target}"


def parse_zmq(text: str) -> str:
    """Return a ZMQ address to listen at, as ZMQ takes it: ``tcp://HOST:PORT`` or ``ipc://PATH``.

    Raises
    ------
    UrlError
        If it is neither.
    """
    if text.startswith("ipc:///") and not _UNWRITABLE.search(text):
        return text
    url = parse(text, ("tcp",))
    if url.port is None or url.user is not None or url.target not in {"", "/"}:
        raise UrlError("give it as tcp://HOST:PORT, with nothing more")
    return url.origin


def shown(text: str) -> str:
    """Return an address as it may be shown to anybody, whatever it looks like.

    Hidden are everything between ``://`` and the last ``@``, all of the query, and what is no
    common word in the path. The names of files and databases are shown.

    Examples
    --------
    >>> shown("https://ann:a/b@host:8332/v2/3f9a77c1?key=4")
    'https://***@host:8332/v2/***?***'
    """
    found = _SCHEME.match(text)
    if found is None:
        return f"{HIDDEN}@{_shown_place(text.rpartition('@')[2])}" if "@" in text else HIDDEN
    scheme, rest = found[1].lower(), text[found.end() :]
    if scheme in {*_SQLITE, "ipc"}:
        file, question, _ = rest.partition("?")
        return f"{scheme}://{file}{f'?{HIDDEN}' if question else ''}"
    _, at, rest = rest.rpartition("@")
    end = next((i for i, char in enumerate(rest) if char in "/?#"), len(rest))
    path, question, _ = rest[end:].partition("#")[0].partition("?")
    if scheme not in POSTGRESQL:
        path = "/".join(part if _may_be_shown(part) else HIDDEN for part in path.split("/"))
    return "".join(
        (
            f"{scheme}://",
            f"{HIDDEN}@" if at else "",
            _shown_place(rest[:end]),
            path,
            f"?{HIDDEN}" if question else "",
        )
    )


def basic_login(user: str, password: str) -> str:
    """Return the value of an ``Authorization`` header, of RFC 7617."""
    pair = f"{user}:{password}".encode("utf-8", "surrogateescape")
    return f"Basic {b64encode(pair).decode()}"


def bracketed(host: str) -> str:
    """Return a host as an address has it: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def split_host_port(text: str) -> tuple[str, int | None]:
    """Return host and port of ``HOST[:PORT]`` or ``[IPv6][:PORT]``; a bare IPv6 has no port.

    Raises
    ------
    UrlError
        If it is none of these.
    """
    try:
        return str(IPv6Address(text)), None
    except AddressValueError:
        return _host_and_port(text)


def _scheme_of(text: str, schemes: Collection[str]) -> tuple[str, str]:
    """Return the scheme in lower case, and what is behind it."""
    first, *_ = schemes
    wanted = " or ".join(f"{scheme}://" for scheme in schemes)
    if _UNWRITABLE.search(text):
        raise UrlError(
            "it has a space, a backslash or a control character in it; if it belongs there, write "
            "it percent-encoded (a space is %20, a backslash %5C)"
        )
    found = _SCHEME.match(text)
    if found is None or found[1].lower() not in schemes:
        raise UrlError(f"it must begin with {wanted} and a host, as in {first}://HOST:PORT")
    rest = text[found.end() :]
    if _SHOWN.search(rest):
        raise UrlError(f"it has {HIDDEN} where 'poolscope config' hides something; write that out")
    return found[1].lower(), rest


def _host_and_port(place: str) -> tuple[str, int | None]:
    """Return host and port of what is between login and path."""
    if place.startswith("["):
        found = _BRACKETED.fullmatch(place)
        if found is None:
            raise UrlError("it has a bracket that does not hold an IPv6 address")
        try:
            host = str(IPv6Address(unquote(found[1])))
        except AddressValueError:
            raise UrlError("it has no IPv6 address in its brackets") from None
        return host, _port(found[2] or "")
    host, _, port = place.partition(":")
    if ":" in port:
        raise UrlError(
            "it has more than one : in its host; write an IPv6 address in brackets, [::1]"
        )
    if not host:
        raise UrlError("it has no host")
    host = _ascii(host.lower())
    if not all(_HOST.fullmatch(each) for each in host.split(",")):
        raise UrlError("it has a character in its host that no host has")
    return host, _port(port)


def _port(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and 0 < int(text) < 65536):
        raise UrlError(
            "it has a port that is none: a number from 1 to 65535 is expected behind the : of the "
            "host (a login goes before the host, with an @ between)"
        )
    return int(text)


def _ascii(host: str) -> str:
    if host.isascii():
        return host
    from yarl import URL

    try:
        return URL.build(scheme="http", host=host).raw_host or ""
    except ValueError:
        raise UrlError("it has a host name that cannot be written in ASCII (IDNA)") from None


def _decoded(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise UrlError("it has a login whose percent-encoding is not UTF-8") from None


def _may_be_shown(segment: str) -> bool:
    return not segment or segment in _SHOWN_SEGMENTS or bool(_VERSION.fullmatch(segment))


def _shown_place(place: str) -> str:
    """Return host and port if they are such, else what hides them."""
    place = place.partition("/")[0]
    try:
        host, port = _host_and_port(place)
    except UrlError:
        return HIDDEN if place else ""
    return bracketed(host) + (f":{port}" if port else "")


def is_loopback(host: str | None) -> bool:
    """Tell whether a host name or address is this machine's own."""
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False
