"""Which shape each command writes with ``--json``."""

from __future__ import annotations

from types import UnionType
from typing import Final

from monitor.answers.base import CommandAnswer
from monitor.answers.claims import ClaimList
from monitor.answers.economics import Costs
from monitor.answers.figures import WindowFigures
from monitor.answers.markets import Divergence, Market, MarketSizes, SeriesNames
from monitor.answers.network import NetworkSeen
from monitor.answers.windows import Eras, Risks, Trends, WindowChange, WindowSeries

ANSWERS: Final[dict[str, type[CommandAnswer] | UnionType]] = {
    "claims": ClaimList,
    "compare": Market | MarketSizes | Divergence | SeriesNames,
    "concentration": WindowFigures | WindowSeries | WindowChange,
    "cost": Costs,
    "eras": Eras,
    "network": NetworkSeen,
    "risk": Risks,
    "trend": Trends,
}
"""Shapes by command; of a group, by ``GROUP COMMAND``. A union where options choose."""
