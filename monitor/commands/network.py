"""``poolscope network``: hash rate, luck, streaks, stale and empty blocks, with intervals."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from monitor.commands import leftout as left_out
from monitor.commands.dates import moment, moment_of
from monitor.commands.inputs import parsed_by
from monitor.commands.leftout import registry_said
from monitor.commands.options import level_option, settings_options
from monitor.commands.userfiles import entity_named, lens_named, slug_finder
from monitor.errors import StoreError
from monitor.words import number

if TYPE_CHECKING:
    from analyzers.network import Estimate, Forecast, Luck
    from analyzers.observed import Claim, Observed, Seen
    from analyzers.windows import Window
    from monitor.config import Settings
    from monitor.store.base import BlockStore

_UNITS: Final = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18, "Z": 1e21}


@dataclass(frozen=True, slots=True)
class _Stretch:
    """The blocks looked at, header times before them, and where the chain stands.

    `registries` counts the blocks by the version of the registry that attributed them.
    """

    blocks: Sequence[Seen]
    before: Sequence[int]
    stale: int
    forecast: Forecast | None
    difficulty: float
    synthetic: str
    registries: dict[str, int]


def _window(text: str) -> Window:
    from analyzers.windows import Window

    return Window.parse(text)


def parse_claim(text: str) -> tuple[str, Claim]:
    """Read ``NAME=0.18``, ``NAME=18%`` or ``NAME=150EH``.

    Raises
    ------
    ValueError
        If it is none of these, or a share above 1.
    """
    from analyzers.observed import Claim

    name, _, claimed = text.partition("=")
    match = re.fullmatch(
        r"(\d{1,15}(?:\.\d{1,15})?) ?(%|[KMGTPEZ]?H(?:/s)?)?",
        claimed.strip(),
        re.ASCII | re.IGNORECASE,
    )
    if not name.strip() or not match:
        raise ValueError(f"{text[:60]!r} is no claim: write antpool=18% or antpool=150EH")
    value, unit = float(match[1]), (match[2] or "").upper().removesuffix("/S")
    if unit.endswith("H"):
        return name.strip(), Claim(rate=value * _UNITS[unit[:-1]])
    share = value / 100 if unit == "%" else value
    if share > 1:
        raise ValueError(f"{text[:60]!r}: a share is at most 1 (or 100%); a hash rate ends in EH")
    return name.strip(), Claim(share=share)


def _claims(_ctx: click.Context, _param: click.Parameter, given: tuple[str, ...]) -> Any:
    try:
        return dict(map(parse_claim, given))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command("network")
@click.option(
    "--window",
    default="2016",
    show_default=True,
    callback=parsed_by(_window),
    help="Blocks (144) or time (12h, 7d, 2w), ending with the newest block.",
)
@click.option(
    "--to",
    "end",
    callback=parsed_by(moment),
    metavar="DAY|TIME",
    help="End before this day (UTC) or time.",
)
@click.option(
    "--lens",
    default="tag",
    show_default=True,
    help="Who counts as one: tag, template, owner, custody, country, or a CSV of pool,entity.",
)
@click.option(
    "--claim",
    "claims",
    multiple=True,
    callback=_claims,
    metavar="POOL=SHARE|RATE",
    help="What is claimed of a pool from outside, to judge its luck: antpool=18%, f2pool=90EH.",
)
@level_option
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@settings_options
def command(
    settings: Settings,
    window: Window,
    end: int | None,
    lens: str,
    claims: dict[str, Claim],
    *,
    level: float,
    as_json: bool,
) -> None:
    """Show what the stored blocks say about the network, every figure with its interval.

    Hash rate of the network and of each pool from work and median time past; the forecast of
    the next retarget; the longest run of blocks of each pool, with the probability to see one
    as long; empty blocks; stale blocks, which are those that the source heard of; and when
    blocks were first seen. Luck needs a claim from outside: a share or a hash rate taken from
    the same blocks would make it 1.

    \b
    Examples:
      poolscope network
      poolscope network --window 144 --lens template
      poolscope network --window 30d --claim foundryusa=270EH --claim ocean=1.5%
      poolscope network --json
    """
    from analyzers.observed import judge_claims, observe

    stretch = _read(settings, window, end, lens, level)
    view = observe(stretch.blocks, stretch.before, stretch.stale, level)
    judged = judge_claims(view, _named(claims, view, settings), level)
    if as_json:
        asked = {"window": str(window), "lens": lens, "level": level}
        result = asked | _as_json(stretch, view, judged)
        click.echo(json.dumps(result, indent=2, ensure_ascii=False))
    else:
        _print(stretch, view, judged, lens, level)


def _named(claims: dict[str, Claim], view: Observed, settings: Settings) -> dict[str, Claim]:
    """Return `claims` by the entities that are meant; a name of none of them stays."""
    entities = [found.entity for found in view.entities]
    slug_of = slug_finder(entities, registry_said(settings.registry))
    return {entity_named(name, entities, slug_of) or name: claim for name, claim in claims.items()}


def _read(settings: Settings, window: Window, end: int | None, lens: str, level: float) -> _Stretch:
    """Return the blocks of the window, from the store.

    Raises
    ------
    StoreError
        If there is no store, or no block of the window in it.
    """
    from analyzers.mined import Chain, Mined
    from analyzers.observed import Seen
    from analyzers.windows import between, latest
    from hashing.header import BlockHeader
    from hashing.params import MEDIAN_TIME_SPAN
    from hashing.target import decode_nbits, difficulty, work_from_target
    from monitor.commands.reading import reading_store

    with reading_store(settings) as store:
        tip, first = store.tip(), store.first_height()
        if tip is None or first is None:
            raise StoreError("the store is empty yet; is 'poolscope run' catching up?")
        start = first
        if window.blocks and end is None:
            start = max(first, tip.height - window.blocks + 1)
        columns = store.columns(("height", "time", "pool", "tx_count", "first_seen"), start)
        rows = list(zip(*columns.values(), strict=True))
        times: list[int] = [row[1] for row in rows]
        held = f"{moment_of(min(times))} to {moment_of(max(times))}"
        chain = between(Chain.of([Mined(*row[:3]) for row in rows]), end=end)
        part = latest(chain, window)
        rows = rows[len(chain) - len(part) : len(chain)]
        entity_of = lens_named(lens, chain.pools, registry_said(settings.registry))
        if not rows:
            limit = "" if end is None else f" before {moment_of(end)}"
            raise StoreError(f"the store has no block{limit}; it goes from {held}")
        low, high = int(rows[0][0]), int(rows[-1][0])
        lead = min(MEDIAN_TIME_SPAN, low - first)
        headers = [
            BlockHeader.parse(raw) for raw in store.headers(low - lead, high - low + lead + 1)
        ]
        stale = sum(low <= block.ref.height <= high for block in store.stale_blocks())
        forecast = _forecast(store, high, headers[-1].time, level)
        synthetic, registries = store.synthetic, store.by_registry(low, high + 1)
    blocks = [
        Seen(
            height,
            time,
            float(work_from_target(decode_nbits(header.nbits))),
            None if pool is None else entity_of(pool, height, time),
            tx_count,
            seen,
        )
        for (height, time, pool, tx_count, seen), header in zip(rows, headers[lead:], strict=True)
    ]
    before = [header.time for header in headers[:lead]]
    hard = difficulty(decode_nbits(headers[-1].nbits))
    return _Stretch(blocks, before, stale, forecast, hard, synthetic, registries)


def _forecast(store: BlockStore, height: int, time: int, level: float) -> Forecast | None:
    """Return what the blocks of the epoch up to `height` say of its retarget."""
    from analyzers.network import forecast
    from hashing.header import BlockHeader
    from hashing.params import NETWORKS

    params = NETWORKS[store.network]
    into = height % params.retarget_interval
    first = store.headers(height - into, 1)
    if not into or not first or params.no_retarget:
        return None
    passed = time - BlockHeader.parse(first[0]).time
    return forecast(into, passed, level, period=params.retarget_interval)


def _plain(value: Any) -> Any:
    """Return `value` with what JSON cannot carry (NaN) as None, at any depth."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _as_json(stretch: _Stretch, view: Observed, judged: dict[str, Luck]) -> dict[str, Any]:
    figures = dataclasses.asdict(view)
    if view.any_run is not None:
        name, run = view.any_run
        figures["any_run"] = {"entity": name, **dataclasses.asdict(run)}
    found: dict[str, Any] = _plain(
        {
            "synthetic": stretch.synthetic,
            "registries": stretch.registries,
            "first_height": stretch.blocks[0].height,
            "last_height": stretch.blocks[-1].height,
            "difficulty": stretch.difficulty,
            "retarget": stretch.forecast and dataclasses.asdict(stretch.forecast),
            "luck": {name: dataclasses.asdict(luck) for name, luck in judged.items()},
            **figures,
            "left_out": left_out.as_json(),
        }
    )
    return found


def _hashes(estimate: Estimate) -> str:
    """Return a hash rate with its interval, in one unit that fits."""
    if not math.isfinite(estimate.value):
        return "-"
    fits = [name for name, size in _UNITS.items() if estimate.value >= size]
    unit = fits[-1] if fits else ""
    value, low, high = (
        number(figure / _UNITS[unit]) for figure in (estimate.value, *estimate.interval)
    )
    return f"{value} {unit}H/s ({low} to {high})"


def _part(estimate: Estimate, digits: int = 1) -> str:
    """Return a ratio with its interval in percent."""
    if not math.isfinite(estimate.value):
        return "-"
    value, low, high = (f"{x:.{digits}%}" for x in (estimate.value, *estimate.interval))
    return f"{value} ({low} to {high})"


def _print(
    stretch: _Stretch, view: Observed, judged: dict[str, Luck], lens: str, level: float
) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    ends = (stretch.blocks[0].height, stretch.blocks[-1].height)
    mark = f" of the {stretch.synthetic.upper()}" if stretch.synthetic else ""
    console.print(
        f"{view.blocks} blocks{mark}, heights {ends[0]} to {ends[1]}, by {lens}; "
        f"in brackets {level:.0%} intervals"
    )
    empty = "not known"
    if view.empty.of_blocks:
        part = _part(view.empty.share, 2)
        empty = f"{view.empty.found} of {view.empty.of_blocks}, {part}"
    facts = [
        ("hash rate", _hashes(view.rate)),
        ("difficulty", f"{stretch.difficulty:.5g}"),
        ("stale blocks seen", f"{view.stale_blocks}, {_part(view.stale, 3)} of blocks, at least"),
        ("empty blocks", empty),
    ]
    if stretch.forecast:
        factor = stretch.forecast.factor
        low, high = (100 * (end - 1) for end in factor.interval)
        facts.insert(
            2,
            (
                "next retarget",
                f"{100 * (factor.value - 1):+.1f} % ({low:+.1f} to {high:+.1f}), "
                f"in {stretch.forecast.blocks_left} blocks",
            ),
        )
    if view.any_run:
        name, run = view.any_run
        facts.append(
            (
                "longest run",
                f"{run.length} by {name} from {run.height}; "
                f"P(some run as long) {number(run.probability)}",
            )
        )
    if view.delays.blocks:
        d = view.delays
        facts.append(
            ("first seen", f"{d.median:+.0f} s after header time ({d.p10:+.0f} to {d.p90:+.0f})")
        )
    for name, luck in judged.items():
        ratio = "{} ({} to {})".format(*map(number, (luck.ratio.value, *luck.ratio.interval)))
        chances = f"P(so few) {number(luck.at_most)}, P(so many) {number(luck.at_least)}"
        facts.append((f"luck of {name}", f"{ratio}; {chances}"))
    grid = Table(box=None, pad_edge=False, show_header=False)
    for title, text in facts:
        grid.add_row(title, Text(text))
    console.print(grid)
    heads = ["entity", "blocks", "share", "hash rate", "run", "P(run)"]
    heads += ["empty"] * bool(view.empty.of_blocks) + ["seen after"] * bool(view.delays.blocks)
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for place, head in enumerate(heads):
        numeric = head not in {"entity", "hash rate"}
        grid.add_column(
            head,
            justify="right" if numeric else "left",
            no_wrap=numeric,
            min_width=10 if place == 0 else None,
        )
    for entity in view.entities:
        row = [
            str(entity.blocks),
            f"{entity.share.value:.1%}",
            _hashes(entity.rate),
            str(entity.run.length),
            number(entity.run.probability),
        ]
        if view.empty.of_blocks:
            row.append(str(entity.empty.found) if entity.empty.of_blocks else "-")
        if view.delays.blocks:
            delay = entity.delays
            row.append(f"{delay.median:+.0f} s" if delay.blocks else "-")
        grid.add_row(Text(entity.entity), *row)
    console.print()
    console.print(grid)
