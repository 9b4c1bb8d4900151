"""Which shape each command writes with ``--json``."""

from __future__ import annotations

from types import UnionType
from typing import Final

from monitor.answers.attribution import Attributed, Relabelled
from monitor.answers.audit import (
    BlocksAudit,
    DriftAudit,
    RegistryAudit,
    RegistryComparison,
    UnknownAudit,
)
from monitor.answers.base import Answer, CommandError
from monitor.answers.blocks import BlockAnswer
from monitor.answers.export import ExportRow
from monitor.answers.figures import WindowFigures
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

ANSWERS: Final[dict[str, type[Answer] | UnionType]] = {
    "attribute": Attributed | CommandError,
    "audit blocks": BlocksAudit,
    "audit drift": DriftAudit,
    "audit registry": RegistryAudit | RegistryComparison,
    "audit unknown": UnknownAudit,
    "backfill": Backfilled | Filled,
    "block": BlockAnswer,
    "concentration": WindowFigures,
    "config": EffectiveSettings,
    "export": ExportRow,
    "hashrate": HashrateReport,
    "node": NodeWhitelist,
    "pools": PoolShares,
    "relabel": Relabelled,
    "status": AgentStatus,
    "verify-headers": HeadersVerified,
    "watch": WatchedState,
}
"""Shapes by command; of a group, by ``GROUP COMMAND``. A union where options or lines choose."""
