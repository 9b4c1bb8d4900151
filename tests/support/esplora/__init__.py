"""A real HTTP server that speaks the Esplora and the mempool dialect, over real bytes."""

from tests.support.esplora.chain import ServedBlock, ServedChain, mainnet_chain, mine_on
from tests.support.esplora.server import EsploraServer, Flavour

__all__ = [
    "EsploraServer",
    "Flavour",
    "ServedBlock",
    "ServedChain",
    "mainnet_chain",
    "mine_on",
]
