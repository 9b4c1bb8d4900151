"""Draws from Dirichlet posteriors, one window a task, every window with its own stream.

The generator is xoroshiro128+ (Blackman and Vigna 2018, doi:10.1145/3460772), seeded by
splitmix64 from (seed, window), so that results depend neither on threads nor on which
other windows are asked for. Gamma variates by Marsaglia and Tsang (2000,
doi:10.1145/358407.358414), which needs parameters of 1 or more.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit, prange, uint64
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@njit
def _rotate(x: Any, bits: Any) -> Any:
    return (x << uint64(bits)) | (x >> uint64(64 - bits))


@njit
def _splitmix(x: Any) -> Any:
    x = (x ^ (x >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> uint64(27))) * uint64(0x94D049BB133111EB)
    return x ^ (x >> uint64(31))


@njit
def _stream(seed: Any, window: Any) -> Any:
    start = _splitmix(uint64(seed) + uint64(0x9E3779B97F4A7C15)) ^ uint64(window)
    state = np.empty(2, np.uint64)
    state[0] = _splitmix(start + uint64(0x9E3779B97F4A7C15))
    state[1] = _splitmix(start + uint64(0x3C6EF372FE94F82A)) | uint64(1)
    return state


@njit
def _uniform(state: Any) -> Any:
    a, b = state[0], state[1]
    total = a + b
    b ^= a
    state[0] = _rotate(a, 24) ^ b ^ (b << uint64(16))
    state[1] = _rotate(b, 37)
    return (total >> uint64(11)) * (1.0 / 9007199254740992.0)


@njit
def _normal(state: Any, spare: Any) -> Any:
    """Return a normal variate by Marsaglia's polar method, which makes two: one is kept."""
    if spare[0] == spare[0]:
        value = spare[0]
        spare[0] = math.nan
        return value
    while True:
        x = 2.0 * _uniform(state) - 1.0
        y = 2.0 * _uniform(state) - 1.0
        square = x * x + y * y
        if 0.0 < square < 1.0:
            scale = math.sqrt(-2.0 * math.log(square) / square)
            spare[0] = y * scale
            return x * scale


@njit
def _gamma(state: Any, spare: Any, d: Any, c: Any) -> Any:
    while True:
        x = _normal(state, spare)
        v = 1.0 + c * x
        if v <= 0.0:
            continue
        v = v * v * v
        u = _uniform(state)
        square = x * x
        if u < 1.0 - 0.0331 * square * square:
            return d * v
        if math.log(u) < 0.5 * square + d * (1.0 - v + math.log(v)):
            return d * v


@njit
def _top_sizes(drawn: Any, thresholds: Any, total: Any, sizes: Any) -> Any:
    """Fill `sizes` with how many of the largest exceed each part of `total`; eats `drawn`."""
    held, size, done = 0.0, 0, len(thresholds) - 1
    while done >= 0 and size < len(drawn):
        best = 0
        for i in range(1, len(drawn)):
            if drawn[i] > drawn[best]:
                best = i
        held += drawn[best]
        drawn[best] = -1.0
        size += 1
        while done >= 0 and held > thresholds[done] * total:
            sizes[done] = size
            done -= 1
    for rest in range(done + 1):
        sizes[rest] = len(drawn) + 1


@njit
def _mean_and_ends(values: Any, tail: Any, figures: Any) -> Any:
    """Fill `figures` with the mean and the quantiles at `tail` and 1 - `tail`."""
    values.sort()
    figures[0] = values.mean()
    for place, part in ((1, tail), (2, 1.0 - tail)):
        position = part * (len(values) - 1)
        low = int(position)
        high = min(low + 1, len(values) - 1)
        figures[place] = values[low] + (position - low) * (values[high] - values[low])


@njit(parallel=True, cache=True)
def simulate_windows(  # noqa: PLR0917 - a kernel takes arrays by place
    alphas: Floats,
    columns: NDArray[np.int64],
    others: Floats,
    thresholds: Floats,
    draws: int,
    seed: int,
    tail: float,
    max_size: int,
    first: int,
) -> tuple[Floats, Floats, Floats, Floats]:
    """Simulate each row of `alphas`, of which the first `columns` entries count.

    `others` is the parameter of what belongs to nobody (0 for none); `thresholds` fall. The
    first row is window number `first`: parts of a table then give what the whole gives.
    Returned per window: HHI and largest share (mean, low, high); per window and threshold:
    probability that the largest exceeds it, and probabilities of the sizes 1..`max_size`
    (the last: or more).
    """
    windows, levels = len(alphas), len(thresholds)
    hhi, largest = np.full((windows, 3), np.nan), np.full((windows, 3), np.nan)
    above = np.full((windows, levels), np.nan)
    sizes = np.full((windows, levels, max_size), np.nan)
    for window in prange(windows):
        k = columns[window]
        if k == 0:
            continue
        state, spare = _stream(seed, first + window), np.full(1, np.nan)
        d = alphas[window, :k] - 1.0 / 3.0
        c = 1.0 / np.sqrt(9.0 * d)
        # a parameter below 1 is drawn one higher and scaled by uniform ** (1 / parameter)
        other = others[window]
        other_d = (other if other >= 1.0 else other + 1.0) - 1.0 / 3.0
        other_c = 1.0 / math.sqrt(9.0 * other_d)
        drawn, size = np.empty(k), np.empty(levels, np.int64)
        squares, maxima = np.empty(draws), np.empty(draws)
        exceed, histogram = np.zeros(levels), np.zeros((levels, max_size))
        for draw in range(draws):
            total, square, top = 0.0, 0.0, 0.0
            for i in range(k):
                value = _gamma(state, spare, d[i], c[i])
                drawn[i] = value
                total += value
                square += value * value
                top = max(top, value)
            if other > 0.0:
                rest = _gamma(state, spare, other_d, other_c)
                if other < 1.0:
                    rest *= _uniform(state) ** (1.0 / other)
                total += rest
            squares[draw] = square / (total * total)
            maxima[draw] = top / total
            _top_sizes(drawn, thresholds, total, size)
            for level in range(levels):
                exceed[level] += maxima[draw] > thresholds[level]
                histogram[level, min(size[level], max_size) - 1] += 1.0
        _mean_and_ends(squares, tail, hhi[window])
        _mean_and_ends(maxima, tail, largest[window])
        above[window] = exceed / draws
        sizes[window] = histogram / draws
    return hhi, largest, above, sizes
