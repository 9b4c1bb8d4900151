"""Every kernel that runs here against hashlib."""

import hashlib

import numpy as np
import pytest

from hashing.choice import runnable
from hashing.errors import HashingError
from hashing.merkle import merkle_root as merkle_root_of_array
from hashing.sha256d import scan_nonces, sha256d_headers, sha256d_nodes
from hashing.wire import merkle_root

pytestmark = pytest.mark.slow  # the first use compiles


def sha256d(data: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def test_the_portable_kernel_runs_everywhere() -> None:
    assert "portable" in runnable()


@pytest.mark.parametrize("kernel", runnable())
@pytest.mark.parametrize("size", [64, 80])
def test_digests_are_those_of_hashlib(kernel: str, size: int) -> None:
    chance = np.random.default_rng(1)
    for count in (0, 1, 3, 17, 70):
        messages = chance.integers(0, 256, (count, size), dtype=np.uint8)
        if count:
            messages[0] = 0
            messages[-1] = 255
        hashed = sha256d_headers if size == 80 else sha256d_nodes
        digests = hashed(messages, kernel=kernel)
        assert [bytes(d) for d in digests] == [sha256d(bytes(m)) for m in messages]


@pytest.mark.parametrize("kernel", runnable())
@pytest.mark.parametrize("start", [0, 5, 0xFFFF_F000])
def test_a_scan_finds_what_hashlib_finds(kernel: str, start: int) -> None:
    header = bytes(np.random.default_rng(2).integers(0, 256, 80, dtype=np.uint8))
    target, count = 1 << 248, 4096
    expected = [
        nonce
        for nonce in range(start, start + count)
        if int.from_bytes(sha256d(header[:76] + nonce.to_bytes(4, "little")), "little") <= target
    ]
    assert expected
    found = scan_nonces(header, target, start, count, kernel=kernel)
    assert sorted(found.tolist()) == expected
    assert sorted(scan_nonces(header, target, start, count, kernel=kernel, threads=2)) == expected


def test_threads_change_nothing() -> None:
    messages = np.random.default_rng(3).integers(0, 256, (5001, 80), dtype=np.uint8)
    assert np.array_equal(sha256d_headers(messages, threads=2), sha256d_headers(messages))


def test_merkle_roots_agree() -> None:
    chance = np.random.default_rng(4)
    for count in (1, 2, 3, 100, 1001):
        txids = chance.integers(0, 256, (count, 32), dtype=np.uint8)
        assert merkle_root_of_array(txids) == merkle_root([bytes(t) for t in txids])


def test_wrong_arrays_are_refused() -> None:
    with pytest.raises(HashingError, match="expected uint8"):
        sha256d_headers(np.zeros((3, 79), np.uint8))
    with pytest.raises(HashingError):
        sha256d_headers(np.zeros((3, 80), np.uint8), kernel="no such kernel")
