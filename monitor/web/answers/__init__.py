"""The shapes of the API's answers: what is served, and what OpenAPI says of it.

Units are those of the rest of poolscope: hashes per second, seconds, Unix time, satoshi,
bytes, ratios 0..1. A figure that is not known is null. Hashes are in the usual reversed
hex. Bytes from the chain are hex; beside it may stand `text`, escaped so that it is safe to
show anywhere.
"""

from monitor.web.answers.agent import LocalRate, Source, Sources, Status
from monitor.web.answers.base import Answer, ErrorAnswer, Estimate, Problem, WhenEstimate
from monitor.web.answers.blocks import (
    Block,
    BlockDetail,
    BlockList,
    Coinbase,
    Commitment,
    Evidence,
    Header,
    Miner,
    Output,
    Reorg,
    ReorgList,
    StaleList,
    Text,
)
from monitor.web.answers.figures import (
    Concentration,
    Concentrations,
    Confirmations,
    Epoch,
    Hashrate,
    History,
    Lens,
    Lenses,
    Nakamoto,
    Point,
    Share,
    Shares,
    Tip,
    TopRatio,
    Windows,
)
from monitor.web.answers.overview import Overview
from monitor.web.answers.pools import (
    PoolBlocks,
    PoolDetail,
    PoolList,
    PoolPayout,
    PoolTag,
    PoolWindow,
)

__all__ = [
    "Answer",
    "Block",
    "BlockDetail",
    "BlockList",
    "Coinbase",
    "Commitment",
    "Concentration",
    "Concentrations",
    "Confirmations",
    "Epoch",
    "ErrorAnswer",
    "Estimate",
    "Evidence",
    "Hashrate",
    "Header",
    "History",
    "Lens",
    "Lenses",
    "LocalRate",
    "Miner",
    "Nakamoto",
    "Output",
    "Overview",
    "Point",
    "PoolBlocks",
    "PoolDetail",
    "PoolList",
    "PoolPayout",
    "PoolTag",
    "PoolWindow",
    "Problem",
    "Reorg",
    "ReorgList",
    "Share",
    "Shares",
    "Source",
    "Sources",
    "StaleList",
    "Status",
    "Text",
    "Tip",
    "TopRatio",
    "WhenEstimate",
    "Windows",
]
