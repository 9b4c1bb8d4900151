"""``python -m tests.support.metrics_page`` writes the tables of docs/metrics.md anew."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from dashboards import reference
from tests.support.prometheus import agents, fetch

PAGE: Final = Path(__file__).parents[2] / "docs" / "metrics.md"


def exported(*addresses: str) -> list[reference.Entry]:
    """Return the metrics of running agents."""
    return reference.entries(*(fetch(f"http://{each}/metrics").decode() for each in addresses))


def main() -> None:
    """Start the agents of the tests and write what they export."""
    with tempfile.TemporaryDirectory() as directory, agents(Path(directory)) as addresses:
        PAGE.write_text(reference.page(PAGE.read_text("utf-8"), exported(*addresses)), "utf-8")


if __name__ == "__main__":
    main()
