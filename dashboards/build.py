"""Writes the dashboards that ship: ``python -m dashboards.build``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.boards import (
    attribution,
    concentration,
    economics,
    health,
    overview,
    pools,
    store,
)

FOLDER: Final = Path(__file__).parent / "grafana"

BOARDS: Final[dict[str, Callable[[], Dashboard]]] = {
    "economics": economics.economics,
    "overview": overview.overview,
    "pools": pools.pools,
    "concentration": concentration.concentration,
    "attribution": attribution.attribution,
    "health": health.health,
    "store": store.store,
}
"""What makes each dashboard, by the name of its file."""


def as_json(made: Dashboard) -> str:
    """Return a dashboard as Grafana imports it, always the same text for the same dashboard."""
    return json.dumps(made, cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def main() -> None:
    """Write every dashboard."""
    for name, make in BOARDS.items():
        (FOLDER / f"{name}.json").write_text(as_json(make()), "utf-8")


if __name__ == "__main__":
    main()
