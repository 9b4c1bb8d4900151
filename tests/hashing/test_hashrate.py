from __future__ import annotations

import pytest

from hashing.errors import HashingError
from hashing.hashrate import REPETITIONS, measure, measure_hashlib


@pytest.mark.parametrize("threads", [1, 2])
def test_a_rate_has_a_spread(threads: int) -> None:
    rate = measure("portable", threads, 0.05)
    assert 1e4 < rate.min <= rate.median <= rate.max < 1e12
    assert rate.stdev >= 0
    assert rate.repetitions == REPETITIONS


def test_hashlib_is_measured_alike() -> None:
    rate = measure_hashlib(0.05)
    assert 1e3 < rate.min <= rate.median <= rate.max < 1e9


def test_an_unknown_kernel_is_refused() -> None:
    with pytest.raises(HashingError, match="no kernel"):
        measure("quantum")
