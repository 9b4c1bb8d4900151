"""Draws from the Dirichlet posterior of a window, every window with its own stream.

The generator is xoroshiro128+ (Blackman and Vigna 2018, doi:10.1145/3460772), seeded by
splitmix64 from (seed, window), so that results depend neither on threads nor on which
other windows are asked for. Gamma variates by Marsaglia and Tsang (2000,
doi:10.1145/358407.358414), which needs parameters of 1 or more.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit, uint64
from numpy.typing import NDArray

from hashing.kernels.jit import compiled

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]


@njit
def _rotate(x: Any, bits: Any) -> Any:
    return (x << uint64(bits)) | (x >> uint64(64 - bits))


@njit
def _splitmix(x: Any) -> Any:
    x = (x ^ (x >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> uint64(27))) * uint64(0x94D049BB133111EB)
    return x ^ (x >> uint64(31))


@njit
def _seed(state: Any, seed: Any, window: Any) -> None:
    start = _splitmix(uint64(seed) + uint64(0x9E3779B97F4A7C15)) ^ uint64(window)
    state[0] = _splitmix(start + uint64(0x9E3779B97F4A7C15))
    state[1] = _splitmix(start + uint64(0x3C6EF372FE94F82A)) | uint64(1)


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


@compiled(nogil=True)
def simulate_window(  # noqa: PLR0917 - a kernel takes arrays by place
    d: Floats,
    c: Floats,
    other: float,
    other_d: float,
    other_c: float,
    thresholds: Floats,
    seed: int,
    window: int,
    scratch: tuple[Words, Floats, Floats, NDArray[np.int64]],
    squares: Floats,
    largest: Floats,
    sizes: Floats,
) -> None:
    """Simulate window number `window`: a draw for each place of `squares` and `largest`.

    `d` and `c` are Marsaglia's and Tsang's constants of each entity's gamma variate, and
    `other_d` and `other_c` those of what belongs to nobody, whose parameter is `other` (0 for
    none). `thresholds` fall. Filled are sum of squares and largest share of each draw and, per
    threshold, how many draws reach it with 1, 2 ... entities; the last place counts more, too.
    `scratch` (see `scratch_for`) spares the kernel all that allocating would have to compile.
    """
    state, spare, drawn, size = scratch
    _seed(state, seed, window)
    spare[0] = math.nan
    sizes[:] = 0.0
    for draw in range(len(squares)):
        total, square, top = 0.0, 0.0, 0.0
        for i in range(len(d)):
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
        largest[draw] = top / total
        _top_sizes(drawn, thresholds, total, size)
        for level in range(len(thresholds)):
            sizes[level, min(size[level], sizes.shape[1]) - 1] += 1.0


def scratch_for(entities: int, levels: int) -> tuple[Words, Floats, Floats, NDArray[np.int64]]:
    """Return working memory for windows of so many entities and thresholds."""
    return (
        np.empty(2, np.uint64),
        np.empty(1, np.float64),
        np.empty(entities, np.float64),
        np.empty(levels, np.int64),
    )
