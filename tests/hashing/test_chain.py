"""Real headers, and what happens to them when they are changed, by both implementations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashing.chain import HeaderChain, anchor_height, retarget
from hashing.errors import HeaderError
from hashing.header import BlockHeader
from hashing.params import MAINNET, REGTEST
from hashing.validate import validate_headers
from monitor.sources.sample_data import load_sample
from tests.support.blocks import extend, genesis

SAMPLE = load_sample()
RUN = [SAMPLE.header(height) for height in range(SAMPLE.start, SAMPLE.start + 2100)]


def array(headers: list[bytes]) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    return np.frombuffer(b"".join(headers), np.uint8).reshape(-1, 80)


def first_failure(headers: list[bytes]) -> tuple[int, str] | None:
    """Height and rule of the first header that `HeaderChain` refuses."""
    chain = HeaderChain(MAINNET, SAMPLE.start, headers[:1])
    for height, header in enumerate(headers[1:], start=SAMPLE.start + 1):
        try:
            chain.accept(header)
        except HeaderError as error:
            return height, error.rule
    return None


@pytest.mark.slow
def test_eight_thousand_real_headers_with_four_retargets_hold() -> None:
    headers = [SAMPLE.header(height) for height in range(SAMPLE.start, SAMPLE.end)]
    chain = HeaderChain(MAINNET, SAMPLE.start, headers)
    assert chain.tip.height == SAMPLE.end - 1
    report = validate_headers(array(headers), MAINNET, SAMPLE.start, kernel="portable")
    assert validate_headers(array(headers), MAINNET, SAMPLE.start) == report
    assert report.failure is None
    assert (report.height, report.tip_hash) == (chain.tip.height, chain.tip.hash)
    assert report.work == chain.tip.work


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(index=st.integers(1, len(RUN) - 1), byte=st.integers(0, 79), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found_where_it_is(index: int, byte: int, bit: int) -> None:
    changed = bytearray(RUN[index])
    changed[byte] ^= 1 << bit
    headers = [*RUN[:index], bytes(changed), *RUN[index + 1 :]]
    failure = validate_headers(array(headers), MAINNET, SAMPLE.start, kernel="portable").failure
    assert failure is not None
    assert failure.height == SAMPLE.start + index
    found = first_failure(headers)
    assert found is not None
    assert found[0] == SAMPLE.start + index


@pytest.mark.parametrize(
    ("base", "first", "last", "expected"),
    [  # pow_tests of Bitcoin Core
        (0x1D00FFFF, 1261130161, 1262152739, 0x1D00D86A),
        (0x1D00FFFF, 1231006505, 1233061996, 0x1D00FFFF),
        (0x1C05A3F4, 1279008237, 1279297671, 0x1C0168FD),
        (0x1C387F6F, 1263163443, 1269211443, 0x1D00E1FD),
    ],
)
def test_retargets(base: int, first: int, last: int, expected: int) -> None:
    assert retarget(MAINNET, base, first, last) == expected


def test_the_most_work_wins_and_the_first_seen_of_equals() -> None:
    trunk = extend(genesis(), 5)
    one, two = extend(trunk[-1], 2, tag=b"/one/"), extend(trunk[-1], 3, tag=b"/two/")
    chain = HeaderChain(REGTEST, 0, [genesis().header, *(b.header for b in trunk)])
    for block in one:
        chain.accept(block.header)
    for block in two[:2]:
        chain.accept(block.header)
    assert chain.tip.hash == one[-1].ref.hash
    end = chain.accept(two[2].header)
    assert chain.tip is end
    loser = chain.get(one[-1].ref.hash)
    assert loser is not None
    fork = chain.fork_point(loser, end)
    assert fork is not None
    assert fork.hash == trunk[-1].ref.hash
    assert [entry.hash for entry in chain.path(fork, end)] == [b.ref.hash for b in two]


@pytest.mark.slow
def test_pruning_keeps_what_later_rules_need() -> None:
    headers = [SAMPLE.header(height) for height in range(SAMPLE.start, SAMPLE.end)]
    chain = HeaderChain(MAINNET, SAMPLE.start, headers[:5000])
    chain.prune(chain.tip.height - 144)
    assert chain.floor == anchor_height(MAINNET, chain.tip.height - 144)
    assert len(chain) == chain.tip.height - chain.floor + 1
    for header in headers[5000:]:
        chain.accept(header)
    assert chain.tip.height == SAMPLE.end - 1


def test_an_orphan_is_refused_and_changes_nothing() -> None:
    chain = HeaderChain(MAINNET, SAMPLE.start, RUN[:3])
    with pytest.raises(HeaderError) as refusal:
        chain.accept(RUN[7])
    assert refusal.value.rule == "link"
    assert chain.tip.hash == BlockHeader.parse(RUN[2]).hash
