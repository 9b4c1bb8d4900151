"""Every network's rules on chains that one can mine: one at a time and in bulk agree."""

from __future__ import annotations

import dataclasses
import functools
import random
import subprocess
import sys
from collections import Counter
from typing import Any

import numpy as np
import pytest

from hashing import bulk, validate
from hashing.chain import (
    HeaderChain,
    anchor_height,
    median_time_past,
    next_nbits,
    retarget,
)
from hashing.errors import HashingError, HeaderError
from hashing.header import BlockHeader
from hashing.params import NETWORKS, REGTEST, RETARGET_INTERVAL, NetworkParams
from hashing.sha256d import Bytes
from hashing.target import encode_nbits
from hashing.validate import ChainReport, HeaderFailure, validate_headers
from tests.support.headers import EASY, child, mined
from tests.support.lanes import often

LIMIT = encode_nbits(REGTEST.pow_limit)
PERIOD = RETARGET_INTERVAL
VERSION = 4


def rows(headers: list[BlockHeader]) -> Bytes:
    joined = b"".join(header.serialize() for header in headers)
    return np.frombuffer(joined, np.uint8).reshape(-1, 80)


def in_bulk(headers: list[BlockHeader], params: NetworkParams, start: int = 0) -> ChainReport:
    """Return what kernels find on one thread and on three, and plain Python finds, too."""
    found = validate_headers(rows(headers), params, start, kernel="portable")
    threads = validate_headers(rows(headers), params, start, kernel="portable", threads=3)
    assert threads == found
    assert validate_headers(rows(headers), params, start) == found
    return found


def refusal(params: NetworkParams, headers: list[BlockHeader], start: int = 0) -> tuple[str, str]:
    """Return rule and reason with which both refuse the last header; empty if both accept it."""
    chain = HeaderChain(params, start, headers[:-1])
    report = in_bulk(headers, params, start)
    if report.failure is None:
        assert chain.accept(headers[-1]) is chain.tip
        assert (report.tip_hash, report.work) == (chain.tip.hash, chain.tip.work)
        return "", ""
    with pytest.raises(HeaderError) as refused:
        chain.accept(headers[-1])
    error = refused.value
    assert report.failure == HeaderFailure(
        start + len(headers) - 1, error.rule, error.reject, str(error)
    )
    return error.rule, error.reject


@functools.cache
def easy_chain(network: str, length: int, seconds: int = 300) -> tuple[BlockHeader, ...]:
    """Return a valid chain of evenly spaced headers that obeys the network's difficulty."""
    params = EASY[network]
    chain = HeaderChain(params, 0, [params.genesis_header])
    while chain.tip.height < length - 1:
        tip = chain.tip
        nbits = next_nbits(params, tip, tip.header.time + seconds)
        chain.accept(child(tip.header, seconds=seconds, nbits=nbits, version=VERSION))
    return tuple(entry.header for entry in chain.path(None, chain.tip))


@pytest.mark.slow
@pytest.mark.parametrize("chains", often(4, 50))
@pytest.mark.parametrize("network", NETWORKS)
def test_random_chains_with_faults_are_refused_alike(network: str, chains: int) -> None:
    rng = random.Random(network)
    params = EASY[network]
    trunk = list(easy_chain(network, PERIOD + 40))
    for _ in range(chains):
        at = rng.choice((1, 2, 5, 11, 12, PERIOD - 1, PERIOD, PERIOD + 1, PERIOD + 30))
        start = rng.choice((0, 0, max(0, at - 30), at - 1))
        chain = HeaderChain(params, start, trunk[start:at])
        past = median_time_past(chain.tip)
        gap = rng.choice((1, 600, 1200, 1201, 5000, past - trunk[at - 1].time + rng.randrange(3)))
        time = trunk[at - 1].time + gap
        demanded = next_nbits(params, chain.tip, time)
        nbits = rng.choice((demanded or LIMIT, demanded or LIMIT, LIMIT, trunk[at - 1].nbits))
        version = rng.choice((4, 4, 4, 1, -5))
        last = child(trunk[at - 1], seconds=gap, nbits=nbits, version=version)
        refusal(params, [*trunk[start:at], last], start)


@pytest.mark.slow
def test_a_real_retarget_is_demanded_and_then_kept() -> None:
    for network in ("mainnet", "testnet3", "testnet4", "signet"):
        params, trunk = EASY[network], list(easy_chain(network, PERIOD + 40))
        demanded = retarget(params, LIMIT, trunk[0].time, trunk[PERIOD - 1].time)
        assert trunk[PERIOD].nbits == demanded != LIMIT
        assert trunk[PERIOD + 1].nbits == demanded
        wrong = child(trunk[PERIOD - 1], nbits=LIMIT)
        assert refusal(params, [*trunk[:PERIOD], wrong]) == ("nbits", "bad-diffbits")
    assert easy_chain("regtest", PERIOD + 40)[-1].nbits == LIMIT


@pytest.mark.parametrize(("spacing", "period"), [(7200, 168), (3600, 336), (50_000, 24)])
def test_periods_are_two_weeks_of_blocks(spacing: int, period: int) -> None:
    """As on signets with another time between blocks."""
    params = dataclasses.replace(EASY["signet"], spacing=spacing)
    assert params.retarget_interval == period
    chain = HeaderChain(params, 0, [params.genesis_header])
    while chain.tip.height < 2 * period + 5:
        tip = chain.tip
        nbits = next_nbits(params, tip, tip.header.time + spacing // 2)
        chain.accept(child(tip.header, seconds=spacing // 2, nbits=nbits, version=VERSION))
    trunk = [entry.header for entry in chain.path(None, chain.tip)]
    changes = [i for i in range(1, len(trunk)) if trunk[i].nbits != trunk[i - 1].nbits]
    assert changes == [period, 2 * period]
    for start in (0, 1, period - 1, period, period + 1):
        assert in_bulk(trunk[start:], params, start).failure is None
    for at in (period, 2 * period):
        kept = child(trunk[at - 1], seconds=spacing, nbits=trunk[at - 1].nbits)
        assert refusal(params, [*trunk[:at], kept]) == ("nbits", "bad-diffbits")
    assert anchor_height(params, 2 * period + 3) == 2 * period


@pytest.mark.slow
@pytest.mark.parametrize("network", ["testnet3", "testnet4"])
def test_twenty_minutes_without_a_block_allow_the_easiest_target_once(network: str) -> None:
    params, trunk = EASY[network], list(easy_chain(network, PERIOD + 10))
    harder = trunk[-1].nbits
    assert refusal(params, [*trunk, child(trunk[-1], seconds=1201, nbits=LIMIT)]) == ("", "")
    late = [*trunk, child(trunk[-1], seconds=1200, nbits=LIMIT)]
    assert refusal(params, late) == ("nbits", "bad-diffbits")
    kept = [*trunk, child(trunk[-1], seconds=1201, nbits=harder)]
    assert refusal(params, kept) == ("nbits", "bad-diffbits")
    after = [*trunk, child(trunk[-1], seconds=1201, nbits=LIMIT)]
    assert refusal(params, [*after, child(after[-1], nbits=harder)]) == ("", "")
    assert refusal(params, [*after, child(after[-1], nbits=LIMIT)]) == ("nbits", "bad-diffbits")


def test_mainnet_knows_no_exception() -> None:
    trunk = list(easy_chain("mainnet", PERIOD + 10))
    late = [*trunk, child(trunk[-1], seconds=5000, nbits=LIMIT)]
    assert refusal(EASY["mainnet"], late) == ("nbits", "bad-diffbits")


@pytest.mark.slow
def test_testnet4_retargets_from_the_first_block_and_refuses_a_time_warp() -> None:
    for network in ("testnet3", "testnet4"):
        params = EASY[network]
        trunk = list(easy_chain(network, 2 * PERIOD - 1))
        # The last block of the period takes the 20-minute exception.
        trunk.append(child(trunk[-1], seconds=1201, nbits=LIMIT))
        times = trunk[PERIOD].time, trunk[-1].time
        from_first = retarget(params, trunk[PERIOD].nbits, *times)
        from_last = retarget(params, LIMIT, *times)
        assert from_first != from_last
        rule = from_first if params.enforce_bip94 else from_last
        other = from_last if params.enforce_bip94 else from_first
        assert refusal(params, [*trunk, child(trunk[-1], nbits=rule)]) == ("", "")
        assert refusal(params, [*trunk, child(trunk[-1], nbits=other)])[0] == "nbits"
        back = child(trunk[-1], seconds=-600, nbits=rule)
        assert refusal(params, [*trunk, back]) == ("", "")
        warped = child(trunk[-1], seconds=-601, nbits=rule)
        expected = ("timewarp", "time-timewarp-attack") if params.enforce_bip94 else ("", "")
        assert refusal(params, [*trunk, warped]) == expected


@pytest.mark.parametrize(("version", "height"), [(1, 30), (2, 40), (3, 50)])
def test_versions_are_refused_from_their_height_on(version: int, height: int) -> None:
    params = dataclasses.replace(EASY["mainnet"], bip34_height=30, bip66_height=40, bip65_height=50)
    trunk = list(easy_chain("mainnet", 60))
    allowed = [*trunk[: height - 1], child(trunk[height - 2], version=version)]
    assert refusal(params, allowed) == ("", "")
    refused = [*trunk[:height], child(trunk[height - 1], version=version)]
    assert refusal(params, refused) == ("version", f"bad-version({version:#010x})")


def test_begun_within_a_period_only_what_is_known_is_held() -> None:
    params, trunk = EASY["mainnet"], list(easy_chain("mainnet", PERIOD + 10))
    start = PERIOD - 20
    harder = encode_nbits(REGTEST.pow_limit // 4)
    too_hard = encode_nbits(REGTEST.pow_limit // 4) - 1
    before = trunk[start:PERIOD]
    assert refusal(params, [*before, child(trunk[PERIOD - 1], nbits=harder)], start) == ("", "")
    refused = [*before, child(trunk[PERIOD - 1], nbits=too_hard)]
    assert refusal(params, refused, start) == ("nbits", "bad-diffbits")
    assert anchor_height(params, PERIOD + 5) == PERIOD
    # An exception whose ordinary target lies before the first header is not held against it.
    late = child(trunk[PERIOD + 8], seconds=1300, nbits=LIMIT)
    test3 = EASY["testnet3"]
    unknown = [late, child(late, nbits=trunk[PERIOD + 8].nbits)]
    assert refusal(test3, unknown, PERIOD + 9) == ("", "")


def test_the_first_header_at_height_zero_is_the_genesis_block() -> None:
    report = validate_headers(rows(list(easy_chain("mainnet", 3))), NETWORKS["mainnet"])
    assert report.failure is not None
    assert (report.count, report.failure.height, report.failure.rule) == (0, 0, "link")


def test_a_target_above_the_limit_is_no_proof_of_work() -> None:
    params = dataclasses.replace(EASY["regtest"], pow_limit=REGTEST.pow_limit >> 1)
    trunk = easy_chain("regtest", 3)
    report = in_bulk(list(trunk[1:]), params, 1)
    assert report.failure is not None
    assert report.failure.reject == "high-hash"


def test_no_headers_prove_nothing() -> None:
    report = validate_headers(np.empty((0, 80), np.uint8), REGTEST, 7)
    assert (report.count, report.height, report.tip_hash, report.work) == (0, 6, None, 0)


@pytest.mark.parametrize("array", [np.zeros((2, 79), np.uint8), np.zeros((2, 80), np.uint16)])
def test_other_arrays_are_refused(array: Bytes) -> None:
    with pytest.raises(HashingError, match="expected uint8"):
        validate_headers(array, REGTEST)
    with pytest.raises(HashingError, match="negative"):
        validate_headers(np.zeros((1, 80), np.uint8), REGTEST, -1)


def test_unaligned_and_strided_arrays_are_understood() -> None:
    headers = list(easy_chain("regtest", 50))
    params = EASY["regtest"]
    shifted = np.empty(80 * 50 + 1, np.uint8)
    shifted[1:] = rows(headers).reshape(-1)
    wide = np.zeros((50, 160), np.uint8)
    wide[:, :80] = rows(headers)
    expected = validate_headers(rows(headers), params)
    for kernel in (None, "portable"):
        assert validate_headers(shifted[1:].reshape(50, 80), params, kernel=kernel) == expected
        assert validate_headers(wide[:, :80], params, kernel=kernel) == expected


def test_few_headers_need_no_kernels_and_many_do(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[int] = []
    real = bulk.first_failure

    def first_failure(words: bulk.Words, *rest: Any, **named: Any) -> tuple[int, Counter[int]]:
        used.append(len(words))
        return real(words, *rest, **named)

    monkeypatch.setattr(bulk, "first_failure", first_failure)
    monkeypatch.setattr(validate, "_PLAINLY", validate._Allowance(70))
    params, headers = EASY["regtest"], rows(list(easy_chain("regtest", 50)))
    assert not validate.needs_kernels(50)
    seen: list[int] = []
    reports = [
        validate_headers(headers, params, kernel=kernel, on_progress=seen.append)
        for kernel in (None, None, None, "portable")
    ]
    assert used == [50, 50, 50]
    assert sum(seen) == 200
    assert validate.needs_kernels(50)
    assert reports == [reports[0]] * 4
    assert validate_headers(headers[:20], params).count == 20
    assert used == [50, 50, 50]


def test_checking_few_headers_loads_no_numba() -> None:
    code = """
import sys
import numpy as np
from hashing.params import MAINNET
from hashing.validate import validate_headers

genesis = np.frombuffer(MAINNET.genesis_header, np.uint8).reshape(1, -1)
assert validate_headers(genesis, MAINNET).count == 1
print("numba" in sys.modules)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "False\n"


def test_a_known_header_and_a_fork_at_any_depth() -> None:
    params, trunk = EASY["regtest"], list(easy_chain("regtest", 30))
    chain = HeaderChain(params, 0, trunk)
    assert chain.accept(trunk[10]) is chain.get(trunk[10].hash)
    side = chain.accept(child(trunk[10], seconds=700))
    assert chain.tip.header == trunk[-1]
    assert chain.fork_point(side, chain.tip) is chain.get(trunk[10].hash)
    assert chain.ancestor(side, 3) is chain.get(trunk[3].hash)
    assert chain.ancestor(side, 12) is None
    with pytest.raises(ValueError, match="does not descend"):
        chain.path(side, chain.tip)
    stranger = HeaderChain(params, 0, [mined(dataclasses.replace(trunk[0], time=1))])
    assert chain.fork_point(chain.tip, stranger.tip) is None
    with pytest.raises(ValueError, match="at least one"):
        HeaderChain(params, 0, [])
