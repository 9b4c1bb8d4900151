"""How much of a change of shares is wander: shares that never stand still, and do not jump either.

The chi-square of two windows k apart, over its degrees of freedom, is 1 where shares stand still
and 1 + e(k) where they wander; e(k) = a (1 - exp(-k/m)) for an Ornstein-Uhlenbeck process
with a memory of m windows. Windows on two sides of a supposed change are left out. What a and
m are is known badly, so all values that fit nearly as well are kept, and the one counts that
explains most.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LAGS: Final = tuple(round(2 ** (step / 2)) for step in (0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16))
"""Windows apart: from 1 to 256, up to a quarter of the series."""

MEMORIES: Final = 24
JITTER: Final = 0.2
"""The shortest memory, in windows: the shares of each window are its own."""

DOUBT: Final = 3.0
"""Wander is believed that lies within this of the best fit, in chi-square: some 1.7 deviations.
Chosen by simulation (``python -m tests.simulations``)."""


class Wander(NamedTuple):
    """Wanders that fit the windows: e(k) = `height` (1 - exp(-k/`memory`))."""

    height: Floats
    memory: Floats

    def excess(self, before: int, after: int) -> Floats:
        """Return the variance that wander adds to a difference of means, over that of sampling.

        The means are those of neighbouring stretches of `before` and `after` windows.
        """
        both = self._within(before + after)
        first, second = self._within(before), self._within(after)
        between = (both - first - second) / (before * after)
        added = between - first / before**2 - second / after**2
        return np.asarray(np.maximum(added, 0) / (1 / before + 1 / after))

    def _within(self, windows: int) -> Floats:
        """Return the sum of e(|i - j|) over all pairs of windows of a stretch."""
        fade = np.exp(-1 / self.memory)
        kept = windows * (1 + fade) / (1 - fade) - 2 * fade * (1 - fade**windows) / (1 - fade) ** 2
        result: Floats = self.height * (windows**2 - kept)
        return result


class Pairs:
    """The chi-squares of all pairs of windows at each of `LAGS`."""

    def __init__(self, counts: Floats) -> None:
        """Take the blocks of each entity (column) in each window (row), none of them empty."""
        self._windows = len(counts)
        self._found = [
            (lag, *chi_squares(counts[:-lag], counts[lag:]))
            for lag in LAGS
            if lag <= max(1, len(counts) // 4)
        ]

    def wander(self, cuts: Sequence[int]) -> Wander:
        """Return the wanders that fit the pairs that lie on one side of all `cuts`."""
        n = self._windows
        lags, excess, errors = [], [], []
        for lag, chi2, freedom in self._found:
            one_side = np.ones(n - lag, dtype=np.bool_)
            for cut in cuts:
                one_side[max(0, cut - lag) : min(cut, n - lag)] = False
            pairs, degrees = int(one_side.sum()), float(freedom[one_side].sum())
            if pairs < 2 or not degrees:
                continue
            ratio = float(chi2[one_side].sum()) / degrees
            apart = pairs / max(1.0, lag / 2)  # pairs that share windows are not independent
            lags.append(lag)
            excess.append(ratio - 1)
            errors.append(max(ratio, 1.0) * np.sqrt(2 * pairs / degrees / max(1.0, apart)))
        if not lags:
            return Wander(np.array([np.inf]), np.array([float(n)]))
        return _fitting(np.array(lags), np.array(excess), np.array(errors), n)


def _fitting(lags: Floats, excess: Floats, errors: Floats, windows: int) -> Wander:
    memory = np.append(JITTER, np.geomspace(0.5, 4 * windows, MEMORIES))
    weight = errors**-2
    curve = 1 - np.exp(-lags / memory[:, None])
    square = (weight * curve**2).sum(axis=1)
    height = np.maximum((weight * curve * excess).sum(axis=1) / square, 0)
    loss = (weight * (excess - height[:, None] * curve) ** 2).sum(axis=1)
    left = DOUBT - (loss - loss.min())
    fits = left >= 0
    return Wander((height + np.sqrt(np.maximum(left, 0) / square))[fits], memory[fits])


def chi_squares(first: Floats, second: Floats) -> tuple[Floats, Floats]:
    """Return the chi-square of each pair of rows to be of the same shares, and its freedom.

    Examples
    --------
    >>> chi2, freedom = chi_squares(np.array([[30.0, 20.0]]), np.array([[20.0, 30.0]]))
    >>> float(chi2[0].round(3)), float(freedom[0])
    (4.0, 1.0)
    """
    rows = np.stack([first.sum(axis=1), second.sum(axis=1)])
    both = first + second
    columns = both > 0
    total = rows.sum(axis=0)
    chi2 = np.zeros(len(first))
    for part, size in ((first, rows[0]), (second, rows[1])):
        expected = both * (size / total)[:, None]
        chi2 += np.divide(
            (part - expected) ** 2, expected, where=columns, out=np.zeros_like(both)
        ).sum(axis=1)
    return chi2, columns.sum(axis=1) - 1.0


def gain_beyond(left: Floats, right: Floats, excess: Floats) -> float:
    """Return the log-likelihood that a split is worth beyond wander, by the wander that takes most.

    Half the chi-square of both sides, where each entity's part is divided by 1 and what wander adds
    to it: all shares wander by the same part of themselves, so that it adds most to the largest.

    Parameters
    ----------
    left, right:
        Blocks of each entity before and after.
    excess:
        Of `Wander.excess`.

    Examples
    --------
    >>> still, wandering = np.array([0.0]), np.array([0.0, 9.0])
    >>> before, after = np.array([60.0, 40.0]), np.array([40.0, 60.0])
    >>> [round(gain_beyond(before, after, excess), 2) for excess in (still, wandering)]
    [4.0, 0.4]
    """
    sizes = left.sum(), right.sum()
    kept = left + right > 0
    share = (left + right)[kept] / sum(sizes)
    if len(share) < 2:
        return 0.0
    squared = float((share**2).sum())
    part = share * (1 - 2 * share + squared) / (1 - share) * (len(share) - 1) / (1 - squared)
    moved = (left[kept] / sizes[0] - right[kept] / sizes[1]) ** 2
    chi2 = moved * sizes[0] * sizes[1] / sum(sizes) / share
    return float((chi2 / (1 + part * excess[:, None])).sum(axis=1).min() / 2)
