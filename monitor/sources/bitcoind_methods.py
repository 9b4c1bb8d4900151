"""The RPC methods that a node is asked by: which are needed, and what is lost without others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC method: what it is for, and what happens without it (needed ones: nothing does)."""

    name: str
    use: str
    without: str = ""

    @property
    def needed(self) -> bool:
        """Whether the chain cannot be followed without it."""
        return not self.without


METHODS: Final = (
    Method("getbestblockhash", "the tip"),
    Method("getblockhash", "blocks by height; the genesis block tells the network"),
    Method("getblockheader", "the height of the tip; all headers where REST is off"),
    Method("getblock", "blocks where REST is off or fails"),
    Method(
        "getblockchaininfo",
        "whether the node still downloads the chain, and how far it is pruned",
        "the first block tells the network; no word on pruning or a download under way",
    ),
    Method(
        "getnetworkinfo",
        "which software and version it is",
        "the node's version stays unknown",
    ),
    Method(
        "getchaintips",
        "stale blocks",
        "stale blocks are seen only if they were stored before they lost",
    ),
    Method(
        "waitfornewblock",
        "new blocks at once where ZMQ is off or mute",
        "the tip is looked at each second",
    ),
    Method(
        "getzmqnotifications",
        "where the node publishes new blocks",
        "ZMQ is used only where bitcoind.zmq names its address",
    ),
)
"""All methods that poolscope calls, the needed ones first."""

NEEDED: Final = tuple(method.name for method in METHODS if method.needed)
"""What must be allowed so that the chain is followed."""
WITHOUT: Final = {method.name: method.without for method in METHODS}


def whitelist_line(user: str, *, optional: bool = True) -> str:
    """Return the line of bitcoin.conf that allows `user` what poolscope calls.

    With `optional` false it allows no more than is needed.
    """
    names = [method.name for method in METHODS if optional or method.needed]
    return f"rpcwhitelist={user}:{','.join(names)}"
