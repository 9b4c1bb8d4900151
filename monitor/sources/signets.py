"""Which signet a node serves: all of them have the same name and genesis block."""

from __future__ import annotations

from hashing.params import NETWORKS, NetworkParams, signet, signet_magic
from monitor.errors import BadReply
from monitor.reply import Fields


def signet_of(chain: Fields, wanted: str | None) -> NetworkParams:
    """Return the signet that a node serves by its ``getblockchaininfo``.

    Bitcoin Core tells its challenge from version 29 on, forks of it did before. A node that
    does not is taken to serve the `wanted` network, if that is a signet; its headers will tell.
    The time between blocks is told by none: it is that of the wanted signet, or known.
    """
    try:
        magic = signet_magic(bytes.fromhex(chain.text("signet_challenge")))
    except (BadReply, ValueError):
        magic = None
    asked = NETWORKS[wanted] if wanted else NETWORKS["signet"]
    if asked.core_name == "signet" and magic in {None, asked.magic}:
        return asked
    return NETWORKS["signet"] if magic is None else signet(magic)
