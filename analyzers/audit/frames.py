"""Attribution and audits over DataFrames, for researchers. Importing this imports pandas.

Coinbases come as a frame with the columns ``height`` and ``script_sig`` (bytes), and where
they are known ``outputs`` (sequences of `hashing.wire.TxOut`), ``header`` (80 bytes) and
``tx_count``. All text in the frames that are returned is escaped.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, Final

import pandas as pd

from analyzers.attribution import attribute_parts
from analyzers.audit.blocks import Agreement
from analyzers.audit.values import AttributedBlock
from analyzers.escape import escape_text
from analyzers.facts import BlockFacts, block_facts
from analyzers.model import Evidence
from analyzers.registry.address import address_of
from analyzers.registry.lenses import Lens
from analyzers.registry.registry import Registry
from hashing.header import BlockHeader
from hashing.params import MAINNET, NetworkParams

EVIDENCE: Final = {
    "height": "int64",
    "kind": "str",
    "pool": "str",
    "strength": "str",
    "against": "bool",
    "field": "str",
    "offset": "int64",
    "length": "int64",
    "text": "str",
    "share": "float64",
}
"""Columns of `evidence_frame`: one row a match. `against`: it speaks for another pool than
the one published. `text` is a tag's, escaped, or the address of a script that is paid. `share` is
the part of the coinbase's value that this gets (0..1)."""


def attribute_frame(coinbases: pd.DataFrame, registry: Registry) -> list[AttributedBlock]:
    """Attribute each row of `coinbases`, with all evidence: what the audits look at.

    Raises
    ------
    KeyError
        If a column is missing.
    """
    outputs = coinbases["outputs"] if "outputs" in coinbases else [()] * len(coinbases)
    return [
        AttributedBlock(
            int(height),
            script_sig,
            tuple(paid),
            attribute_parts(script_sig, paid, registry, height=int(height)),
        )
        for height, script_sig, paid in zip(
            coinbases["height"], coinbases["script_sig"], outputs, strict=True
        )
    ]


def facts_frame(
    coinbases: pd.DataFrame, registry: Registry, lens: Lens | None = None
) -> pd.DataFrame:
    """Return `analyzers.facts.block_facts` of each row of `coinbases`, one a row.

    Examples
    --------
    >>> from analyzers.registry import load_registry
    >>> some = pd.DataFrame({"height": [439782], "script_sig": [b"/ViaBTC/Mined by rme100/,"]})
    >>> facts_frame(some, load_registry())[["height", "pool", "sureness", "miners"]].values.tolist()
    [[439782, 'viabtc', 'likely', ('rme100',)]]
    """
    blocks = attribute_frame(coinbases, registry)
    return as_frame(
        [
            block_facts(
                block.attribution,
                block.script_sig,
                block.outputs,
                height=block.height,
                header=None if header is None else BlockHeader.parse(header),
                tx_count=None if tx_count is None else int(tx_count),
                lens=lens,
            )
            for block, header, tx_count in zip(
                blocks, _column(coinbases, "header"), _column(coinbases, "tx_count"), strict=True
            )
        ],
        BlockFacts,
    )


def evidence_frame(
    blocks: Iterable[AttributedBlock], network: NetworkParams = MAINNET
) -> pd.DataFrame:
    """Return everything that speaks in `blocks`, one match a row, with the columns `EVIDENCE`.

    Payouts are told as addresses of `network`.
    """
    rows = [
        (
            block.height,
            item.kind,
            item.pool,
            item.strength,
            item in block.attribution.conflicts,
            *item.where,
            _text(item, network),
            item.share,
        )
        for block in blocks
        for item in block.attribution.evidence
    ]
    return pd.DataFrame(rows, columns=list(EVIDENCE)).astype(EVIDENCE)


def as_frame(rows: Sequence[Any], kind: type[Any] | None = None) -> pd.DataFrame:
    """Return results (findings, differences, disagreements, sightings, clusters) one a row.

    `kind` is their class: it names the columns where there may be no rows.

    Examples
    --------
    >>> from analyzers.audit import inspect_registry
    >>> from analyzers.registry import load_registry
    >>> frame = as_frame(inspect_registry(load_registry()))
    >>> frame.query("kind == 'inside' and subject == 'EMC'")["other_subject"].tolist()
    ['/EMCD/']
    """
    columns = None if kind is None else [field.name for field in dataclasses.fields(kind)]
    return pd.DataFrame([dataclasses.asdict(row) for row in rows], columns=columns)


def confusion_frame(found: Agreement) -> pd.DataFrame:
    """Return the confusion table: our pools as rows, theirs as columns, ``(nobody)`` for None."""
    if not found.confusion:
        return pd.DataFrame()
    series = pd.Series(
        {tuple(part or "(nobody)" for part in pair): n for pair, n in found.confusion.items()},
        dtype="int64",
    )
    series.index = pd.MultiIndex.from_tuples(list(series.index), names=["ours", "theirs"])
    return series.unstack(fill_value=0)


def _text(item: Evidence, network: NetworkParams) -> str:
    if item.kind in ("payout", "elsewhere"):
        return address_of(item.matched, network) or item.matched.hex()
    return escape_text(item.matched)


def _column(frame: pd.DataFrame, name: str) -> list[Any]:
    if name not in frame:
        return [None] * len(frame)
    return [None if pd.isna(value) else value for value in frame[name]]
