"""``poolscope pools``: who mined the last blocks, with intervals."""

from __future__ import annotations

import json

import click

from analyzers.registry.lenses import load_lenses
from analyzers.summary import Summary, summarize
from analyzers.windows import tally
from monitor.commands.leftout import registry_said
from monitor.commands.options import settings_options
from monitor.commands.reading import reading_store
from monitor.config import Settings
from monitor.errors import ConfigError, StoreError


@click.command("pools")
@settings_options
@click.option(
    "--window",
    type=click.IntRange(min=1),
    default=2016,
    show_default=True,
    help="How many blocks to look back.",
)
@click.option("--lens", default="tag", show_default=True, help="Who counts as one.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def command(settings: Settings, window: int, lens: str, *, as_json: bool) -> None:
    """Show who mined the last blocks, with 95 % intervals of each share.

    An interval says which shares of the work fit the blocks found: from few blocks little
    is known.

    \b
    Examples:
      poolscope pools
      poolscope pools --window 144
      poolscope pools --lens template --json
    """
    lenses = load_lenses()
    if lens not in lenses:
        raise ConfigError(f"there is no lens {lens!r}; known: {', '.join(lenses)}")
    with reading_store(settings) as store:
        tip = store.tip()
        if tip is None:
            raise StoreError("the store is empty yet; is 'poolscope run' catching up?")
        start = tip.height - window + 1
        chain = store.chain(start)
        registries = store.by_registry(start, tip.height + 1)
        synthetic = store.synthetic
    found = tally(chain, lenses[lens])
    summary = summarize(found.counts, unattributed=found.unattributed)
    registry = registry_said(settings.registry)
    names = {entry.entity: lenses[lens].name_of(entry.entity, registry) for entry in summary.shares}
    if as_json:
        found_json = _json(summary, names, tip.height, lens, synthetic)
        click.echo(json.dumps(found_json | {"registries": registries}, indent=2))
    else:
        click.echo("\n".join(_lines(summary, names, tip.height, synthetic)))


def _json(
    summary: Summary, names: dict[str, str], tip: int, lens: str, synthetic: str
) -> dict[str, object]:
    return {
        "tip": tip,
        "blocks": summary.blocks,
        "lens": lens,
        "synthetic": synthetic,
        "pools": [
            {
                "pool": entry.entity,
                "name": names[entry.entity],
                "blocks": entry.blocks,
                "share": entry.share,
                "low": entry.interval.low,
                "high": entry.interval.high,
            }
            for entry in summary.shares
        ],
        "unknown": summary.unattributed,
    }


def _lines(summary: Summary, names: dict[str, str], tip: int, synthetic: str) -> list[str]:
    mark = f" of the {synthetic.upper()}" if synthetic else ""
    lines = [
        f"{summary.blocks} blocks{mark}, up to height {tip}",
        "",
        f"{'pool':<28} {'blocks':>6} {'share':>7}   95 % interval",
    ]
    lines += [
        f"{names[entry.entity][:28]:<28} {entry.blocks:>6} {entry.share:>7.1%}   "
        f"{entry.interval.low:.1%} to {entry.interval.high:.1%}"
        for entry in summary.shares
    ]
    if summary.unattributed:
        share = summary.unattributed / summary.blocks
        lines.append(f"{'(unknown)':<28} {summary.unattributed:>6} {share:>7.1%}")
    return lines
