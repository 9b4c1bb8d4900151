"""Which blocks to look at: those of a table, of the store, or of the history that ships."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from analyzers.differences import homogeneity
from analyzers.mined import Chain, EntityOf, by_tag
from analyzers.registry import Registry
from analyzers.registry.lenses import NO_ROW, PLAIN_SIGHT, Lens, Marks, Sight, look
from analyzers.registry.lenskind import LensKind
from analyzers.registry.values import names_nobody
from analyzers.summary import Summary
from analyzers.windows import CountTable, Window, between, latest, partition, tally
from monitor.config import Settings
from monitor.errors import QuestionError, StoreEmpty, StoreError
from monitor.queries.dates import check_span, moment_of
from monitor.queries.reading import reading_store
from monitor.queries.tables import entity_named, kind_of, lens_named, slug_finder
from monitor.queries.telling import Tell, registry_told, warn
from monitor.store.base import BlockStore

DAY: Final = 86_400
NEEDS_NONE: Final = " (--history needs no store)"
"""What an error about the store adds where there is another way."""
MOST_UNATTRIBUTED: Final = 1_000_000
"""Blocks of nobody known that can be counted as miners of their own, one by one."""


class Last(NamedTuple):
    """The last window: blocks per entity, those of nobody known, and where it begins.

    `homogeneity` is the p-value that both halves of it come from the same shares, `sight` what
    the rows of the lens did to the blocks.
    """

    counts: dict[str, int]
    unattributed: int
    first_height: int
    start_time: int
    window: Window
    homogeneity: float
    sight: Sight = PLAIN_SIGHT


@dataclass(frozen=True, slots=True)
class Counted:
    """Blocks per entity and of nobody known, and where they come from.

    Window, lens, `start_time` (Unix) and `first_height` are None for a table.
    """

    counts: Mapping[str, int]
    unattributed: int
    source: str
    window: Window | None = None
    lens: str | None = None
    start_time: int | None = None
    first_height: int | None = None
    sight: Sight = PLAIN_SIGHT


def given(counts: Mapping[str, int]) -> Counted:
    """Return a table that the user gave; a row such as ``Unknown`` is of nobody known.

    Raises
    ------
    QuestionError
        If there are more blocks of nobody known than can be counted one by one.
    """
    known = {name: blocks for name, blocks in counts.items() if not names_nobody(name)}
    nobody = sum(counts.values()) - sum(known.values())
    if nobody > MOST_UNATTRIBUTED:
        raise QuestionError(
            f"{nobody} blocks of nobody known: each would be a miner of its own, and more than "
            f"{MOST_UNATTRIBUTED} cannot be counted so; leave the row out, or give blocks"
        )
    return Counted(known, nobody, "counts given")


def counted(selection: Selection, last: Last | None = None) -> Counted:
    """Return the last window of a selection, or `last` if that was read before."""
    last = last or selection.last()
    return Counted(
        last.counts,
        last.unattributed,
        selection.source,
        last.window,
        selection.lens,
        last.start_time,
        last.first_height,
        last.sight,
    )


@dataclass(frozen=True, slots=True)
class Selection:
    """What part of which chain to look at."""

    settings: Settings
    history: bool = False
    window: Window | None = None
    lens: str = "tag"
    start: int | None = None
    end: int | None = None
    tell: Tell = warn

    def __post_init__(self) -> None:
        check_span(self.start, self.end)

    @property
    def source(self) -> str:
        """Who says which pool mined a block."""
        from analyzers.history import SOURCE

        if self.history:
            return SOURCE
        with _store(self.settings, self.tell) as store:
            name = f"{store.synthetic} chain, blocks of the store".removeprefix(" chain, ")
            registries = len(store.registries())
        return name if registries < 2 else f"{name} under {registries} registries"

    @property
    def span(self) -> str:
        """The dates asked for, for people."""
        ends = ["" if time is None else moment_of(time) for time in (self.start, self.end)]
        return f"{ends[0] or 'the beginning'} to {ends[1] or 'the end'}"

    def table(self, of_history: str = "7d", of_store: str = "1008") -> tuple[CountTable, Window]:
        """Return blocks per entity in windows that do not overlap, and the window used.

        Parameters
        ----------
        of_history, of_store:
            Windows to use where none is asked for.

        Raises
        ------
        QuestionError
            If the window does not fit the source, or no whole window is there.
        StoreError
            If the store cannot be read.
        """
        window = self.window or Window.parse(of_history if self.history else of_store)
        if self.history:
            lens = self.history_lens
            table = self._history(lens, window)
            marks = self._history(Marks(lens), window)
        else:
            chain = self._chain()
            lens = self._lens(chain.pools)
            table = partition(chain, window, lens, start=self.start, end=self.end)
            marks = partition(chain, window, Marks(lens), start=self.start, end=self.end)
        if not len(table):
            raise self._nothing(f"no whole window of {window}")
        if not lens.kind.is_control:
            self.tell(f"lens {self.lens} is one of {lens.kind.value}. {lens.kind.why_withheld}")
        return self._with_rows(table, marks), window

    def _with_rows(self, table: CountTable, marks: CountTable) -> CountTable:
        """Return the windows from the first to the last that a row of the lens applies to.

        Others would be what the lens ``tag`` shows, under another name: that is told.
        """
        applies = marks.counts.sum(axis=1).nonzero()[0]
        if not applies.size:
            raise QuestionError(self._no_row)
        kept = table.part(slice(int(applies[0]), int(applies[-1]) + 1))
        if len(kept) < len(table):
            self.tell(
                f"lens {self.lens}: {len(table) - len(kept)} of {len(table)} windows are left out: "
                "its rows begin after or end before them"
            )
        return kept

    @property
    def _no_row(self) -> str:
        return f"lens {self.lens}: {NO_ROW}; they are as the lens tag shows them"

    def _nothing(self, what: str) -> QuestionError:
        """Return the error that `what` is not there, with what is."""
        if self.history:
            from analyzers.history import load_history

            days = load_history()
            low, high = int(days.start_time[0]), int(days.start_time[-1]) + DAY
            held = f"the history goes from {moment_of(low)} to {moment_of(high)}"
        else:
            chain = self._chain()
            low, high = int(chain.time.min()), int(chain.time.max())
            held = f"the store goes from {moment_of(low)} to {moment_of(high)}"
        return QuestionError(f"{what} from {self.span}: {held}; try a smaller --window")

    def rolling(self, step: Window) -> tuple[CountTable, Window]:
        """Return blocks per entity in windows that begin every `step`, and the window used.

        Raises
        ------
        QuestionError
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
            raise QuestionError(f"a window of {window} is no multiple of a step of {step}")
        table = parts.rolling(whole // part)
        if not len(table):
            raise self._nothing(f"no whole window of {window}")
        return table, window

    def last(self, of_history: str = "30d", of_store: str = "2016") -> Last:
        """Return the last window; in the store it ends with the last block, as the agent's do.

        It may be shorter than asked for where the store does not hold as much. Raises as
        `table` does.
        """
        window = self.window or Window.parse(of_history if self.history else of_store)
        if self.history:
            lens = self.history_lens
            days = self._days(lens, window)
            table = days.merged(len(days))
            plain = self._days(by_tag, window)
            starts = zip(plain.first_height.tolist(), plain.start_time.tolist(), strict=True)
            sight = look(
                lens,
                (
                    (pool, height, time, blocks)
                    for (height, time), row in zip(starts, plain.rows(), strict=True)
                    for pool, blocks in row.items()
                ),
            )
            self._check(sight)
            first, second = (days.part(part).total() for part in halves(len(days)))
            return Last(
                table.row(-1),
                int(table.unattributed[-1]),
                int(table.first_height[-1]),
                int(table.start_time[-1]),
                window,
                homogeneity(first, second),
                sight,
            )
        whole = window.blocks is None or self.start is not None or self.end is not None
        chain = self._chain(None if whole else window.blocks)
        lens = self._lens(chain.pools)
        mined = latest(between(chain, self.start, self.end), window)
        if not mined:
            raise self._nothing("no block")
        sight = look(lens, ((block.pool, block.height, block.time, 1) for block in mined))
        self._check(sight)
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
            sight,
        )

    def _check(self, sight: Sight) -> None:
        """Raise `QuestionError` where the lens says nothing of the blocks."""
        if not sight.applies:
            raise QuestionError(self._no_row)

    @property
    def kind(self) -> LensKind:
        """The kind of the lens: what may be said of its entities.

        Raises `QuestionError` if there is no such lens.
        """
        return kind_of(self.lens)

    def _days(self, lens: EntityOf, window: Window) -> CountTable:
        """Return the days of the last window of the history."""
        days = self._history(lens, Window(seconds=DAY))
        span = self._span(window)
        if len(days) < span:
            raise self._nothing(f"no whole window of {window}")
        return days.part(slice(len(days) - span, None))

    @staticmethod
    def _span(window: Window) -> int:
        if window.seconds is None or window.seconds % DAY:
            raise QuestionError("the history that ships counts days: give --window 7d or so")
        return window.seconds // DAY

    @property
    def history_lens(self) -> Lens:
        """The lens for the pools of the history that ships."""
        from analyzers.history import load_history, with_own_names

        return self._lens(load_history().under(with_own_names(by_tag)).entities)

    def _history(self, lens: EntityOf, window: Window) -> CountTable:
        from analyzers.history import load_history, with_own_names

        span = self._span(window)
        # a day lies within the span if it ends there, too
        last = None if self.end is None else self.end - DAY + 1
        seen = load_history().between(self.start, last).under(with_own_names(lens))
        return seen.merged(span)

    def _chain(self, last: int | None = None) -> Chain:
        """Return all blocks of the store, or the `last` ones: a store may hold a million.

        Where a span was asked for that reaches beyond them, that is said.
        """
        with _store(self.settings, self.tell) as store:
            tip = store.tip()
            begin = tip.height - last + 1 if tip and last else 0
            chain = store.chain(max(0, begin))
        if not len(chain):
            raise StoreEmpty(NEEDS_NONE)
        low, high = int(chain.time.min()), int(chain.time.max())
        if self.start is not None and self.start < low:
            self.tell(f"the store begins at {moment_of(low)}, after --from {moment_of(self.start)}")
        if self.end is not None and self.end > high + 1:
            self.tell(f"the store ends at {moment_of(high)}, before --to {moment_of(self.end)}")
        return chain

    def _lens(self, pools: Collection[str]) -> Lens:
        """Return the lens for a chain of `pools`; what of its file is nobody's is said."""
        return lens_named(self.lens, pools, self.registry, self.tell)

    def entities(self, names: Iterable[str], summary: Summary) -> frozenset[str]:
        """Return the entities of `summary` that `names` mean, by whatever name.

        Raises
        ------
        QuestionError
            If one of them found no block: a misspelt name would make a group too small.
        """
        entities = [share.entity for share in summary.shares]
        found = {}
        for name in names:
            entity = entity_named(name.strip(), entities, slug_finder(entities, self.registry))
            if entity is None:
                raise QuestionError(f"{name.strip()!r} found no block here")
            found[entity] = name
        return frozenset(found)

    @property
    def registry(self) -> Registry:
        """The registry that names the pools."""
        return registry_told(None if self.history else self.settings.registry, self.tell)


@contextmanager
def _store(settings: Settings, tell: Tell) -> Iterator[BlockStore]:
    """Open the store to read; what goes wrong names the way that needs none."""
    try:
        with reading_store(settings, tell) as store:
            yield store
    except StoreError as error:
        raise StoreError(f"{error}{NEEDS_NONE}") from None


def halves(length: int) -> tuple[slice, slice]:
    """Return the two halves of a sequence of `length`."""
    return slice(0, length // 2), slice(length // 2, length)
