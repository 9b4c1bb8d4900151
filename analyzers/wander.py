"""The slope of a figure that wanders and is measured with a known error.

What is measured in window i is a + b t_i + u_i + e_i. The error e_i is that of sampling, of which
the variance is known: blocks are multinomial draws. The level u wanders around the line: an
Ornstein-Uhlenbeck process, averaged over each window as blocks do it. How far it wanders and
how long it remembers is not known, so the slope is a mixture over both, weighted by the
restricted likelihood: where wander cannot be told from a trend, the slope stays open. As
the model is one of time and not of windows, the answer does not turn with the window.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from analyzers.intervals import Interval

Floats = NDArray[np.float64]

MEMORIES: Final = 24
SPREADS: Final = 24
"""Nodes of the grid over memory and spread; twice as many move the p of the shipped history,
whole or by era, by less than 0.005."""

SHORTEST: Final = 1 / 3
"""The shortest memory considered, in windows: the averages of windows are as good as white."""
LONGEST: Final = 2.0
"""The longest that is told from a random walk, in spans of the series;"""
NEVER: Final = 10.0
"""and the random walk itself, as far as the series can tell."""
LEAST_SPREAD: Final = 1e-3
MOST_SPREAD: Final = 30.0
"""Variance of the wander within the span, as parts of the variance that is seen."""

USUAL: Final = 0.5
"""Years. Up to here memories have about the same prior weight, longer ones less and less."""
SHORT: Final = 1.5
"""Years. A series as short as this cannot tell wander from a trend: a random walk has a prior
weight of 1/(1 + (span/`SHORT`)^4).

`USUAL` and `SHORT` are chosen by simulation (``python -m tests.simulations``), so that short
histories without a trend show none.
"""

NEGLIGIBLE: Final = 1e-12


class Slopes(NamedTuple):
    """The distribution of a slope: a mixture of normals."""

    weight: Floats
    mean: Floats
    sd: Floats

    def below(self, value: float) -> float:
        """Return the probability that the slope is below `value`."""
        return float(self.weight @ ndtr((value - self.mean) / self.sd))

    def quantile(self, part: float) -> float:
        """Return the value below which the slope is with probability `part`, by bisection."""
        ends = self.mean + float(ndtri(part)) * self.sd
        low, high = float(ends.min()), float(ends.max())
        for _ in range(80):
            middle = (low + high) / 2
            low, high = (middle, high) if self.below(middle) < part else (low, middle)
        return (low + high) / 2

    def interval(self, level: float) -> Interval:
        """Return the interval that leaves out as much on either side."""
        tail = (1 - level) / 2
        return Interval(self.quantile(tail), self.quantile(1 - tail))


def slopes(values: Floats, times: Floats, variances: Floats, years: float) -> Slopes | None:
    """Return the slope of `values` per unit of `times`; None for an exactly straight line.

    Parameters
    ----------
    values, times:
        Three finite figures at least, and the times at which their windows begin, in order.
    variances:
        Known variances of their errors. Zeros mean figures of moments, not of windows of blocks:
        those of other markets.
    years:
        What `times` span.
    """
    n = len(values)
    steps = np.diff(times)
    window = float(np.median(steps))
    # header times may run backwards a little; no window ends before it begins
    steps = np.maximum(steps, 1e-3 * window) / window
    t = np.concatenate([[0.0], np.cumsum(steps)])
    t = t / t[-1] - 0.5
    regressors = np.column_stack([np.ones(n), t])
    line = regressors @ np.linalg.lstsq(regressors, values, rcond=None)[0]
    seen = float(((values - line) ** 2).sum()) / (n - 2)
    if seen <= (NEGLIGIBLE * float(np.abs(values).max())) ** 2:
        return None
    grid = _grid(n, seen, years, averaged=bool(variances.any()))
    columns = np.column_stack([regressors, values - line])
    logdet, inner = _whitened(columns, steps, variances, grid, NEGLIGIBLE * seen)
    ones, cross, level, square, moment, rest = inner
    determinant = ones * square - cross**2
    slope = (ones * moment - cross * level) / determinant
    height = (square * level - cross * moment) / determinant
    left = rest - height * level - slope * moment
    likelihood = -0.5 * (logdet + np.log(determinant) + left) + grid.prior
    weight = np.exp(likelihood - likelihood.max())
    kept = weight > NEGLIGIBLE
    weight = weight[kept] / weight[kept].sum()
    span = float(steps.sum()) * window
    fitted = (line[-1] - line[0]) / (t[-1] - t[0])
    sd = np.sqrt(ones / determinant)
    return Slopes(weight, (slope[kept] + fitted) / span, sd[kept] / span)


class _Grid(NamedTuple):
    """What each node says of the wander, and the logarithm of its prior weight.

    The covariance of two windows k steps apart is `carried` * `decay`^k, the variance of one
    `carried` + `own`, where `own` is below zero: an average hides what happens inside.
    """

    decay: Floats
    carried: Floats
    own: Floats
    prior: Floats


def _grid(n: int, seen: float, years: float, *, averaged: bool) -> _Grid:
    """Return the nodes for `n` windows over `years` that vary by `seen` around their line."""
    ends = SHORTEST, LONGEST * (n - 1)
    memory = np.append(np.geomspace(*ends, MEMORIES - 1), NEVER * (n - 1))
    rate = 1 / memory
    decay = np.exp(-rate)
    carried = (np.expm1(-rate) / rate) ** 2 / decay
    small = 1 - rate / 3 + rate**2 / 12  # where the quotient would lose its digits
    variance = np.where(rate < 1e-3, small, 2 * (rate + np.expm1(-rate)) / rate**2)
    if not averaged:
        carried = variance = np.ones_like(rate)
    lags = np.arange(1, n)
    shared = ((n - lags) * decay[:, None] ** lags).sum(axis=1) * carried
    within = variance - (n * variance + 2 * shared) / n**2
    part = np.geomspace(LEAST_SPREAD, MOST_SPREAD, SPREADS)
    scale = (seen * part / within[:, None]).ravel()
    carried, own = np.repeat(carried, SPREADS), np.repeat(variance - carried, SPREADS)
    prior = np.repeat(np.log(_prior(memory[:-1] * years / (n - 1), years)), SPREADS)
    return _Grid(np.repeat(decay, SPREADS), carried * scale, own * scale, prior)


def _prior(memory: Floats, years: float) -> Floats:
    """Return the prior weights of memories (years), and of a random walk at the end."""
    walk = 1 / (1 + (years / SHORT) ** 4)
    weight = memory**-0.25 * (1 + memory / USUAL) ** -0.75
    return np.append((1 - walk) * weight / weight.sum(), walk)


def _whitened(
    columns: Floats, steps: Floats, variances: Floats, grid: _Grid, least: float
) -> tuple[Floats, Floats]:
    """Return log-determinants of the covariance, and inner products of the whitened columns.

    One row of products a pair (11, 12, 13, 22, 23, 33) and one column a node. The recursion is
    Kalman's; each pivot is above zero, as the covariance is positive definite.
    """
    decay, carried, own, _ = grid
    fade, renewed = decay, carried * (1 - decay**2)
    even = bool(np.ptp(steps) < 1e-6)
    state = np.zeros((columns.shape[1], len(decay)))
    ahead = carried
    logdet = np.zeros_like(decay)
    inner = np.zeros((6, len(decay)))
    for i, row in enumerate(columns):
        pivot = np.maximum(ahead + variances[i] + own, least)
        error = row[:, None] - state
        scaled = error / pivot
        logdet += np.log(pivot)
        inner[:3] += error[0] * scaled
        inner[3:5] += error[1] * scaled[1:]
        inner[5] += error[2] * scaled[2]
        if i == len(steps):
            break
        if not even:
            fade = decay ** steps[i]
            renewed = carried * (1 - fade**2)
        state = fade * (state + ahead * scaled)
        ahead = fade**2 * ahead * (1 - ahead / pivot) + renewed
    return logdet, inner
