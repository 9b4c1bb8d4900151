"""What bitcoin.conf says, read as Bitcoin Core reads it.

Source: Bitcoin Core 31, `src/common/config.cpp`, `args.cpp` and `settings.cpp` for which value
holds; `src/bitcoin-cli.cpp` for rpcconnect, `src/httpserver.cpp` for rpcbind. Files are read by
the caller. What bears on how a node is reached, and is not followed, is counted with its reason;
no value is shown.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from analyzers.leftout import Kind, Tally
from hashing.params import CORE_CHAIN_NAMES, NetworkParams
from monitor.urls import UrlError, is_loopback, split_host_port

Value = str | bool
"""A value as it is written; False for a negated setting, True for one negated twice."""

SINGLE: Final = ("rpcconnect", "rpcport", "rpcuser", "rpcpassword", "rpccookiefile", "datadir")
"""Settings of which one value holds, and which tell how to reach a node."""
_ACCESS: Final = frozenset((*SINGLE, "rpcbind", "rpcauth", "server", "chain", "includeconf"))
"""Settings that bear on how a node is reached: these are named where they are not followed."""
_NETWORK_ONLY: Final = frozenset({"rpcport", "rpcbind"})
"""Settings of `_ACCESS` that hold on mainnet only, where they stand outside of a section."""
_CHAINS: Final = ("testnet", "testnet4", "signet", "regtest")
"""Settings that choose a chain, beside ``chain`` itself."""
_BLANKS: Final = " \t\r\n"
_MOST_INCLUDES: Final = 50
_ANY: Final = "0.0.0.0"  # noqa: S104 - what a node binds to, not we
"""The address that stands for all of a machine."""

_NOT_CORE: Final = "Bitcoin Core does not start with such a line"
_FIRST_HOLDS: Final = "of several values the first holds"


class Entry(NamedTuple):
    """One setting as it is written."""

    section: str
    name: str
    value: Value


@dataclass(frozen=True, slots=True)
class Access:
    """How a node is reached: the addresses to try in order, and the login.

    `cookie` is as it is written, relative to the directory of the chain; empty where the node
    writes none.
    """

    places: tuple[tuple[str, int], ...]
    user: str = ""
    password: str = field(default="", repr=False)
    cookie: str = ""


class Conf:
    """The settings that hold on one chain.

    Parameters
    ----------
    entries:
        All settings of bitcoin.conf and what it includes, in the order of reading.
    chain:
        The chain, by Core's name (``main``, ``test`` and so on).
    dynamic:
        The values of settings.json, which are stronger than the file's.
    """

    def __init__(
        self,
        entries: Iterable[Entry],
        chain: str,
        dynamic: Mapping[str, Sequence[Value]] | None = None,
    ) -> None:
        self.entries = tuple(entries)
        self.chain = chain
        self._dynamic = dynamic or {}
        self._values: dict[tuple[str, str], list[Value]] = {}
        for section, name, value in self.entries:
            self._values.setdefault((section, name), []).append(value)

    def one(self, name: str) -> str | None:
        """Return the value of a setting, None where it is not set or negated."""
        for values, is_general, is_file in self._sources(name):
            live, negated = _live(values)
            # a negated setting holds where the setting itself would not
            if is_general and self._is_ignored(name) and not negated:
                continue
            if live:
                return _text(live[0] if is_file else live[-1])
            if negated:
                return None
        return None

    def is_negated(self, name: str) -> bool:
        """Tell whether a setting is negated, as ``noNAME=1`` does."""
        for values, _, _ in self._sources(name):
            live, negated = _live(values)
            if live or negated:
                return negated
        return False

    def all(self, name: str) -> list[str]:
        """Return the values of a setting of which all hold."""
        found: list[str] = []
        done = cut = False
        for values, is_general, is_file in self._sources(name):
            if is_general and self._is_ignored(name):
                continue
            live, negated = _live(values)
            if not done or (is_file and not cut):
                found += map(_text, live)
            done = done or False in values
            cut = cut or (negated and not found)
        return found

    def _is_ignored(self, name: str) -> bool:
        return name in _NETWORK_ONLY and self.chain != "main"

    def _sources(self, name: str) -> Iterator[tuple[Sequence[Value], bool, bool]]:
        """Yield the values of each place, the strongest first, whether general, whether a file."""
        yield self._dynamic.get(name, ()), False, False
        yield self._values.get((self.chain, name), ()), False, True
        yield self._values.get(("", name), ()), True, True


def parse(text: str, tally: Tally) -> list[Entry]:
    """Return the settings of one file; lines with which Core does not start are left out."""
    entries = []
    prefix = ""
    for number, raw in enumerate(text.split("\n"), start=1):
        line, hash_, _ = raw.partition("#")
        line = line.strip(_BLANKS)
        if not line:
            continue
        if line.startswith("[") and line.endswith("]"):
            prefix = line[1:-1] + "."
            continue
        name, equals, value = line.partition("=")
        name = prefix + name.strip(_BLANKS)
        if line.startswith("-") or not equals:
            tally.add(Kind.CONF_SETTING, _NOT_CORE, f"line {number}")
        elif hash_ and "rpcpassword" in name:
            tally.add(
                Kind.CONF_SETTING,
                "Bitcoin Core does not start with a # in its line; set another password there",
                f"line {number}: rpcpassword",
            )
        else:
            entry = _entry(name, value.strip(_BLANKS))
            if entry.name == "conf":
                tally.add(Kind.CONF_SETTING, _NOT_CORE, f"line {number}: conf")
            else:
                entries.append(entry)
    if text.startswith("\ufeff"):
        tally.add(
            Kind.CONF_SETTING,
            "a byte order mark stands before it, and Bitcoin Core takes that for a part of it; "
            "save the file without one",
            "line 1",
        )
    return entries


def read(text: str, chain: str, include: Callable[[str], str], tally: Tally) -> list[Entry]:
    """Return the settings of a bitcoin.conf and of what it includes.

    Parameters
    ----------
    include:
        Returns the text of a file that is named so; raises `OSError` if it cannot be read.
    """
    entries = parse(text, tally)
    names = [
        name
        for section in (chain, "")
        for name in _live([e.value for e in entries if e[:2] == (section, "includeconf")])[0]
    ]
    for name in names[:_MOST_INCLUDES]:
        try:
            included = parse(include(_text(name)), tally)
        except (OSError, ValueError):
            tally.add(Kind.CONF_SETTING, "the file cannot be read", "includeconf")
            continue
        for entry in included:
            if entry.name == "includeconf" and entry.section in {chain, ""}:
                tally.add(Kind.CONF_SETTING, "it stands in an included file", "includeconf")
            else:
                entries.append(entry)
    if len(names) > _MOST_INCLUDES:
        why = f"more than {_MOST_INCLUDES} files are included"
        tally.add(Kind.CONF_SETTING, why, "includeconf", len(names) - _MOST_INCLUDES)
    return entries


def dynamic_settings(text: str) -> dict[str, list[Value]]:
    """Return what a settings.json holds; nothing where it is none, as Core then starts anew."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        name: [
            each if isinstance(each, str | bool) else str(each)
            for each in (value if isinstance(value, list) else [value])
            if isinstance(each, str | bool | int)
        ]
        for name, value in found.items()
    }


def access(conf: Conf, params: NetworkParams, tally: Tally) -> Access:
    """Return how a node with this configuration is reached from its own machine."""
    _note(conf, tally)
    password = conf.one("rpcpassword") or ""
    if not password:
        for name in ("rpcuser", "rpcauth"):
            if conf.all(name):
                why = (
                    "there is no rpcpassword with it; the node's cookie is used"
                    if name == "rpcuser"
                    else "it holds no password, only a hash of it; the node's cookie is used, "
                    "unless bitcoind.user and bitcoind.password are set"
                )
                tally.add(Kind.CONF_SETTING, why, name, len(conf.all(name)))
    cookie = ""
    if conf.is_negated("rpccookiefile") and not password:
        why = "the node writes no cookie; set bitcoind.user and bitcoind.password"
        tally.add(Kind.CONF_SETTING, why, "norpccookiefile")
    elif not password:
        cookie = conf.one("rpccookiefile") or ".cookie"
    return Access(
        tuple(_places(conf, params, tally)),
        user=(conf.one("rpcuser") or "") if password else "",
        password=password,
        cookie=cookie,
    )


def _places(conf: Conf, params: NetworkParams, tally: Tally) -> list[tuple[str, int]]:
    """Return where the node may be asked: first as rpcconnect says, else where it listens."""
    usual = _port(conf, tally) or params.rpc_port
    connect = conf.one("rpcconnect")
    if connect:
        try:
            host, port = split_host_port(connect)
        except UrlError:
            tally.add(Kind.CONF_SETTING, "it is no address", "rpcconnect")
        else:
            # rpcport is stronger than the port of rpcconnect
            return [(host, usual if conf.one("rpcport") or port is None else port)]
    bound = []
    for address in conf.all("rpcbind"):
        all_of_it = address.startswith(":") and address[1:].isdecimal()
        try:
            host, port = split_host_port(f"{_ANY}{address}" if all_of_it else address)
        except UrlError:
            tally.add(Kind.CONF_SETTING, "it is no address", "rpcbind")
        else:
            bound.append((_reached(host), port or usual))
    if not bound:
        return [("127.0.0.1", usual)]
    found = [min(bound, key=lambda place: _distance(place[0]))]
    if not conf.all("rpcallowip") and ("127.0.0.1", usual) not in found:
        # Without rpcallowip, on its command line or here, it listens there and nowhere else.
        found.append(("127.0.0.1", usual))
    return found


def _reached(host: str) -> str:
    """Return the address at which a node that listens at `host` is reached from its machine."""
    return {_ANY: "127.0.0.1", "::": "::1"}.get(host, host)


def _distance(host: str) -> int:
    """Rank hosts: this machine before others, and IPv4 first, which every machine has."""
    return (0 if ":" not in host else 1) if is_loopback(host) else 2


def _port(conf: Conf, tally: Tally) -> int | None:
    text = conf.one("rpcport")
    if text is None:
        return None
    if text.isascii() and text.isdecimal() and 0 < int(text[:9]) < 65536:
        return int(text)
    tally.add(Kind.CONF_SETTING, "it is no port", "rpcport")
    return None


def _note(conf: Conf, tally: Tally) -> None:
    """Count what is written about reaching the node and does not hold on this chain."""
    sections = {*CORE_CHAIN_NAMES, ""}
    for name in SINGLE:
        for section in (conf.chain, ""):
            values = [e.value for e in conf.entries if (e.section, e.name) == (section, name)]
            live, _ = _live(values)
            if len(live) > 1:
                tally.add(Kind.CONF_SETTING, _FIRST_HOLDS, name, len(live) - 1)
    for entry in conf.entries:
        if entry.section not in sections and entry.name.rpartition(".")[2] in _ACCESS:
            why = f"Bitcoin Core knows no such section; its own are {', '.join(CORE_CHAIN_NAMES)}"
            tally.add(Kind.CONF_SETTING, why, f"[{entry.section}] {entry.name}")
        elif "." in entry.name and entry.name.rpartition(".")[2] in _ACCESS:
            why = "a section is named twice for it"
            tally.add(Kind.CONF_SETTING, why, f"[{entry.section}] {entry.name}")
        elif entry.section == "" and entry.name in _NETWORK_ONLY and conf.chain != "main":
            why = "outside of a section it holds on mainnet only"
            tally.add(Kind.CONF_SETTING, why, entry.name)
    chosen = _chosen_chain(conf)
    if chosen not in {None, conf.chain}:
        why = "the node is of this chain, and another one is asked for; see the setting network"
        tally.add(Kind.CONF_SETTING, why, f"chain {chosen}")
    server = conf.one("server")
    if conf.is_negated("server") or (server is not None and not _is_true(server)):
        tally.add(Kind.CONF_SETTING, "with it the node answers nobody; set server=1", "server")


def _chosen_chain(conf: Conf) -> str | None:
    """Return the chain that the file chooses by Core's name, None where it leaves that open."""
    if chain := conf.one("chain"):
        return chain
    for name in _CHAINS:
        live, _ = _live([e.value for e in conf.entries if e[:2] == ("", name)])
        if live and _is_true(_text(live[-1])):  # of these the last one holds
            return "test" if name == "testnet" else name
    return None


def _entry(name: str, value: str) -> Entry:
    section, dot, key = name.partition(".")
    if not dot:
        section, key = "", name
    if key.startswith("no"):
        return Entry(section, key[2:], not _is_true(value))
    return Entry(section, key, value)


def _live(values: Sequence[Value]) -> tuple[Sequence[Value], bool]:
    """Return the values behind the last negation, and whether that is the last word."""
    cut = next((i for i in range(len(values), 0, -1) if values[i - 1] is False), 0)
    return values[cut:], bool(values) and cut == len(values)


def _text(value: Value) -> str:
    return value if isinstance(value, str) else "01"[value]


def _is_true(text: str) -> bool:
    """Tell what Core takes a text for: the number that it begins with, and nothing is true."""
    digits = text.strip().removeprefix("-").removeprefix("+")
    number = digits[: next((i for i, c in enumerate(digits) if c not in "0123456789"), None)]
    return not text or (bool(number) and int(number[:20]) != 0)
