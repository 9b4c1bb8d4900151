"""Options of the dashboards' tests."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--drawn",
        metavar="DIR",
        help="draw the dashboards by Grafana's npm libraries; pictures go here",
    )
