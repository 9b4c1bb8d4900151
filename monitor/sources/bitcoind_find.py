"""Finding a Bitcoin Core node on this machine, and how to log in to it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from hashing.params import NETWORKS, NetworkParams
from monitor.errors import ConfigError
from monitor.sources.bitcoind_rpc import Login

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

_CONF_LIMIT: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class NodeCandidate:
    """A node that seems to be on this machine: where it should listen and how to log in.

    `found_in` is the datadir that speaks for it.
    """

    url: str
    found_in: Path
    cookie: Path | None = None
    user: str = ""
    password: str = field(default="", repr=False)


def find_local_node(
    network: str = "mainnet",
    *,
    environ: Mapping[str, str] = os.environ,
    datadirs: Sequence[str] = USUAL_DATADIRS,
) -> list[NodeCandidate]:
    """Return the nodes of `network` that this machine shows traces of, best first.

    A trace is a datadir with a ``.cookie`` (the node is running) or with a bitcoin.conf
    that holds ``rpcuser`` and ``rpcpassword``. ``BITCOIN_DATADIR`` comes before the usual
    places. Nothing is contacted.
    """
    params = NETWORKS[network]
    named = environ.get("BITCOIN_DATADIR", "")
    places = [*([named] if named else []), *datadirs]
    found: dict[Path, NodeCandidate] = {}
    for place in places:
        path = Path(place).expanduser()
        if path in found:
            continue
        candidate = candidate_in(path, params)
        if candidate.password or (candidate.cookie and _exists(candidate.cookie)):
            found[path] = candidate
    return list(found.values())


def candidate_in(datadir: Path, params: NetworkParams) -> NodeCandidate:
    """Return how a node with `datadir` is reached, whether or not it is running."""
    conf = _read_conf(datadir / "bitcoin.conf", params)
    if "datadir" in conf and Path(conf["datadir"]).expanduser() != datadir:
        datadir = Path(conf["datadir"]).expanduser()
    port = conf.get("rpcport", "")
    url = f"http://127.0.0.1:{port if port.isdecimal() else params.rpc_port}"
    if conf.get("rpcuser") and conf.get("rpcpassword"):
        return NodeCandidate(url, datadir, user=conf["rpcuser"], password=conf["rpcpassword"])
    # An absolute rpccookiefile replaces the directory before it.
    cookie = datadir / params.datadir / conf.get("rpccookiefile", ".cookie")
    return NodeCandidate(url, datadir, cookie=cookie)


def resolve(
    url: str,
    *,
    user: str = "",
    password: str = "",
    cookie: Path | None = None,
    datadir: Path | None = None,
    network: str = "mainnet",
) -> tuple[str, Login]:
    """Return the address and login that a node's settings stand for.

    What is not set is found: login in the URL, then in `datadir`, then in the usual
    datadirs; the address beside them.

    Raises
    ------
    ConfigError
        If the URL cannot be used, or no login is given or found.
    """
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        raise ConfigError(f"bitcoind.url {_without_login(url)}: the port is no port") from None
    if url and not parts.hostname:
        raise ConfigError(f"bitcoind.url {_without_login(url)}: give it as http://HOST:PORT")
    default_port = port or NETWORKS[network].rpc_port
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    address = f"{parts.scheme}://{host}:{default_port}" if url else ""
    user = user or unquote(parts.username or "")
    password = password or unquote(parts.password or "")
    if password:
        login = Login(user=user, password=password)
        return address or f"http://127.0.0.1:{default_port}", login
    if cookie is not None:
        login = Login(cookie=cookie.expanduser())
        return address or f"http://127.0.0.1:{default_port}", login
    if datadir is not None:
        candidates = [candidate_in(datadir.expanduser(), NETWORKS[network])]
    else:
        candidates = find_local_node(network) or _stopped_nodes(NETWORKS[network])
    if not candidates:
        raise ConfigError(
            f"no login for {address or 'a local bitcoind'}: no cookie file in the usual places; "
            "set bitcoind.cookie, bitcoind.datadir, or bitcoind.user and bitcoind.password"
        )
    best = candidates[0]
    return address or best.url, Login(best.user, best.password, best.cookie)


def _stopped_nodes(params: NetworkParams) -> list[NodeCandidate]:
    """Return nodes that have a datadir but do not run: their cookie is yet to come."""
    places = [Path(place).expanduser() for place in USUAL_DATADIRS]
    return [candidate_in(place, params) for place in places if _exists(place)]


def _without_login(url: str) -> str:
    return url.rpartition("@")[2]


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a datadir that we may not enter
        return False


def _read_conf(path: Path, params: NetworkParams) -> dict[str, str]:
    """Return the settings of a bitcoin.conf that hold on one network.

    Outside any section a setting holds everywhere, but Bitcoin Core lets ``rpcport`` hold
    on mainnet only then.
    """
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            text = file.read(_CONF_LIMIT)
    except OSError:
        return {}
    wanted = params.core_name
    conf: dict[str, str] = {}
    for section, key, value in _conf_lines(text):
        general = not section and (key != "rpcport" or wanted == "main")
        if section == wanted or (general and key not in conf):
            conf[key] = value
    return conf


def _conf_lines(text: str) -> Iterator[tuple[str, str, str]]:
    section = ""
    for raw_line in text.splitlines():
        line = raw_line.split("#")[0].strip() if "rpcpassword" not in raw_line else raw_line.strip()
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1].strip()
        elif "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            prefix, dot, bare = key.strip().rpartition(".")
            yield (prefix if dot else section), bare, value.strip()
