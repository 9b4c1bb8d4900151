"""Which shape each command writes with ``--json``."""

from __future__ import annotations

from types import UnionType
from typing import Final

from monitor.answers.attribution import Attributed, Relabelled
from monitor.answers.audit import (
    BlocksAudit,
    DriftAudit,
    LearnAudit,
    RegistryAudit,
    RegistryComparison,
    UnknownAudit,
)
from monitor.answers.base import Answer, CommandError
from monitor.answers.blocks import BlockAnswer
from monitor.answers.claims import ClaimList
from monitor.answers.economics import Costs
from monitor.answers.export import ExportRow
from monitor.answers.figures import WindowFigures
from monitor.answers.markets import Divergence, Market, MarketSizes, SeriesNames
from monitor.answers.network import NetworkSeen
from monitor.answers.operating import (
    AgentStatus,
    Backfilled,
    EffectiveSettings,
    Filled,
    HashrateReport,
    HeadersVerified,
    NodeWhitelist,
    WatchedState,
)
from monitor.answers.pools import PoolShares
from monitor.answers.windows import Eras, Risks, Trends, WindowChange, WindowSeries

ANSWERS: Final[dict[str, type[Answer] | UnionType]] = {
    "attribute": Attributed | CommandError,
    "audit blocks": BlocksAudit,
    "audit drift": DriftAudit,
    "audit learn": LearnAudit,
    "audit registry": RegistryAudit | RegistryComparison,
    "audit unknown": UnknownAudit,
    "backfill": Backfilled | Filled,
    "block": BlockAnswer,
    "claims": ClaimList,
    "compare": Market | MarketSizes | Divergence | SeriesNames,
    "concentration": WindowFigures | WindowSeries | WindowChange,
    "config": EffectiveSettings,
    "cost": Costs,
    "eras": Eras,
    "export": ExportRow,
    "hashrate": HashrateReport,
    "network": NetworkSeen,
    "node": NodeWhitelist,
    "pools": PoolShares,
    "relabel": Relabelled,
    "risk": Risks,
    "status": AgentStatus,
    "trend": Trends,
    "verify-headers": HeadersVerified,
    "watch": WatchedState,
}
"""Shapes by command; of a group, by ``GROUP COMMAND``. A union where options or lines choose."""
