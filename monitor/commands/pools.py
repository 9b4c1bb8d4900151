"""``poolscope pools``: who mined the last blocks, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import click

from monitor.commands import leftout
from monitor.commands.options import json_option, selection_options
from monitor.commands.output import write_json

if TYPE_CHECKING:
    from analyzers.summary import Summary
    from monitor.answers.pools import PoolShares
    from monitor.queries.selection import Last, Selection


@click.command("pools")
@selection_options
@json_option
def command(selection: Selection, *, as_json: bool) -> None:
    """Show who mined the last blocks, with 95 % intervals of each share.

    It looks at the last 2016 blocks of the store, or 30 days of the history that ships
    (--history). An interval says which shares of the work fit the blocks found: from few blocks
    little is known.

    \b
    Examples:
      poolscope pools
      poolscope pools --window 144
      poolscope pools --window 7d --lens my-groups.csv
      poolscope pools --lens template --json
    """
    from analyzers.withheld import summed_up

    last = selection.last()
    summary = summed_up(last.counts, last.sight, unattributed=last.unattributed)
    names = _names(selection, summary)
    origin = _origin(selection, last, summary)
    if as_json:
        write_json(_answer(selection, last, summary, names, origin))
    else:
        click.echo("\n".join(_lines(last, summary, names, origin.synthetic)))


class _Origin(NamedTuple):
    """Why the blocks are not live, and how many of them each registry attributed."""

    synthetic: str
    registries: dict[str, int]


def _names(selection: Selection, summary: Summary) -> dict[str, str]:
    """Return what people call the entities of the lens."""
    from analyzers.registry.lenses import load_lenses

    registry, lens = selection.registry, load_lenses().get(selection.lens)
    return {
        entry.entity: registry.name_of(entry.entity)
        if lens is None
        else lens.name_of(entry.entity, registry)
        for entry in summary.shares
    }


def _origin(selection: Selection, last: Last, summary: Summary) -> _Origin:
    from monitor.commands.reading import reading_store

    if selection.history:
        return _Origin("", {})
    with reading_store(selection.settings) as store:
        end = last.first_height + summary.blocks
        return _Origin(store.synthetic, store.by_registry(last.first_height, end))


def _answer(
    selection: Selection,
    last: Last,
    summary: Summary,
    names: Mapping[str, str],
    origin: _Origin,
) -> PoolShares:
    from monitor.answers import convert
    from monitor.answers.pools import PoolShares

    return PoolShares(
        source=selection.source,
        synthetic=origin.synthetic,
        window=str(last.window),
        lens=selection.lens,
        start_time=last.start_time,
        first_height=last.first_height,
        last_height=last.first_height + summary.blocks - 1,
        blocks=summary.blocks,
        unknown=summary.unattributed,
        shares=[convert.share(entry, names.__getitem__, last.sight) for entry in summary.shares],
        registries=origin.registries,
        left_out=convert.left_out(leftout.said()),
    )


def _lines(last: Last, summary: Summary, names: Mapping[str, str], synthetic: str) -> list[str]:
    from monitor.commands.sides import of_lens

    mark = f" of the {synthetic.upper()}" if synthetic else ""
    most = "with all unknown" if summary.unattributed else ""
    lines = [
        f"{summary.blocks} blocks{mark}, up to height {last.first_height + summary.blocks - 1}",
        *of_lens(last.sight),
        "",
        f"{'pool':<28} {'blocks':>6} {'share':>7}   {'95 % interval':<15}  {most}".rstrip(),
    ]
    lines += [
        f"{names[entry.entity][:28]:<28} {entry.blocks:>6} {entry.share:>7.1%}   "
        f"{f'{entry.interval.low:.1%} to {entry.interval.high:.1%}':<15}  "
        f"{f'{entry.bounds.high:.1%}' if most else ''}".rstrip()
        for entry in summary.shares
    ]
    if summary.unattributed:
        share = summary.unattributed / summary.blocks
        lines.append(f"{'(unknown)':<28} {summary.unattributed:>6} {share:>7.1%}")
    return lines
