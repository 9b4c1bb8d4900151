"""Simulated chains, and what the shipped alert rules make of them, without Prometheus.

A chain is blocks with times and miners; an agent's metrics over it are computed by the code
that the agent uses, and the rules are evaluated as Prometheus does: at fixed times, firing
once the condition has held at every evaluation for the rule's ``for``. The same chains go
through promtool in tests/dashboards, which must agree to the evaluation.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analyzers.intervals import any_exceeds, share_exceeds
from analyzers.summary import HALF, THIRD

RULES: Final = Path(__file__).parents[2] / "dashboards" / "prometheus"
UNKNOWN: Final = "unknown"
WEEK: Final = 1008
"""Blocks in the window that the rules look at."""
WARM: Final = 3 * WEEK
"""Blocks mined before time 0, so that every window is full."""
DAY: Final = 86_400
SPACING: Final = 600

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Shares = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that ships: the level that its figure must exceed, and for how long (seconds)."""

    name: str
    level: float
    hold: int


@functools.cache
def rule(name: str) -> Rule:
    """Return level and ``for`` of the alert `name`, from the file that ships."""
    text = (RULES / "alerts.yml").read_text("utf-8")
    body = text.split(f"- alert: {name}\n", 1)[1].split("- alert:", 1)[0]
    level = re.search(r"> ([\d.]+)", body)
    hold = re.search(r"for: (\d+)([mhd])", body)
    assert level
    assert hold
    return Rule(name, float(level[1]), int(hold[1]) * {"m": 60, "h": 3600, "d": DAY}[hold[2]])


@dataclass(frozen=True, slots=True)
class Chain:
    """Blocks in order: `times` in seconds (0 is where looking begins), `miners` index `names`."""

    names: tuple[str, ...]
    times: Floats
    miners: Ints

    def under(self, groups: Mapping[str, str]) -> Chain:
        """Return the chain as a lens sees it that renames pools by `groups`."""
        seen = [groups.get(name, name) for name in self.names]
        names = tuple(dict.fromkeys(seen))
        place = np.array([names.index(name) for name in seen])
        return Chain(names, self.times, place[self.miners])

    def rolling(self, size: int = WEEK) -> Ints:
        """Return blocks per entity (row) in the window of `size` that ends with each block."""
        found = np.zeros((len(self.names), len(self.times)), np.int64)
        for index, row in enumerate(found):
            total = np.concatenate([[0], np.cumsum(self.miners == index)])
            row[size - 1 :] = total[size:] - total[:-size]
        return found

    def at(self, moments: Floats) -> Ints:
        """Return the index of the last block before each moment."""
        index: Ints = np.searchsorted(self.times, moments, side="right") - 1
        return index


def mine(parts: Sequence[tuple[float, Shares]], seed: int) -> Chain:
    """Return a chain of parts, each so many days with its own shares of the hash rate.

    Blocks come every ten minutes in the mean; the first part's shares mined the `WARM` before.
    """
    rng = np.random.default_rng(seed)
    names = tuple(dict.fromkeys(name for _, shares in parts for name in shares))
    end = sum(days for days, _ in parts) * DAY
    count = WARM + int(end / SPACING + 6 * (end / SPACING) ** 0.5) + 10
    times = np.cumsum(rng.exponential(SPACING, count))
    times -= times[WARM - 1]
    edges = np.cumsum([days for days, _ in parts])[:-1] * DAY
    miners = np.empty(count, np.int64)
    for index, (_, shares) in enumerate(parts):
        mine_here = np.searchsorted(edges, times, side="right") == index
        chances = np.array([shares.get(name, 0.0) for name in names])
        miners[mine_here] = rng.choice(len(names), int(mine_here.sum()), p=chances / chances.sum())
    return Chain(names, times, miners)


def moved(shares: Shares, name: str, share: float) -> dict[str, float]:
    """Return `shares` with that of `name` set to `share`, the others in proportion."""
    rest = (1 - share) / (sum(shares.values()) - shares.get(name, 0.0))
    return {other: part * rest for other, part in shares.items()} | {name: share}


@functools.lru_cache(maxsize=100_000)
def _any_exceeds(counts: tuple[int, ...], threshold: Fraction) -> float:
    return any_exceeds(counts, threshold, WEEK)


@functools.cache
def _chances(threshold: Fraction) -> Floats:
    """Return P(share > threshold) for each number of blocks found in a week."""
    return share_exceeds(np.arange(WEEK + 1), WEEK, float(threshold))


def any_above(chain: Chain, threshold: Fraction, least: float = 0.0) -> Floats:
    """Return the agent's ``any_above_probability_reading_ratio`` after each block.

    Where the sum over entities, which is above it, does not reach `least`, that sum is given.
    """
    named = [i for i, name in enumerate(chain.names) if name != UNKNOWN]
    found = -np.sort(-chain.rolling()[named], axis=0)
    chances = _chances(threshold)[found]
    probability: Floats = np.minimum(chances.sum(axis=0), 1.0)
    for block in np.flatnonzero(probability >= least):
        counts = tuple(found[:, block][chances[:, block] > 1e-9].tolist())
        probability[block] = _any_exceeds(counts or (int(found[0, block]),), threshold)
    return probability


def week_change(chain: Chain, moments: Floats) -> Floats:
    """Return ``poolscope:week_share_change_sigmas`` per entity (row); NaN where it has none."""
    found = chain.rolling() / WEEK
    now, before = found[:, chain.at(moments)], found[:, chain.at(moments - 7 * DAY)]
    with np.errstate(invalid="ignore", divide="ignore"):
        change: Floats = (now - before) / np.sqrt((now * (1 - now) + before * (1 - before)) / WEEK)
    exported = (now > 0) | (np.array(chain.names) == UNKNOWN)[:, None]
    change[~exported | (moments < 7 * DAY)] = np.nan
    return change


def firing(condition: Flags, step: float, hold: float) -> Flags:
    """Return when an alert fires whose condition was looked at every `step` seconds."""
    places = np.arange(len(condition))
    broken = np.maximum.accumulate(np.where(condition, -1, places))
    fires: Flags = condition & ((places - broken - 1) * step >= hold)
    return fires


def alarms(chain: Chain, days: float, step: float) -> Iterator[tuple[str, str, Flags]]:
    """Yield alert, entity (empty for rules about any) and when it fires, of all that fire."""
    moments = np.arange(0, days * DAY, step)
    blocks = chain.at(moments)
    for name, threshold in (
        ("PoolscopeProbablyAboveThird", THIRD),
        ("PoolscopeProbablyAboveHalf", HALF),
    ):
        wanted = rule(name)
        above = any_above(chain, threshold, wanted.level) > wanted.level
        if above.any():
            yield name, "", firing(above[blocks], step, wanted.hold)
    change = week_change(chain, moments)
    for entity, row in zip(chain.names, change, strict=True):
        if entity == UNKNOWN:
            wanted, high = rule("PoolscopeUnknownShareRising"), row
        else:
            wanted, high = rule("PoolscopePoolShareChanged"), np.abs(row)
        far = high > wanted.level
        if far.any():
            yield wanted.name, entity, firing(far, step, wanted.hold)


def episodes(fires: Flags, gap: int) -> int:
    """Return how often an alert began to fire; silences of up to `gap` evaluations are passed."""
    places = np.flatnonzero(fires)
    return int(places.size and 1 + (np.diff(places) > gap).sum())
