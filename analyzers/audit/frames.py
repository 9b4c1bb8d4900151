"""Audit results as DataFrames, for researchers. Importing this imports pandas."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pandas as pd

from analyzers.audit.blocks import Agreement


def as_frame(rows: Sequence[Any]) -> pd.DataFrame:
    """Return results (findings, differences, disagreements, sightings) one a row.

    Examples
    --------
    >>> from analyzers.audit import inspect_registry
    >>> from analyzers.registry import load_registry
    >>> frame = as_frame(inspect_registry(load_registry()))
    >>> frame.query("kind == 'inside' and subject == 'EMC'")["other_subject"].tolist()
    ['/EMCD/']
    """
    return pd.DataFrame([dataclasses.asdict(row) for row in rows])


def confusion_frame(found: Agreement) -> pd.DataFrame:
    """Return the confusion table: our pools as rows, theirs as columns, ``(nobody)`` for None."""
    series = pd.Series(
        {tuple(part or "(nobody)" for part in pair): n for pair, n in found.confusion.items()},
        dtype="int64",
    )
    series.index = pd.MultiIndex.from_tuples(list(series.index), names=["ours", "theirs"])
    return series.unstack(fill_value=0)
