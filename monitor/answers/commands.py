"""Which shape each command writes with ``--json``."""

from __future__ import annotations

from typing import Final

from monitor.answers.base import CommandAnswer
from monitor.answers.figures import WindowFigures

ANSWERS: Final[dict[str, type[CommandAnswer]]] = {
    "concentration": WindowFigures,
}
"""Shapes by command; of a group, by ``GROUP COMMAND``."""
