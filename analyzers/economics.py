"""What mining costs and earns: energy and cost per bitcoin, hashprice, break-even tariffs.

Block finding is the same lottery for all, so a bitcoin costs a miner what its own machines
and electricity need for the hashes behind it: that depends on difficulty, not on the size
of the miner. The trade's units are kept where everybody uses them, and are in the names:
joules per terahash and dollars per kilowatt-hour. `hashprice` and `energy_per_btc` are in
base units (bitcoin per hash, joules), fit for metrics. Dollars come from the caller: no
price is known here.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np

from analyzers.intervals import LEVEL, Interval
from hashing.params import TARGET_SPACING
from hashing.target import HASHES_PER_DIFFICULTY

TERA: Final = 1e12
PETA: Final = 1e15
DAY: Final = 86_400.0
"""Seconds a day."""
JOULES_PER_KWH: Final = 3.6e6
SATOSHI: Final = 100_000_000
"""Satoshi in a bitcoin."""
DRAWS: Final = 20_000
"""Monte Carlo draws: the ends of a 95 % interval are then stable to some tenths of a percent."""


class EconomicsError(ValueError):
    """Inputs that no miner can have: zero difficulty, a negative tariff, a fee above one."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the chain asks and pays: difficulty, subsidy (satoshi), and fees over subsidy.

    `spacing` is the time between blocks (seconds) that the chain aims at.

    Examples
    --------
    >>> round(Terms(148.26e12, 312_500_000, 0.0055).reward, 6)
    3.142188
    """

    difficulty: float
    subsidy: int
    fee_ratio: float = 0.0
    spacing: int = TARGET_SPACING

    def __post_init__(self) -> None:
        if not 0 < self.difficulty < math.inf:
            raise EconomicsError(f"difficulty must be above zero, not {self.difficulty}")
        if self.subsidy < 0 or not 0 <= self.fee_ratio < math.inf:
            raise EconomicsError("subsidy and fees cannot be negative")
        if not self.reward:
            raise EconomicsError("a block without subsidy pays nothing that fees are a ratio of")

    @classmethod
    def at_hash_rate(cls, hash_rate: float, subsidy: int, fee_ratio: float = 0.0) -> Terms:
        """Return the terms at the difficulty that suits a hash rate (H/s).

        Examples
        --------
        >>> round(Terms.at_hash_rate(950e18, 312_500_000).difficulty / 1e12, 2)
        132.71
        """
        return cls(hash_rate * TARGET_SPACING / HASHES_PER_DIFFICULTY, subsidy, fee_ratio)

    @property
    def reward(self) -> float:
        """Bitcoin that a block pays, subsidy and fees."""
        return self.subsidy / SATOSHI * (1 + self.fee_ratio)

    @property
    def hashes_per_btc(self) -> float:
        """Expected hashes behind one bitcoin."""
        return self.difficulty * HASHES_PER_DIFFICULTY / self.reward

    @property
    def hash_rate(self) -> float:
        """The hash rate (H/s) that finds a block in time at this difficulty."""
        return self.difficulty * HASHES_PER_DIFFICULTY / self.spacing


@dataclass(frozen=True, slots=True)
class Fleet:
    """What a miner has: machines, electricity, and everything else by ratio.

    `pue` is power at the meter over power of the machines; `opex` other running cost over
    the cost of electricity; `capital` dollars per TH/s of machines that last `life_days`;
    `pool_fee` the part of the reward that the pool keeps (0..1).
    """

    joules_per_terahash: float
    usd_per_kwh: float
    pue: float = 1.0
    opex: float = 0.0
    capital: float = 0.0
    life_days: float = 1460.0
    pool_fee: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.joules_per_terahash < math.inf:
            raise EconomicsError(f"efficiency must be above zero, not {self.joules_per_terahash}")
        if not 0 <= self.usd_per_kwh < math.inf:
            raise EconomicsError(f"a tariff cannot be negative: {self.usd_per_kwh}")
        if not 1 <= self.pue < math.inf:
            raise EconomicsError(f"PUE is 1 or more, not {self.pue}")
        if not 0 <= self.opex < math.inf or not 0 <= self.capital < math.inf:
            raise EconomicsError("other costs cannot be negative")
        if not 0 < self.life_days < math.inf:
            raise EconomicsError(f"machines last longer than {self.life_days} days")
        if not 0 <= self.pool_fee < 1:
            raise EconomicsError(f"a pool fee is within 0..1, not {self.pool_fee}")


class Cost(NamedTuple):
    """Dollars per bitcoin by part; the pool's fee is what the other parts grow by."""

    electricity: float
    running: float
    capital: float
    pool: float

    @property
    def total(self) -> float:
        """Dollars per bitcoin in all."""
        return math.fsum(self)


def energy_per_btc(terms: Terms, joules_per_terahash: float, pue: float = 1.0) -> float:
    """Return the joules behind one bitcoin; over `JOULES_PER_KWH` they are kilowatt-hours.

    Examples
    --------
    >>> round(energy_per_btc(Terms(148.26e12, 312_500_000), 20) / JOULES_PER_KWH)
    1132056
    """
    return terms.hashes_per_btc / TERA * joules_per_terahash * pue


def cost_per_btc(terms: Terms, fleet: Fleet) -> Cost:
    """Return what one bitcoin costs a fleet, by part (dollars).

    Examples
    --------
    >>> terms = Terms.at_hash_rate(950e18, 312_500_000, 0.01)
    >>> fleet = Fleet(20, 0.07, pue=1.05, capital=15, life_days=1460, pool_fee=0.02)
    >>> round(cost_per_btc(terms, fleet).total, 2)
    97160.54
    """
    return Cost(*_parts(_fields(terms, fleet)))


def _fields(terms: Terms, fleet: Fleet) -> dict[str, Any]:
    return dataclasses.asdict(terms) | dataclasses.asdict(fleet)


def _parts(values: Mapping[str, Any]) -> tuple[Any, Any, Any, Any]:
    """Return the parts of a `Cost`; values are numbers, or arrays of draws."""
    reward = values["subsidy"] / SATOSHI * (1 + values["fee_ratio"])
    terahashes = values["difficulty"] * HASHES_PER_DIFFICULTY / TERA / reward
    joules = terahashes * values["joules_per_terahash"] * values["pue"]
    electricity = joules / JOULES_PER_KWH * values["usd_per_kwh"]
    running = electricity * values["opex"]
    capital = terahashes / (values["life_days"] * DAY) * values["capital"]
    own = electricity + running + capital
    return electricity, running, capital, own / (1 - values["pool_fee"]) - own


def hashprice(terms: Terms) -> float:
    """Return the bitcoin expected per hash, which is bitcoin per H/s per second.

    Times `PETA` * `DAY` it is the trade's BTC/PH/day. Source: Luxor, hashprice; fees are the
    mean of the last 144 blocks there.

    Examples
    --------
    >>> round(hashprice(Terms(148.26e12, 312_500_000, 0.0055)) * PETA * DAY, 8)
    0.00042634
    """
    return 1 / terms.hashes_per_btc


def hashprice_usd(terms: Terms, price: float) -> float:
    """Return hashprice in dollars per PH/s per day at a `price` in dollars per bitcoin.

    Examples
    --------
    >>> round(hashprice_usd(Terms(20.08e12, 625_000_000, 0.0107), 60_028) / 1000, 5)
    0.37987
    """
    return hashprice(terms) * PETA * DAY * price


def break_even_tariff(usd_per_ph_day: float, joules_per_terahash: float, pue: float = 1.0) -> float:
    """Return the tariff (dollars per kWh) at which electricity takes the whole hashprice.

    1 PH/s at e J/TH draws e kW.

    Examples
    --------
    >>> round(break_even_tariff(30, 21.5), 4), round(break_even_tariff(30, 17.5), 4)
    (0.0581, 0.0714)
    """
    return usd_per_ph_day / (24 * joules_per_terahash * pue)


def revenue_per_mwh(usd_per_ph_day: float, joules_per_terahash: float) -> float:
    """Return the dollars that a megawatt-hour earns in machines of this efficiency.

    Examples
    --------
    >>> round(revenue_per_mwh(39.53, 22), 1)
    74.9
    """
    return 1000 * break_even_tariff(usd_per_ph_day, joules_per_terahash)


def tariff_for_cost(terms: Terms, fleet: Fleet, usd_per_btc: float) -> float:
    """Return the tariff at which a bitcoin costs the fleet `usd_per_btc`, all else equal.

    Negative where the rest alone costs more.

    Examples
    --------
    >>> round(tariff_for_cost(Terms.at_hash_rate(1000e18, 312_500_000), Fleet(20, 0), 1e5), 4)
    0.0938
    """
    free = cost_per_btc(terms, dataclasses.replace(fleet, usd_per_kwh=0.0)).total
    unit = cost_per_btc(terms, dataclasses.replace(fleet, usd_per_kwh=1.0)).total - free
    return (usd_per_btc - free) / unit


def efficiency_for_cost(terms: Terms, fleet: Fleet, usd_per_btc: float) -> float:
    """Return the joules per terahash at which a bitcoin costs the fleet `usd_per_btc`.

    Examples
    --------
    >>> terms = Terms.at_hash_rate(1050e18, 312_500_000)
    >>> round(efficiency_for_cost(terms, Fleet(20, 0.14), 1e5), 1)
    12.8
    """
    if not fleet.usd_per_kwh:
        return math.inf
    one = cost_per_btc(terms, dataclasses.replace(fleet, joules_per_terahash=1.0))
    fixed = one.capital / (1 - fleet.pool_fee)
    return (usd_per_btc - fixed) / (one.total - fixed)


@dataclass(frozen=True, slots=True)
class Spread:
    """An uncertain input: triangular between `low` and `high` with its peak at `mode`."""

    low: float
    mode: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.mode <= self.high:
            raise EconomicsError(f"a spread runs from low to high: {self.low}, {self.high}")

    @classmethod
    def exact(cls, value: float) -> Spread:
        """Return the spread of an input that is known."""
        return cls(value, value, value)


class Effect(NamedTuple):
    """What one input does by itself: the result at its low and at its high end."""

    name: str
    low: float
    high: float
    at_low: float
    at_high: float


def _placed(terms: Terms, fleet: Fleet, values: Mapping[str, float]) -> tuple[Terms, Fleet]:
    """Return terms and fleet with the fields that `values` name replaced."""
    own = {field.name for field in dataclasses.fields(Terms)}
    known = own | {field.name for field in dataclasses.fields(Fleet)}
    if unknown := sorted(set(values) - known):
        raise EconomicsError(f"{unknown[0]!r} is no input; there are {', '.join(sorted(known))}")
    chain: dict[str, Any] = {name: value for name, value in values.items() if name in own}
    rest = {name: value for name, value in values.items() if name not in own}
    return dataclasses.replace(terms, **chain), dataclasses.replace(fleet, **rest)


def sensitivity(terms: Terms, fleet: Fleet, spreads: Mapping[str, Spread]) -> list[Effect]:
    """Return what each uncertain input does to the cost per bitcoin, the strongest first.

    `spreads` are by the field names of `Terms` and `Fleet`; all else stays at the mode.
    Inputs that are exact are left out.

    Examples
    --------
    >>> terms, fleet = Terms.at_hash_rate(1000e18, 312_500_000), Fleet(20, 0.1)
    >>> [(e.name, round(e.at_low), round(e.at_high))
    ...  for e in sensitivity(terms, fleet, {"usd_per_kwh": Spread(0.05, 0.1, 0.14)})]
    [('usd_per_kwh', 53333, 149333)]
    """
    modes = {name: spread.mode for name, spread in spreads.items()}
    effects = []
    for name, spread in spreads.items():
        if spread.low == spread.high:
            continue
        ends = [
            cost_per_btc(*_placed(terms, fleet, {**modes, name: value})).total
            for value in (spread.low, spread.high)
        ]
        effects.append(Effect(name, spread.low, spread.high, ends[0], ends[1]))
    return sorted(effects, key=lambda effect: -abs(effect.at_high - effect.at_low))


class Simulated(NamedTuple):
    """Cost per bitcoin over the uncertain inputs: median, interval, and who is above what."""

    median: float
    interval: Interval
    probability_above: float


def simulate_cost(
    terms: Terms,
    fleet: Fleet,
    spreads: Mapping[str, Spread],
    *,
    threshold: float = math.inf,
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
) -> Simulated:
    """Return the cost per bitcoin over independent triangular inputs, by Monte Carlo.

    `probability_above` is that of a cost above `threshold`. It is as good as the spreads:
    they say how far inputs may be off, not how miners are distributed.

    Examples
    --------
    >>> terms, fleet = Terms.at_hash_rate(1000e18, 312_500_000), Fleet(20, 0.1)
    >>> found = simulate_cost(terms, fleet, {"joules_per_terahash": Spread(15, 20, 30)})
    >>> [round(end, -3) for end in found.interval]
    [87000.0, 150000.0]
    """
    for end in ("low", "high"):
        _placed(terms, fleet, {name: getattr(spread, end) for name, spread in spreads.items()})
    values = _fields(*_placed(terms, fleet, {name: s.mode for name, s in spreads.items()}))
    rng = np.random.default_rng(seed)
    for name, spread in sorted(spreads.items()):
        if spread.low < spread.high:
            values[name] = rng.triangular(spread.low, spread.mode, spread.high, draws)
    costs = np.atleast_1d(sum(_parts(values)))
    tail = (1 - level) / 2
    low, median, high = np.quantile(costs, (tail, 0.5, 1 - tail)).tolist()
    return Simulated(median, Interval(low, high), float(np.mean(costs > threshold)))
