"""Small pieces of HTML that pages share. Everything given is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


def grid(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; columns of cells that all begin like a number are set as numbers."""
    numeric = [bool(rows) and all(_numeric(row[i]) for row in rows) for i in range(len(heads))]
    kinds = [' class="number"' if flag else "" for flag in numeric]
    head = "".join(f"<th{kind}>{escape(h)}</th>" for h, kind in zip(heads, kinds, strict=True))
    body = "".join(
        "<tr>"
        + "".join(f"<td{kind}>{escape(c)}</td>" for c, kind in zip(row, kinds, strict=True))
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _numeric(cell: str) -> bool:
    return cell in {"", "-"} or cell.lstrip("+-<>")[:1].isdigit()
