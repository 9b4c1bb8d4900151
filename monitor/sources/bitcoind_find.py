"""Finding a Bitcoin Core node on this machine, and how to log in to it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from analyzers.leftout import Kind, LeftOut, Tally
from hashing.params import NETWORKS, NetworkParams
from monitor.errors import ConfigError
from monitor.paths import PathError, at_home
from monitor.secrets import remember
from monitor.sources import bitcoin_conf
from monitor.sources.bitcoind_rpc import Login
from monitor.urls import WALLET, Url, UrlError, bracketed, parse

USUAL_DATADIRS: Final = (
    "~/.bitcoin",
    "~/Library/Application Support/Bitcoin",
    "~/snap/bitcoin-core/common/.bitcoin",
    "~/umbrel/app-data/bitcoin/data/bitcoin",
    "/var/lib/bitcoind",
    "/var/lib/bitcoin",
    "/home/bitcoin/.bitcoin",
    "/mnt/hdd/bitcoin",
)
"""Where distributions, Snap and the usual node boxes keep a node's data."""

_LARGEST: Final = 1 << 20
"""Bytes of a bitcoin.conf, or of a file that it includes, that are read."""


@dataclass(frozen=True, slots=True)
class NodeCandidate:
    """A node that seems to be on this machine: where it should listen and how to log in.

    `found_in` is the datadir that speaks for it, `left_out` what its bitcoin.conf says and is
    not followed.
    """

    url: str
    found_in: Path
    cookie: Path | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    left_out: tuple[LeftOut, ...] = ()


def find_local_node(
    network: str = "mainnet",
    *,
    environ: Mapping[str, str] = os.environ,
    datadirs: Sequence[str] = USUAL_DATADIRS,
) -> list[NodeCandidate]:
    """Return the nodes of `network` that this machine shows traces of, best first.

    A trace is a datadir with a ``.cookie`` (the node is running) or with a bitcoin.conf
    that holds ``rpcpassword``. ``BITCOIN_DATADIR`` comes before the usual places. Nothing is
    contacted.

    Raises
    ------
    ConfigError
        If ``BITCOIN_DATADIR`` names a home directory that is not there.
    """
    params = NETWORKS[network]
    named = environ.get("BITCOIN_DATADIR", "")
    places = [*([at_home(named)] if named else []), *_homes(datadirs)]
    found: dict[Path, list[NodeCandidate]] = {}
    for path in places:
        candidates = candidates_in(path, params)
        first = candidates[0]
        if path not in found and (first.password or (first.cookie and _exists(first.cookie))):
            found[path] = candidates
    return [candidate for candidates in found.values() for candidate in candidates]


def candidate_in(datadir: Path, params: NetworkParams) -> NodeCandidate:
    """Return how a node with `datadir` is most likely reached, whether or not it is running."""
    return candidates_in(datadir, params)[0]


def candidates_in(datadir: Path, params: NetworkParams) -> list[NodeCandidate]:
    """Return the ways to reach a node with `datadir`, the likeliest first, never none.

    There are two where bitcoin.conf leaves open whether rpcbind holds.
    """
    chain = params.core_name
    tally = Tally()
    try:
        text = _read_text(datadir / "bitcoin.conf", tally)
    except OSError:
        text = ""
    entries = bitcoin_conf.read(
        text, chain, lambda name: _read_text(datadir / name, tally, included=True), tally
    )
    if moved := bitcoin_conf.Conf(entries, chain).one("datadir"):
        if Path(moved).is_absolute():
            datadir = Path(moved)
        else:
            why = "it begins where bitcoind was started; set bitcoind.datadir"
            tally.add(Kind.CONF_SETTING, why, "datadir")
    # What the node itself has written, since it was told to by its window or by RPC, is stronger.
    try:
        dynamic = _read_text(datadir / params.datadir / "settings.json", tally)
    except OSError:
        dynamic = ""
    conf = bitcoin_conf.Conf(entries, chain, bitcoin_conf.dynamic_settings(dynamic))
    found = bitcoin_conf.access(conf, params, tally)
    left_out = tally.found
    return [
        NodeCandidate(
            f"http://{bracketed(host)}:{port}",
            datadir,
            # An absolute rpccookiefile replaces the directory before it.
            cookie=datadir / params.datadir / found.cookie if found.cookie else None,
            user=found.user,
            password=found.password,
            left_out=left_out if number == 0 else (),
        )
        for number, (host, port) in enumerate(found.places)
    ]


def resolve(
    url: str,
    *,
    user: str = "",
    password: str = "",
    cookie: Path | None = None,
    datadir: Path | None = None,
    network: str = "mainnet",
    log_in: bool = True,
    tally: Tally | None = None,
) -> tuple[str, Login]:
    """Return the address (path and query included) and login that a node's settings stand for.

    What is not set is found: login in the URL, then in `datadir`, then in the usual
    datadirs; the address beside them. No login is looked for where the address has a path:
    there is a proxy or a service with a key in it. `tally` gets what a bitcoin.conf says and
    is not followed.

    Raises
    ------
    ConfigError
        If the URL cannot be used, or no login is given or found.
    """
    params = NETWORKS[network]
    try:
        parts = parse(url, instead="bitcoind.user and bitcoind.password") if url else None
    except UrlError as error:
        raise ConfigError(f"bitcoind.url: {error}") from None
    if parts is not None:
        user = user or parts.user or ""
        password = password or parts.password or ""
    remember(*(parts.secrets() if parts else ()), password)
    address = _address(parts, params) if parts else ""
    if not log_in:
        return address or f"http://127.0.0.1:{params.rpc_port}", Login()
    if password:
        return address or f"http://127.0.0.1:{params.rpc_port}", Login(user, password)
    if cookie is not None:
        return address or f"http://127.0.0.1:{params.rpc_port}", Login(cookie=cookie)
    if datadir is None and parts is not None and _is_below(parts):
        return address, Login(user)
    if user and datadir is None:
        raise ConfigError(
            "bitcoind.user is given without bitcoind.password; give both, or none for the "
            "node's cookie"
        )
    if datadir is not None:
        candidates = candidates_in(datadir, params)
    else:
        candidates = find_local_node(network) or _stopped_nodes(params)
    if not candidates:
        raise ConfigError(
            f"no login for {parts.origin if parts else 'a local bitcoind'}: no cookie file in the "
            "usual places; set bitcoind.cookie, bitcoind.datadir, or bitcoind.user and "
            'bitcoind.password; login = "none" asks without one'
        )
    best = candidates[0]
    if tally is not None:
        tally.extend(best.left_out)
    return address or best.url, Login(best.user, best.password, best.cookie)


def _address(parts: Url, params: NetworkParams) -> str:
    """Return the address without login, with the port of the network where none is meant."""
    if parts.port is None and not _is_below(parts):
        parts = replace(parts, port=params.rpc_port)
    return replace(parts, path="" if parts.path == "/" else parts.path).address


def _is_below(parts: Url) -> bool:
    """Tell whether RPC is below a path that is none of a node's own."""
    own = not parts.path.strip("/") or parts.path.startswith(WALLET)
    return bool(parts.query) or not own


def _stopped_nodes(params: NetworkParams) -> list[NodeCandidate]:
    """Return nodes that have a datadir but do not run: their cookie is yet to come."""
    return [candidate_in(place, params) for place in _homes(USUAL_DATADIRS) if _exists(place)]


def _homes(places: Iterable[str]) -> Iterator[Path]:
    """Yield places with their home directories; a machine without such a home has none there."""
    for place in places:
        with contextlib.suppress(PathError):
            yield at_home(place)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a datadir that we may not enter
        return False


def _read_text(path: Path, tally: Tally, *, included: bool = False) -> str:
    """Return what a file holds, as far as it is read; bytes that are no text stay what they are.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with path.open("rb") as file:
        raw = file.read(_LARGEST + 1)
    if len(raw) > _LARGEST:
        why = f"what is behind the first {_LARGEST >> 20} MiB of a file is not read"
        tally.add(Kind.CONF_SETTING, why, "an included file" if included else path.name)
    return raw[:_LARGEST].decode("utf-8", "surrogateescape")
