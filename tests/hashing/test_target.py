import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashing.errors import TargetError
from hashing.target import decode_nbits, difficulty, encode_nbits, work_from_target


@pytest.mark.parametrize(
    ("nbits", "target", "again"),
    [  # arith_uint256_tests of Bitcoin Core
        (0x01123456, 0x12, 0x01120000),
        (0x02123456, 0x1234, 0x02123400),
        (0x03123456, 0x123456, 0x03123456),
        (0x04123456, 0x12345600, 0x04123456),
        (0x05009234, 0x92340000, 0x05009234),
        (0x20123456, 0x123456 << 232, 0x20123456),
        (0x1D00FFFF, 0xFFFF << 208, 0x1D00FFFF),
    ],
)
def test_nbits_stand_for_targets(nbits: int, target: int, again: int) -> None:
    assert decode_nbits(nbits) == target
    assert encode_nbits(target) == again


@pytest.mark.parametrize(
    ("nbits", "problem"),
    [
        (0x00123456, "zero"),
        (0x01003456, "zero"),
        (0x04800000, "zero"),
        (0x01803456, "zero"),
        (0x01FEDCBA, "negative"),
        (0x04923456, "negative"),
        (0xFF123456, "overflows"),
        (0x2200FF00, "overflows"),
    ],
)
def test_nbits_that_no_header_may_carry(nbits: int, problem: str) -> None:
    with pytest.raises(TargetError, match=problem):
        decode_nbits(nbits)


def test_difficulty_and_work() -> None:
    assert difficulty(decode_nbits(0x1D00FFFF)) == 1
    assert difficulty(decode_nbits(0x1B0404CB)) == pytest.approx(16307.420938523983, rel=1e-15)
    assert work_from_target(decode_nbits(0x1D00FFFF)) == 4295032833


@given(st.integers(1, (1 << 255) - 1))
def test_encoding_rounds_down_and_stays(target: int) -> None:
    nbits = encode_nbits(target)
    rounded = decode_nbits(nbits)
    assert rounded <= target < rounded + (rounded >> 15) + 1
    assert encode_nbits(rounded) == nbits
