"""How often the shipped alert rules err in a year, and how soon they see a true change.

    python -m tests.support.alarm_rates --years 1000

prints the tables of docs/methods.md, and when the rules would have fired on the daily
counts that ship. A thousand years take some ten minutes on one core.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import numpy as np

from analyzers.history import load_history, with_own_names
from monitor.queries.tables import lens_named
from tests.analyzers.vectors import pool_mix
from tests.support.alarms import DAY, SPACING, Chain, Shares, alarms, episodes, mine, moved

STEP: Final = 300
"""Seconds between evaluations."""
UNSEEN: Final = float("inf")

TAGS: Final = {f"pool{i}": share for i, share in enumerate(pool_mix("tags"))} | {"unknown": 0.01}
FRIENDS: Final = {f"pool{i}": s for i, s in enumerate(pool_mix("friends"))} | {"unknown": 0.01}
MOST: Final = "pool0"
SECOND: Final = "pool1"


def wandering(shares: Shares, spread: float, seed: int) -> list[tuple[float, Shares]]:
    """Return a year of days whose shares wander around `shares`.

    Each log share is a stationary autoregressive series of standard deviation `spread` with
    a correlation of 0.9 from day to day.
    """
    rng = np.random.default_rng(seed)
    state = rng.standard_normal(len(shares)) * spread
    parts: list[tuple[float, Shares]] = []
    for _ in range(365):
        state = 0.9 * state + rng.standard_normal(len(shares)) * spread * (1 - 0.9**2) ** 0.5
        values = np.array(list(shares.values())) * np.exp(state)
        parts.append((1, dict(zip(shares, values / values.sum(), strict=True))))
    return parts


def quiet_years(label: str, mix: Shares, years: int, spread: float = 0.0) -> None:
    """Print in what part of years without a change each rule fires."""
    loud: Counter[str] = Counter()
    times: Counter[str] = Counter()
    for year in range(years):
        parts = wandering(mix, spread, 10_000 + year) if spread else [(365.0, mix)]
        found: dict[str, int] = defaultdict(int)
        for name, _, fires in alarms(mine(parts, year), 365, STEP):
            found[name] += episodes(fires, DAY // STEP)
        loud.update(name for name, often in found.items() if often)
        times.update(found)
    for name in sorted(times):
        if times[name]:
            print(f"| {label} | {name} | {loud[name] / years:.2%} | {times[name] / years:.3f} |")
    if not any(times.values()):
        print(f"| {label} | none fires | 0 | 0 |")


def changes(label: str, before: Shares, after: Shares, runs: int) -> None:
    """Print how many days after a change each rule fires, and how often within four weeks."""
    seen: dict[tuple[str, str], list[float]] = defaultdict(list)
    for run in range(runs):
        first: dict[tuple[str, str], float] = {}
        for name, entity, fires in alarms(mine([(14, before), (28, after)], 5000 + run), 42, STEP):
            later = fires[14 * DAY // STEP :]
            if later.any():
                first[name, entity] = float(later.argmax()) * STEP / DAY
        for key, delay in first.items():
            seen[key].append(delay)
    for (name, entity), delays in sorted(seen.items()):
        if len(delays) >= runs / 20:
            all_runs = [*delays, *[UNSEEN] * (runs - len(delays))]
            days = np.quantile(all_runs, (0.5, 0.9), method="higher")
            print(
                f"| {label} | {name} {entity} | {days[0]:.1f} | {days[1]:.1f} "
                f"| {len(delays) / runs:.0%} |"
            )


def history(lens: str) -> None:
    """Print when the rules would have fired on the counts that ship (order in a day drawn)."""
    seen_as = with_own_names(lens_named(lens))
    table = load_history().under(seen_as)
    rng = np.random.default_rng(0)
    names = (*table.entities, "unknown")
    counts = np.column_stack([table.counts, table.unattributed])
    start = int(table.start_time[0])
    times, miners = [], []
    for time, row in zip(table.start_time.tolist(), counts, strict=True):
        found = rng.permutation(np.repeat(np.arange(len(names)), row))
        miners.append(found)
        times.append(np.sort(rng.random(len(found))) * DAY + time - start)
    chain = Chain(names, np.concatenate(times), np.concatenate(miners))
    full = 15 * DAY // SPACING
    for name, entity, fires in alarms(chain, len(table), SPACING):
        places = np.flatnonzero(fires[full:]) + full
        for first in (p for i, p in enumerate(places) if i == 0 or p - places[i - 1] > DAY / 600):
            day = datetime.fromtimestamp(start + int(first) * SPACING, UTC)
            print(f"{lens}: {day:%Y-%m-%d} {name} {entity}")


def main() -> None:
    """Print all tables."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--years", type=int, default=1000)
    arguments.add_argument("--runs", type=int, default=400)
    given = arguments.parse_args()
    print("| a year without a change | rule | years with an alarm | alarms a year |")
    quiet_years("tags", TAGS, given.years)
    quiet_years("friends", FRIENDS, given.years)
    quiet_years("tags, wandering 5 %", TAGS, given.years // 4, 0.05)
    quiet_years("tags, wandering 10 %", TAGS, given.years // 4, 0.10)
    for share in (0.31, 0.32, 0.33):
        quiet_years(f"largest {share:.0%}", moved(TAGS, MOST, share), given.years // 4)
    print("| change | rule | days, median | days, 90 % | seen in 28 days |")
    quarter = moved(TAGS, SECOND, 0.25)
    pairs: Mapping[str, tuple[Shares, Shares]] = {
        "25 to 38 %": (quarter, moved(quarter, SECOND, 0.38)),
        "30 to 36 %": (TAGS, moved(TAGS, MOST, 0.36)),
        "30 to 38 %": (TAGS, moved(TAGS, MOST, 0.38)),
        "30 to 40 %": (TAGS, moved(TAGS, MOST, 0.40)),
        "30 to 55 %": (TAGS, moved(TAGS, MOST, 0.55)),
        "30 to 60 %": (TAGS, moved(TAGS, MOST, 0.60)),
        "17.5 to 25 %": (TAGS, moved(TAGS, SECOND, 0.25)),
        "17.5 to 8 %": (TAGS, moved(TAGS, SECOND, 0.08)),
        "unknown 1 to 6 %": (TAGS, moved(TAGS, "unknown", 0.06)),
        "unknown 1 to 3 %": (TAGS, moved(TAGS, "unknown", 0.03)),
    }
    for label, (before, after) in pairs.items():
        changes(label, before, after, given.runs)
    for lens in ("tag", "template"):
        history(lens)


if __name__ == "__main__":
    main()
