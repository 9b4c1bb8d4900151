"""Is concentration rising? A trend test that neither wander nor sampling noise fools.

Concentration wanders slowly, so neighbouring windows are alike and the plain Mann-Kendall
test sees trends in noise: at a lag-1 correlation of 0.6 it errs on a third of all series
instead of a twentieth. Sampling noise on top hides the correlation from tests that estimate it
from the figures, all the more the shorter the windows. Its size is known, so it is taken off
(`analyzers.wander`). Windows must not overlap.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from analyzers.intervals import JEFFREYS, LEVEL, UNKNOWN, Interval
from analyzers.series import series
from analyzers.wander import slopes
from analyzers.windows import CountTable

Floats = NDArray[np.float64]

MINIMUM: Final = 10
"""Fewer values than this give no verdict: wander cannot be seen in them."""

ENOUGH: Final = 48
"""Windows are made longer for as long as this many are left."""

UNTIMED: Final = 2.0
"""Years that a series without times is taken to span."""

YEAR: Final = 365.2425 * 86_400
"""Seconds a year."""


class MannKendall(NamedTuple):
    """The statistic S with its variance, the normal score, two-sided p-value and tau."""

    s: int
    variance: float
    z: float
    p: float
    tau: float


def mann_kendall(values: ArrayLike) -> MannKendall:
    """Return the Mann-Kendall test for a monotone trend, with the correction for ties.

    It takes the values as independent; use `trend` for anything measured over time. `tau`
    is S over all pairs. NaN below two values. Source: Mann 1945; Kendall 1975.

    Examples
    --------
    >>> test = mann_kendall([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8])
    >>> test.s, test.variance, round(test.z, 6), round(test.p, 6)
    (25, 207.0, 1.668115, 0.095293)
    """
    x = np.asarray(values, dtype=np.float64)
    n = len(x)
    if n < 2:
        return MannKendall(0, math.nan, math.nan, math.nan, math.nan)
    s = int(np.sign(np.subtract.outer(x, x)).astype(np.int64)[np.tril_indices(n, -1)].sum())
    ties = np.unique(x, return_counts=True)[1]
    lost = int((ties * (ties - 1) * (2 * ties + 5)).sum())
    variance = (n * (n - 1) * (2 * n + 5) - lost) / 18
    z = (s - math.copysign(1, s)) / math.sqrt(variance) if s and variance else 0.0
    return MannKendall(s, variance, z, 2 * float(ndtr(-abs(z))), s / (n * (n - 1) / 2))


class Slope(NamedTuple):
    """Theil-Sen slope (unit of the values per unit of time) with its interval."""

    value: float
    interval: Interval


def theil_sen(
    values: ArrayLike, times: ArrayLike | None = None, level: float = LEVEL, spread: float = 1.0
) -> Slope:
    """Return the median of the slopes between all pairs of points.

    The interval is Sen's (1968, doi:10.1080/01621459.1968.10480934), from the variance of
    Kendall's S times `spread`, which is 1 for independent values. `times` count 0, 1, 2 ...
    if not given. NaN below two points.

    Examples
    --------
    >>> slope = theil_sen([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8])
    >>> [round(figure, 6) for figure in (slope.value, *slope.interval)]
    [0.366667, 0.0, 0.8]
    """
    y = np.asarray(values, dtype=np.float64)
    t = np.arange(len(y), dtype=np.float64) if times is None else np.asarray(times, float)
    later, earlier = np.tril_indices(len(y), -1)
    span = t[later] - t[earlier]
    slopes = np.sort((y[later] - y[earlier])[span != 0] / span[span != 0])
    if not slopes.size:
        return Slope(math.nan, UNKNOWN)
    reach = float(ndtri((1 + level) / 2)) * math.sqrt(mann_kendall(y).variance * spread)
    last = len(slopes) - 1
    low = max(0, round((len(slopes) - reach) / 2) - 1)
    high = min(last, round((len(slopes) + reach) / 2))
    return Slope(float(np.median(slopes)), Interval(float(slopes[low]), float(slopes[high])))


def lag_one(values: ArrayLike, variances: ArrayLike = 0.0) -> float:
    """Return the lag-1 autocorrelation around the Theil-Sen line (-0.99..0.99).

    `variances` are those of known errors of the values. They are taken off: white noise lies in
    the variance and not in the covariance, so that left in it hides correlation. A trend left in
    would look like autocorrelation and hide itself. The estimate r around a
    fitted line is too small; (n r + 2)/(n - 4) corrects that (van Giezen and Bras 1999; see
    Bayazit and Onoz 2007, doi:10.1623/hysj.52.4.611). 0 for short or exactly linear series, and
    where errors alone explain the variance.

    Examples
    --------
    >>> lag_one([1, 1, 1, 1, 1, 1]), lag_one([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8]) < 0
    (0.0, True)
    """
    x = np.asarray(values, dtype=np.float64)
    n = len(x)
    if n <= 4:
        return 0.0
    residual = x - theil_sen(x).value * np.arange(n)
    residual -= residual.mean()
    power = float((residual**2).sum())
    power -= float(np.broadcast_to(np.asarray(variances, dtype=np.float64), n).sum())
    if power <= n * (1e-12 * float(np.abs(x).max())) ** 2:
        return 0.0
    plain = float((residual[1:] * residual[:-1]).sum()) / power
    return min(0.99, max(-0.99, (n * plain + 2) / (n - 4)))


Direction = Literal["rising", "falling", "none", "unknown"]


@dataclass(frozen=True, slots=True)
class Trend:
    """What a series of non-overlapping windows says about its direction.

    `slope` is per window, or per unit of the times given, with the interval of the level asked
    for. `z` and the two-sided `p` are of the slope; `p_naive` is what the plain Mann-Kendall
    test says, for comparison with what others publish. `autocorrelation` is that of
    neighbouring windows with known errors taken off. `longer` are the trends of the same blocks
    in longer windows, each of twice the length before.
    """

    n: int
    slope: Slope
    z: float
    p: float
    p_naive: float
    autocorrelation: float
    longer: tuple[Trend, ...] = ()

    def direction(self, alpha: float = 0.05) -> Direction:
        """Return the verdict: a direction where `p` is below `alpha` in windows of every length.

        A verdict that turned with the length of the window would be one on the window.
        """
        if math.isnan(self.p):
            return "unknown"
        if self.p >= alpha or any(found.direction(alpha) != self._way for found in self.longer):
            return "none"
        return self._way

    @property
    def _way(self) -> Direction:
        return "rising" if self.z > 0 else "falling"


_NOTHING: Final = Trend(0, Slope(math.nan, UNKNOWN), math.nan, math.nan, math.nan, math.nan)


def trend(
    values: ArrayLike,
    times: ArrayLike | None = None,
    level: float = LEVEL,
    variances: ArrayLike = 0.0,
) -> Trend:
    """Test a series for a trend against wander around a level that does not move.

    The model is that of `analyzers.wander`; below `MINIMUM` values there is no verdict. How often
    it errs where there is no trend, and what trends it finds, is in ``docs/methods.md``.

    Parameters
    ----------
    values:
        Figures of windows that do not overlap; NaN values (empty windows) are left out.
    times:
        When the windows begin, in years and in order. If not given they count 0, 1, 2 ..., and
        the series is taken to be short (`UNTIMED`).
    variances:
        Known variances of the figures' errors by sampling: with block counts give them. Errors
        that are left in are taken for quick wander, which hides the slow one.

    Examples
    --------
    >>> result = trend([0.10, 0.13, 0.11, 0.14, 0.16, 0.15, 0.18, 0.17, 0.20, 0.22, 0.21, 0.24])
    >>> result.direction(), round(result.slope.value, 3)
    ('rising', 0.012)
    """
    y = np.asarray(values, dtype=np.float64)
    t = np.arange(len(y), dtype=np.float64) if times is None else np.asarray(times, float)
    error = np.broadcast_to(np.asarray(variances, dtype=np.float64), y.shape)
    known = np.isfinite(y) & np.isfinite(error)
    y, t, error = y[known], t[known], error[known]
    if len(y) < MINIMUM or np.median(np.diff(t)) <= 0:
        return replace(_NOTHING, n=len(y))
    naive, r = mann_kendall(y).p, lag_one(y, error)
    years = float(t[-1] - t[0]) if times is not None else UNTIMED
    found = slopes(y, t, error, years)
    if found is None:
        steady = theil_sen(y, t).value
        straight = Slope(steady, Interval(steady, steady))
        z = math.copysign(math.inf, steady) if steady else 0.0
        return Trend(len(y), straight, z, float(steady == 0), naive, r)
    down = found.below(0.0)
    p = min(1.0, 2 * min(down, 1 - down))
    slope = Slope(found.quantile(0.5), found.interval(level))
    return Trend(len(y), slope, -float(ndtri(down)), p, naive, r)


Figure = Callable[[CountTable], tuple[Floats, Floats]]
"""Returns a figure of each window, and the variance of its error by sampling."""


def hhi_figure(table: CountTable) -> tuple[Floats, Floats]:
    """Return HHI (ratio, unbiased) of each window with its variance; NaN where undefined.

    Examples
    --------
    >>> from analyzers.windows import table_of
    >>> hhi, variance = hhi_figure(table_of([{"a": 8, "b": 3}], [1], [0], [0]))
    >>> hhi.round(3).tolist(), variance.round(4).tolist()
    ([0.47], [0.0154])
    """
    found = series(table)
    return found.hhi, found.hhi_sd**2


def effective_figure(table: CountTable) -> tuple[Floats, Floats]:
    """Return the effective number 1/HHI of each window with its variance (delta method).

    Examples
    --------
    >>> from analyzers.windows import table_of
    >>> number, variance = effective_figure(table_of([{"a": 8, "b": 3}], [1], [0], [0]))
    >>> number.round(3).tolist(), variance.round(3).tolist()
    ([2.129], [0.317])
    """
    found = series(table)
    return found.effective_number, (found.hhi_sd * found.effective_number**2) ** 2


def share_figure(found: ArrayLike, blocks: ArrayLike) -> tuple[Floats, Floats]:
    """Return the share `found` of `blocks` of each window with its variance.

    Examples
    --------
    >>> [figure.tolist() for figure in share_figure([5], [10])]
    [[0.5], [0.025]]
    """
    whole = np.asarray(blocks, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.asarray(found, dtype=np.float64) / whole
        # Jeffreys' half block keeps a share of none or all from being known without error
        kept = (np.asarray(found, dtype=np.float64) + JEFFREYS) / (whole + 2 * JEFFREYS)
        return share, kept * (1 - kept) / whole


def largest_figure(table: CountTable) -> tuple[Floats, Floats]:
    """Return the share of each window's largest entity with its variance.

    Examples
    --------
    >>> from analyzers.windows import table_of
    >>> largest_figure(table_of([{"a": 6, "b": 4}], [0], [0], [0]))[0].tolist()
    [0.6]
    """
    return share_figure(table.counts.max(axis=1, initial=0), table.blocks)


def window_trend(table: CountTable, figure: Figure = hhi_figure, level: float = LEVEL) -> Trend:
    """Return the trend of a figure over `table`, in its windows and in longer ones.

    Each longer window is twice the one before, for as long as `ENOUGH` of them are left. The
    slope is per `unit` seconds. See `Trend.direction`: all have to agree.

    Examples
    --------
    >>> from analyzers.history import load_history
    >>> found = window_trend(load_history().merged(7))
    >>> found.n, [each.n for each in found.longer], found.direction()
    (329, [164, 82], 'none')
    """
    parts = [table]
    while len(parts[-1]) >= 2 * ENOUGH:
        parts.append(parts[-1].merged(2))
    first, *longer = (
        trend(values, part.start_time / YEAR, level, variances)
        for part in parts
        for values, variances in (figure(part),)
    )
    return replace(first, longer=tuple(longer))


class Era(NamedTuple):
    """A stretch of history that begins at `start` (Unix seconds), and who says so."""

    name: str
    start: int
    source: str


_MINERS = "CBECI miner list, CambridgeAltFin/ccaf_cbeci_api"

ERAS: Final[tuple[Era, ...]] = (
    Era("CPU", 1231006505, "genesis block"),
    Era("GPU", 1280000000, _MINERS),
    Era("FPGA", 1310000000, _MINERS),
    Era("ASIC", 1360000000, _MINERS),
    Era("subsidy 12.5 BTC", 1468082773, "block 420000"),
    Era("subsidy 6.25 BTC", 1589225023, "block 630000"),
    Era("after China's ban", 1625097600, "CBECI map: no hash rate in mainland China, July 2021"),
    Era("subsidy 3.125 BTC", 1713571767, "block 840000"),
)
"""Eras for grouping; change them freely, they are no result."""


def by_era(table: CountTable, eras: Sequence[Era] = ERAS) -> list[tuple[Era, CountTable]]:
    """Return the part of `table` that lies in each era; eras without windows are left out.

    Examples
    --------
    >>> from analyzers.history import load_history
    >>> [era.name for era, _ in by_era(load_history())]
    ['subsidy 12.5 BTC', 'subsidy 6.25 BTC', "after China's ban", 'subsidy 3.125 BTC']
    """
    ordered = sorted(eras, key=lambda era: era.start)
    ends = [*(era.start for era in ordered[1:]), None][: len(ordered)]
    parts = [(era, table.between(era.start, end)) for era, end in zip(ordered, ends, strict=True)]
    return [(era, part) for era, part in parts if len(part)]
