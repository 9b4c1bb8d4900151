"""Is concentration rising? A trend test that autocorrelation does not fool.

Concentration moves slowly, so neighbouring windows are alike and the plain Mann-Kendall
test sees trends in noise: at a lag-1 correlation of 0.6 it errs on a third of all series
instead of a twentieth. Here the series is pre-whitened first. Windows must not overlap:
rolling windows are alike by construction, and no correction makes up for that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from analyzers.intervals import LEVEL, UNKNOWN, Interval
from analyzers.windows import CountTable

Floats = NDArray[np.float64]

MINIMUM: Final = 10
"""Fewer values than this give no verdict: the normal approximation needs them."""


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


def lag_one(values: ArrayLike) -> float:
    """Return the lag-1 autocorrelation around the Theil-Sen line (-0.99..0.99).

    A trend left in would look like autocorrelation and hide itself. The estimate r around a
    fitted line is too small; (n r + 2)/(n - 4) corrects that (van Giezen and Bras 1999; see
    Bayazit and Onoz 2007, doi:10.1623/hysj.52.4.611). 0 for short or exactly linear series.

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
    if power <= n * (1e-12 * float(np.abs(x).max())) ** 2:
        return 0.0
    plain = float((residual[1:] * residual[:-1]).sum()) / power
    return min(0.99, max(-0.99, (n * plain + 2) / (n - 4)))


@dataclass(frozen=True, slots=True)
class Trend:
    """What a series of non-overlapping windows says about its direction.

    `slope` is per window, or per unit of the times given. `p` is two-sided; `p_naive` is
    what the test says without pre-whitening, for comparison with what others publish.
    """

    n: int
    slope: Slope
    z: float
    p: float
    p_naive: float
    autocorrelation: float

    def direction(self, alpha: float = 0.05) -> Literal["rising", "falling", "none", "unknown"]:
        """Return the verdict: a direction where `p` is below `alpha` and 0 is no slope.

        Both are asked for, as each errs more often than stated where few windows are much
        alike (rates in `trend`). Give `trend` the level 1 - `alpha`, so that the slope's
        interval fits. Pre-whitening a smooth curve that flattens leaves its steps, whose trend
        runs against the curve's: no direction is given where test and slope disagree.
        """
        if math.isnan(self.p):
            return "unknown"
        low, high = self.slope.interval
        if self.p >= alpha or low <= 0 <= high or self.z * self.slope.value <= 0:
            return "none"
        return "rising" if self.z > 0 else "falling"


def trend(values: ArrayLike, times: ArrayLike | None = None, level: float = LEVEL) -> Trend:
    """Test a series for a monotone trend, pre-whitened (Zhang et al. 2000; Wang and Swail 2001).

    Mann-Kendall runs on x_t - r x_{t-1} with r from `lag_one`; the slope is Theil-Sen's of
    the series itself, its interval widened by (1 + r)/(1 - r). NaN values (empty windows) are
    left out. Below `MINIMUM` values there is no verdict.

    By simulation, with no trend and a nominal 5 %, the verdict `Trend.direction` errs on 2 to
    5 % of series for lag-1 correlations up to 0.3, on 4 to 7 % at 0.6, 5 to 9 % at 0.8 and 8
    to 13 % at 0.9, the most with 13 windows. `p` alone errs on up to 10 % at 0.8 for 60
    windows and 18 % for 13; the plain test on half of all at 0.8.

    Examples
    --------
    >>> result = trend([0.10, 0.13, 0.11, 0.14, 0.16, 0.15, 0.18, 0.17, 0.20, 0.22, 0.21, 0.24])
    >>> result.direction(), round(result.slope.value, 3)
    ('rising', 0.012)
    """
    y = np.asarray(values, dtype=np.float64)
    t = np.arange(len(y), dtype=np.float64) if times is None else np.asarray(times, float)
    known = np.isfinite(y)
    y, t = y[known], t[known]
    if len(y) < MINIMUM:
        return Trend(len(y), Slope(math.nan, UNKNOWN), math.nan, math.nan, math.nan, math.nan)
    r = lag_one(y)
    whitened = mann_kendall(y[1:] - r * y[:-1])
    wide = max(1.0, (1 + r) / (1 - r))
    return Trend(len(y), theil_sen(y, t, level, wide), whitened.z, whitened.p, mann_kendall(y).p, r)


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
