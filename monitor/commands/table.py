"""Rows of an answer as CSV."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence

from monitor.answers.base import Answer
from monitor.answers.flat import flat


def write_csv(rows: Sequence[Answer]) -> None:
    """Write answers as the rows of a CSV table to stdout, with a heading."""
    columns = flat(rows)
    out = csv.DictWriter(sys.stdout, columns[0], lineterminator="\n")
    out.writeheader()
    out.writerows(columns)
