"""What a node is: which network it serves, and whether it is a Bitcoin Core node at all."""

from __future__ import annotations

import re
from typing import Final

from hashing.header import hash_to_hex, sha256d
from hashing.params import CORE_CHAIN_NAMES, NETWORKS, SIGNET, NetworkParams
from monitor.errors import SourceRefused
from monitor.reply import printable

_BY_GENESIS: Final = {sha256d(params.genesis_header): params for params in NETWORKS.values()}

_BTCD_CHAINS: Final = {"mainnet", "testnet", "testnet3", "simnet"}
"""Names that btcd and what came of it give to chains; Bitcoin Core has others for all."""
_BTCD: Final = re.compile(r"/btc(d|wire)[:/]", re.ASCII)
_OTHER_CHAIN: Final = re.compile(
    r"/(bitcoin cash|bch|bitcoin abc|bitcoin sv|bitcoin xt|bitcoin gold|flowee|kth)",
    re.I | re.ASCII,
)
"""Nodes of chains that have Bitcoin's first blocks, and Bitcoin Core's name for its chain."""
_CORE: Final = re.compile(r"/Satoshi:", re.ASCII)


def network_of(
    chain: str | None,
    genesis: bytes,
    agent: str,
    wanted: str | None,
    signet: NetworkParams | None = None,
) -> NetworkParams:
    """Return the network that a node serves, if it is the wanted one.

    Parameters
    ----------
    chain:
        Its name in ``getblockchaininfo``; None where the node does not say.
    genesis:
        The hash at height 0.
    agent:
        What the node calls its software (``subversion``), empty where it does not say.
    wanted:
        The network that it must serve; None takes what it serves.
    signet:
        Which one it serves if it serves a signet: all have the same genesis block.

    Raises
    ------
    SourceRefused
        If it serves another network, another coin, or is known not to be supported.
    """
    software = f" (its software: {printable(agent, 60)})" if agent else ""
    if chain in _BTCD_CHAINS or _BTCD.search(agent):
        raise SourceRefused(
            f"is this a Bitcoin Core node{software}? btcd is not supported"
            + (f"; it calls its chain {printable(chain, 40)!r}, as btcd does" if chain else "")
        )
    params = _BY_GENESIS.get(genesis) if chain is None else CORE_CHAIN_NAMES.get(chain)
    if chain is not None and params is None:
        raise SourceRefused(
            f"it serves a chain {printable(chain, 40)!r} that is not Bitcoin's{software}"
        )
    if params is SIGNET and signet is not None:
        params = signet
    if params is not None and wanted not in (None, params.name):
        raise SourceRefused(
            f"it serves {params.name}, not {wanted}: set network = "
            f'"{params.name}", or give the address of another node'
        )
    if params is None or sha256d(params.genesis_header) != genesis:
        raise SourceRefused(
            f"it serves another coin{software}: its first block {hash_to_hex(genesis)} is not "
            "that of a Bitcoin network"
        )
    if _OTHER_CHAIN.search(agent):
        raise SourceRefused(f"it serves another coin that split off from Bitcoin{software}")
    return params


def is_core(agent: str) -> bool:
    """Tell whether software calls itself Bitcoin Core, or is built from it as Knots is."""
    return bool(_CORE.search(agent))
