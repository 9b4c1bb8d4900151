from __future__ import annotations

import numpy as np
import pytest

from hashing.errors import WireError
from hashing.merkle import merkle_root

TXIDS = np.arange(6 * 32, dtype=np.uint8).reshape(6, 32)


def test_one_txid_is_its_own_root() -> None:
    assert merkle_root(TXIDS[:1]) == TXIDS[0].tobytes()


@pytest.mark.parametrize("order", [[0, 1, 1], [0, 1, 2, 2], [0, 1, 2, 3, 4, 5, 4, 5]])
def test_a_repeated_tail_is_no_proof(order: list[int]) -> None:
    if len(order) % 2:
        order = [*order, order[-1]]
    with pytest.raises(WireError, match="CVE-2012-2459"):
        merkle_root(TXIDS[order])


@pytest.mark.parametrize(
    "array", [np.zeros((0, 32), np.uint8), np.zeros((2, 31), np.uint8), np.zeros((2, 32))]
)
def test_other_arrays_are_refused(array: np.ndarray[tuple[int, int], np.dtype[np.uint8]]) -> None:
    with pytest.raises(WireError):
        merkle_root(array)
