"""``poolscope report``: one HTML file with plots, tables, methods and data."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from monitor.commands.options import level_option, seed_option, selection_options
from monitor.commands.paths import HomePath
from monitor.commands.waiting import busy
from monitor.errors import PoolscopeError
from monitor.queries.selection import Selection


@click.command("report")
@click.option(
    "--out",
    type=HomePath(path_type=Path, dir_okay=False, writable=True),
    required=True,
    help="File to write (HTML).",
)
@selection_options
@level_option
@click.option(
    "--draws",
    type=click.IntRange(100, 1_000_000),
    default=10_000,
    show_default=True,
    help="Posterior draws a window.",
)
@seed_option
def command(selection: Selection, out: Path, level: float, draws: int, seed: int) -> None:
    """Write a self-contained report: no network, no script, fit for print.

    It shows concentration over time with intervals, the probabilities behind the Nakamoto
    coefficient, trends by era, changes of shares, the judged claims, the methods, and the
    data as CSV.

    \b
    Examples:
      poolscope report --history --out report.html
      poolscope report --history --window 30d --from 2022-01-01 --out report.html
      poolscope report --out week.html --window 144
    """
    table, window = selection.table()
    with busy(f"simulating and drawing {len(table)} windows"):
        from monitor.report.page import Subject, make_report

        subject = Subject(
            selection.source, str(window), selection.lens, selection.span, selection.kind
        )
        page = make_report(
            table, subject, level=level, draws=draws, seed=seed, made=datetime.now(UTC)
        )
    try:
        out.write_text(page, "utf-8")
    except OSError as error:
        raise PoolscopeError(f"report {out}: {error.strerror}; choose another --out") from None
    click.echo(f"{out}: {len(table)} windows, {out.stat().st_size // 1024} kB", err=True)
