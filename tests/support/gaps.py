"""Stores with blocks that are known by their headers alone, and who else has these blocks."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from analyzers.attribution import attribute
from analyzers.registry import load_registry
from hashing.header import HEADER_SIZE
from hashing.params import REGTEST
from hashing.wire import read_block_prefix
from monitor.store.base import Step, StoredBlock
from monitor.store.sql import open_store
from tests.support.esplora import ServedBlock, ServedChain
from tests.support.node import RegtestNode

REGISTRY = load_registry()


def whole(node: RegtestNode, height: int, source: str = "bitcoind") -> StoredBlock:
    """A block of a node as it is stored when it has been proved."""
    entry = node.chain.at(height)
    raw, txids = node.chain.content(entry)
    coinbase = read_block_prefix(raw).coinbase
    return StoredBlock(
        ref=entry.ref,
        header=raw[:HEADER_SIZE],
        coinbase_tx=coinbase.raw,
        proof="coinbase",
        stale=False,
        source=source,
        label=None,
        attribution=attribute(coinbase, REGISTRY, height=height),
        tx_count=len(txids),
        size=len(raw),
    )


def header_only(node: RegtestNode, height: int) -> StoredBlock:
    """A block of a node as it is stored when nobody has more than its header."""
    nobody = attribute(None, REGISTRY, height=height)
    bare = replace(whole(node, height), coinbase_tx=None, proof="header", attribution=nobody)
    return replace(bare, tx_count=None, size=None)


def store_with_gaps(url: str | Path, node: RegtestNode, gaps: Collection[int]) -> None:
    """Store a node's whole chain, by the headers alone at the heights `gaps`."""
    blocks = [
        (header_only if height in gaps else whole)(node, height)
        for height in range(node.tip.height + 1)
    ]
    with closing(open_store(url, "regtest")) as store:
        store.apply(Step(blocks))


def served(node: RegtestNode) -> ServedChain:
    """A node's chain as a public API shows it; every block has one transaction."""
    blocks = []
    for height in range(node.tip.height + 1):
        raw, txids = node.chain.content(node.chain.at(height))
        coinbase = read_block_prefix(raw).coinbase.raw
        blocks.append(
            ServedBlock(height, raw[:HEADER_SIZE], coinbase, (), txids, len(txids), len(raw))
        )
    return ServedChain(REGTEST, blocks)
