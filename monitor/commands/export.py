"""``poolscope export``: stored blocks as a file for other tools."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from analyzers.columns import EXPORTED
from monitor import __version__
from monitor.commands.options import settings_options
from monitor.commands.paths import HomePath
from monitor.commands.reading import reading_store
from monitor.errors import StoreError

if TYPE_CHECKING:
    from monitor.config import Settings
    from monitor.export import Format
    from monitor.store.base import BlockStore


@click.command(
    "export",
    epilog="\b\nColumns:\n" + "\n".join(f"  {c.name:<10}  {c.help}" for c in EXPORTED.values()),
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["parquet", "csv", "jsonl"]),
    default="parquet",
    show_default=True,
    help="Form of the file.",
)
@click.option("--from", "first", type=click.IntRange(0), help="First height (default: the lowest).")
@click.option("--to", "last", type=click.IntRange(0), help="Last height (default: the tip).")
@click.option(
    "--out",
    type=HomePath(path_type=Path, dir_okay=False, allow_dash=True),
    required=True,
    help="File to write; - is standard output.",
)
@settings_options
def command(
    settings: Settings, *, form: Format, first: int | None, last: int | None, out: Path
) -> None:
    """Write the stored blocks of the active chain as Parquet, CSV or JSON lines.

    One row a block, with the columns below; docs/export.md tells more. A file appears under its
    name only when it is whole.

    \b
    Examples:
      poolscope export --out blocks.parquet
      poolscope export --format csv --from 840000 --to 849999 --out epoch.csv
      poolscope export --format jsonl --out - | head
    """
    from monitor.export import SCHEMA, appearing, tables_of, write

    with reading_store(settings) as store:
        first, last = _span(store, first, last)
        metadata = {
            "version": __version__,
            "schema": SCHEMA,
            "network": store.network,
            "synthetic": store.synthetic,
            "registry": ",".join(store.by_registry(first, last + 1)),
        }
        whole = nullcontext(sys.stdout.buffer) if str(out) == "-" else appearing(out)
        with whole as stream:
            blocks = write(tables_of(store, first, last), form, metadata, stream)
    click.echo(f"{blocks} blocks, {first} to {last}", err=True)


def _span(store: BlockStore, first: int | None, last: int | None) -> tuple[int, int]:
    """Return the heights to export: what was asked for, as far as it is there."""
    lowest, tip = store.first_height(), store.tip()
    if lowest is None or tip is None:
        raise StoreError("the store is empty; 'poolscope run' fills it")
    start = max(lowest, lowest if first is None else first)
    end = min(tip.height, tip.height if last is None else last)
    if start > end:
        raise click.UsageError(f"no block there: the store holds {lowest} to {tip.height}")
    return start, end
