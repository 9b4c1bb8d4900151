"""Attribution of real coinbases, against a loop over tags and one alternation in `re`."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from analyzers.attribution import attribute_parts, pool_of, pools_of
from analyzers.registry import load_registry
from tests.analyzers.coinbase_vectors import real_coinbases

REGISTRY = load_registry()
REAL = real_coinbases()
SIGS = [real.script_sig for real in REAL]
OUTPUTS = [real.outputs for real in REAL]
HEIGHTS = [real.height for real in REAL]
TAGS = [(tag.literal, tag.pool) for tag in REGISTRY.tags if tag.pattern is None]
ALTERNATION = re.compile(
    b"|".join(re.escape(tag) for tag, _ in sorted(TAGS, key=lambda row: -len(row[0])))
)


def by_loop() -> None:
    for sig in SIGS:
        longest: tuple[bytes, str] | None = None
        for tag, pool in TAGS:
            if tag in sig and (longest is None or len(tag) > len(longest[0])):
                longest = tag, pool


def by_alternation() -> None:
    for sig in SIGS:
        max(ALTERNATION.findall(sig), key=len, default=None)


def pool_only() -> None:
    for sig, outputs, height in zip(SIGS, OUTPUTS, HEIGHTS, strict=True):
        pool_of(sig, outputs, REGISTRY, height)


def full_evidence() -> None:
    for sig, outputs, height in zip(SIGS, OUTPUTS, HEIGHTS, strict=True):
        attribute_parts(sig, outputs, REGISTRY, height=height)


def in_a_batch() -> None:
    pools_of(SIGS, REGISTRY, OUTPUTS, HEIGHTS)


def micros(work: Callable[[], None]) -> float:
    """Return the best time of `work` for one coinbase, in microseconds."""
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best / len(REAL) * 1e6


@pytest.mark.parametrize("work", [pool_only, full_evidence, in_a_batch])
def test_bench_attribution(benchmark: Any, work: Callable[[], None]) -> None:
    benchmark(work)
    own = benchmark.stats.stats.min / len(REAL) * 1e6
    benchmark.extra_info["microseconds_each"] = round(own, 3)
    benchmark.extra_info["times_faster_than_loop"] = round(micros(by_loop) / own, 1)
    benchmark.extra_info["times_faster_than_re"] = round(micros(by_alternation) / own, 1)
