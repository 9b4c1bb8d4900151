"""Where the statistics commands take their blocks from: a table, the store, or the history."""

from __future__ import annotations

import csv
import functools
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from analyzers.differences import homogeneity
from analyzers.mined import Chain, EntityOf, lens_from
from analyzers.windows import CountTable, Window, latest, partition, tally
from monitor.commands.options import settings_options
from monitor.config import Settings
from monitor.errors import StoreError
from monitor.store.base import BlockStore

DAY: Final = 86_400
MAX_LINES: Final = 1_000_000
"""More lines than this are no table of entities."""


def parsed_by(read: Callable[[str], Any]) -> Callable[..., Any]:
    """Return an option callback that reads the value with `read`, its errors in plain words."""

    def callback(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
        if value is None:
            return None
        try:
            return read(value)
        except (OSError, ValueError) as error:
            raise click.BadParameter(str(error), ctx, param) from None

    return callback


def parse_counts(text: str) -> dict[str, int]:
    """Read counts from ``3,2,1``, from a CSV file of entity,count, or from stdin (``-``).

    Numbers alone are named by their place. A first line that holds no number is a heading;
    an entity that comes twice is summed; lines that begin with # are passed over.

    Raises
    ------
    ValueError
        If a line is no entity with a whole, non-negative number.
    OSError
        If the file cannot be read.
    """
    parts = text.split(",")
    if all(part.strip().isdecimal() for part in parts):
        return {f"#{place}": int(part) for place, part in enumerate(parts, start=1)}
    if text == "-":
        return _read_counts(sys.stdin.read(), "stdin")
    path = Path(text)
    if not path.exists():
        raise ValueError(f"{text[:80]!r} is neither numbers such as 3,2,1 nor a file")
    try:
        return _read_counts(path.read_text("utf-8-sig"), text)
    except UnicodeDecodeError:
        raise ValueError(f"{text} is not UTF-8 text") from None


def _read_counts(text: str, where: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        raise ValueError(f"{where} has more than {MAX_LINES} lines")
    heading = True
    for place, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        row = next(csv.reader([line]))
        is_number = len(row) >= 2 and row[1].strip().isdecimal()
        if heading and not is_number and len(row) >= 2:
            heading = False
            continue
        heading = False
        if not is_number:
            raise ValueError(f"{where}, line {place}: expected entity,count, got {line[:60]!r}")
        counts[row[0].strip()] = counts.get(row[0].strip(), 0) + int(row[1])
    return counts


def read_lens(path: Path) -> EntityOf:
    """Return a lens from a CSV file of pool,entity; other pools stay themselves.

    Raises
    ------
    click.BadParameter
        If the file cannot be read or a line has not two columns.
    """
    mapping: dict[str, str] = {}
    try:
        for place, row in enumerate(csv.reader(path.read_text("utf-8-sig").splitlines()), start=1):
            if not row or row[0].startswith("#"):
                continue
            if len(row) != 2:
                raise click.BadParameter(f"{path}, line {place}: expected pool,entity")
            mapping[row[0].strip()] = row[1].strip()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise click.BadParameter(f"{path}: {error}") from None
    return lens_from(mapping)


class Last(NamedTuple):
    """The last window: blocks per entity, those of nobody known, and where it begins.

    `homogeneity` is the p-value that both halves of it come from the same shares.
    """

    counts: dict[str, int]
    unattributed: int
    first_height: int
    start_time: int
    window: Window
    homogeneity: float


class Counted(NamedTuple):
    """Blocks per entity and of nobody known, and in words where they come from."""

    counts: Mapping[str, int]
    unattributed: int
    facts: dict[str, str | int]


def given(counts: Mapping[str, int]) -> Counted:
    """Return a table that the user gave."""
    return Counted(counts, 0, {"source": "counts given"})


def counted(selection: Selection, last: Last) -> Counted:
    """Return the last window of a selection."""
    start = datetime.fromtimestamp(last.start_time, UTC)
    facts: dict[str, str | int] = {
        "source": selection.source,
        "window": str(last.window),
        "lens": selection.lens,
        "start": start.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "first_height": last.first_height,
    }
    return Counted(last.counts, last.unattributed, facts)


@dataclass(frozen=True, slots=True)
class Selection:
    """What part of which chain to look at."""

    settings: Settings
    history: bool
    window: Window | None
    lens: str
    start: int | None
    end: int | None

    @property
    def source(self) -> str:
        """Who says which pool mined a block."""
        from analyzers.history import SOURCE

        if self.history:
            return SOURCE
        with _store(self.settings) as store:
            name = f"{store.synthetic} chain, blocks of the store".removeprefix(" chain, ")
            registries = len(store.registries())
        return name if registries < 2 else f"{name} under {registries} registries"

    @property
    def span(self) -> str:
        """The dates asked for, for people."""
        ends = [
            datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d") if time is not None else ""
            for time in (self.start, self.end)
        ]
        return f"{ends[0] or 'the beginning'} to {ends[1] or 'the end'}"

    def table(self, of_history: str = "7d", of_store: str = "1008") -> tuple[CountTable, Window]:
        """Return blocks per entity in windows that do not overlap, and the window used.

        Parameters
        ----------
        of_history, of_store:
            Windows to use where none is asked for.

        Raises
        ------
        click.UsageError
            If the window does not fit the source, or no whole window is there.
        StoreError
            If the store cannot be read.
        """
        window = self.window or Window.parse(of_history if self.history else of_store)
        if self.history:
            table = self._history(window)
        else:
            table = partition(self._chain(), window, lens_named(self.lens))
        if not len(table):
            raise click.UsageError(
                f"no whole window of {window} from {self.span}; try a smaller --window"
            )
        return table, window

    def rolling(self, step: Window) -> tuple[CountTable, Window]:
        """Return blocks per entity in windows that begin every `step`, and the window used.

        Raises
        ------
        click.UsageError
            If the window is no multiple of `step`; also as `table` does.
        """
        parts, _ = replace(self, window=step).table()
        window = self.window or Window.parse("7d" if step.seconds else "1008")
        whole, part = (
            (window.blocks or 0, step.blocks)
            if step.blocks
            else (window.seconds or 0, step.seconds)
        )
        if not part or not whole or whole % part:
            raise click.UsageError(f"a window of {window} is no multiple of a step of {step}")
        table = parts.rolling(whole // part)
        if not len(table):
            raise click.UsageError(
                f"no whole window of {window} from {self.span}; try a smaller --window"
            )
        return table, window

    def last(self, of_history: str = "30d", of_store: str = "2016") -> Last:
        """Return the last window; in the store it ends with the last block, as the agent's do.

        It may be shorter than asked for where the store does not hold as much. Raises as
        `table` does.
        """
        window = self.window or Window.parse(of_history if self.history else of_store)
        if self.history:
            days = self._days(window)
            table = days.merged(len(days))
            first, second = (days.part(part).total() for part in halves(len(days)))
            return Last(
                table.row(-1),
                int(table.unattributed[-1]),
                int(table.first_height[-1]),
                int(table.start_time[-1]),
                window,
                homogeneity(first, second),
            )
        lens = lens_named(self.lens)
        mined = latest(self._chain(), window)
        if not mined:
            raise click.UsageError(f"the store has no block from {self.span}")
        found = tally(mined, lens)
        parts = [mined[part] for part in halves(len(mined))]
        first, second = (dict(tally(part, lens).counts) if part else {} for part in parts)
        return Last(
            dict(found.counts),
            found.unattributed,
            found.first_height,
            found.first_time,
            window,
            homogeneity(first, second),
        )

    def _days(self, window: Window) -> CountTable:
        """Return the days of the last window of the history."""
        days = self._history(Window(seconds=DAY))
        span = self._span(window)
        if len(days) < span:
            raise click.UsageError(
                f"no whole window of {window} from {self.span}; try a smaller --window"
            )
        return days.part(slice(len(days) - span, None))

    @staticmethod
    def _span(window: Window) -> int:
        if window.seconds is None or window.seconds % DAY:
            raise click.UsageError("the history that ships counts days: give --window 7d or so")
        return window.seconds // DAY

    def _history(self, window: Window) -> CountTable:
        from analyzers.history import load_history, with_own_names

        span = self._span(window)
        days = load_history().between(self.start, self.end)
        seen = days.under(with_own_names(lens_named(self.lens)))
        return seen.merged(span)

    def _chain(self) -> Chain:
        """Return the blocks of the store in the span asked for, by header time."""
        with _store(self.settings) as store:
            chain = store.chain()
        first = -math.inf if self.start is None else self.start
        end = math.inf if self.end is None else self.end
        return chain[(first <= chain.time) & (chain.time < end)]


@contextmanager
def _store(settings: Settings) -> Iterator[BlockStore]:
    """Open the store to read; what goes wrong names the way that needs none."""
    from monitor.commands.reading import reading_store

    try:
        with reading_store(settings) as store:
            yield store
    except StoreError as error:
        raise StoreError(f"{error} (--history needs no store)") from None


def halves(length: int) -> tuple[slice, slice]:
    """Return the two halves of a sequence of `length`."""
    return slice(0, length // 2), slice(length // 2, length)


def lens_named(name: str) -> EntityOf:
    """Return the lens that ships under `name`, or one from a CSV file of pool,entity."""
    from analyzers.registry.lenses import load_lenses

    lenses = load_lenses()
    if name in lenses:
        return lenses[name]
    path = Path(name)
    if path.is_file():
        return read_lens(path)
    raise click.BadParameter(
        f"{name!r} is no lens: give {', '.join(lenses)} or a CSV file of pool,entity"
    )


def selection_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command` the options that choose blocks, and pass it a `Selection`."""

    @click.option(
        "--history",
        is_flag=True,
        help="Use the history that ships (2020 to 2026) instead of the store.",
    )
    @click.option(
        "--window", callback=parsed_by(Window.parse), help="Blocks (144) or time (12h, 7d, 2w)."
    )
    @click.option(
        "--lens",
        default="tag",
        show_default=True,
        help="Who counts as one: tag, template, owner, custody, country, or a CSV of pool,entity.",
    )
    @click.option("--from", "start", type=click.DateTime(["%Y-%m-%d"]), help="First day (UTC).")
    @click.option("--to", "end", type=click.DateTime(["%Y-%m-%d"]), help="Day after the last.")
    @settings_options
    @functools.wraps(command)
    def wrapper(
        *,
        settings: Settings,
        history: bool,
        window: Window | None,
        lens: str,
        start: datetime | None,
        end: datetime | None,
        **options: Any,
    ) -> None:
        times = [
            None if day is None else int(day.replace(tzinfo=UTC).timestamp())
            for day in (start, end)
        ]
        command(selection=Selection(settings, history, window, lens, times[0], times[1]), **options)

    return wrapper
