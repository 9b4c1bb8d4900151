"""Bitcoin Core's consensus code judges `HeaderChain` and `validate_headers`, header by header."""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from hashing.chain import HeaderChain, median_time_past
from hashing.errors import HeaderError
from hashing.header import BlockHeader
from hashing.params import MAINNET, NETWORKS, REGTEST, NetworkParams
from hashing.validate import validate_headers
from tests.support.headers import Judge, child, mined, real_runs

NBITS = (
    *(0x207FFFFE, 0x207FFFFF, 0x20800000, 0x2000FFFF, 0x21000000, 0x217FFFFF, 0x1F7FFFFF),
    *(0x2100FFFF, 0x2200FFFF, 0x22000001, 0x23000001, 0xFF7FFFFF, 0x00000000, 0x01000000),
    *(0x207FFF00, 0x20FFFFFF, 0x1D00FFFF, 0x03000001, 0x01010000, 0x1E7FFFFF, 0x20000000),
)


def ours(chain: HeaderChain, header: BlockHeader) -> str:
    try:
        chain.accept(header)
    except HeaderError as error:
        return error.reject
    return ""


def in_bulk(headers: list[bytes], candidate: BlockHeader, params: NetworkParams = REGTEST) -> str:
    """What `validate_headers` says of `candidate` at the end of `headers`."""
    rows = np.frombuffer(b"".join(headers) + candidate.serialize(), np.uint8).reshape(-1, 80)
    report = validate_headers(rows, params, kernel="portable")
    assert validate_headers(rows, params) == report
    if report.failure is None:
        return ""
    assert report.count == len(headers)
    return report.failure.reject


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    return Judge(REGTEST, tmp_path)


def mutate(rng: random.Random, parent: BlockHeader, past: int) -> BlockHeader:
    """Return a child of `parent` with one field at or beyond a boundary, mined where it can be."""
    header = child(parent, seconds=rng.randrange(1, 1500), root=rng.randbytes(32))
    match rng.randrange(8):
        case 0:
            versions = (-(2**31), -1, 0, 1, 2, 3, 4, 5, 2**29, 2**31 - 1)
            changed = dataclasses.replace(header, version=rng.choice(versions))
        case 1:
            changed = dataclasses.replace(header, time=past + rng.randrange(-2, 3))
        case 2:
            changed = dataclasses.replace(header, prev_hash=rng.randbytes(32))
        case 3:
            bits = rng.choice(NBITS)
            changed = mined(dataclasses.replace(header, nbits=bits), 2**255)
        case 4:
            return dataclasses.replace(header, nonce=rng.getrandbits(32))
        case 5:
            return dataclasses.replace(header, merkle_root=rng.randbytes(32))
        case 6:
            raw = bytearray(header.serialize())
            raw[rng.randrange(80)] ^= 1 << rng.randrange(8)
            return BlockHeader.parse(bytes(raw))
        case _:
            return header
    return mined(changed, min(2**255 - 1, REGTEST.pow_limit))


@pytest.mark.slow
def test_thousands_of_mutated_headers_on_regtest(judge: Judge) -> None:
    rng = random.Random(2016)
    headers = [REGTEST.genesis_header]
    chain = HeaderChain(REGTEST, 0, headers)
    seen: Counter[str] = Counter()
    for _ in range(60):
        for _ in range(50):
            parent = chain.tip.header
            header = mutate(rng, parent, median_time_past(chain.tip))
            verdict = judge.verdict(header.serialize())
            assert ours(chain, header) == verdict, header
            if header.prev_hash == parent.hash:
                assert in_bulk(headers, header) == verdict, header
            if not verdict and chain.tip.header == header:
                headers.append(header.serialize())
            seen[verdict.partition("(")[0]] += 1
    assert seen["prev-blk-not-found"] > 200
    assert min(seen[reason] for reason in ("", "high-hash", "bad-diffbits", "time-too-old")) > 30
    assert seen["bad-version"] > 60


@pytest.mark.slow
def test_real_mainnet_headers_and_what_becomes_of_them_when_touched(tmp_path: Path) -> None:
    rng = random.Random(1)
    judge = Judge(MAINNET, tmp_path)
    headers = real_runs()[0]
    chain = HeaderChain(MAINNET, 0, headers[:1])
    for i, raw in enumerate(headers[1:], 1):
        assert judge.verdict(raw) == "", i
        assert ours(chain, BlockHeader.parse(raw)) == ""
        if i % 4 == 0:
            changed = bytearray(raw)
            changed[rng.randrange(80)] ^= 1 << rng.randrange(8)
            touched = BlockHeader.parse(bytes(changed))
            verdict = judge.verdict(touched.serialize())
            assert ours(chain, touched) == verdict != ""
            if i % 64 == 0:
                assert in_bulk(headers[:i], touched, MAINNET) == verdict


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_begins_where_bitcoin_core_does(name: str, tmp_path: Path) -> None:
    params = NETWORKS[name]
    judge = Judge(params, tmp_path)
    assert judge.accept(params.genesis_header)
    genesis = BlockHeader.parse(params.genesis_header)
    weak = BlockHeader(4, genesis.hash, bytes(32), genesis.time + 600, genesis.nbits, 1)
    while int.from_bytes(weak.hash, "little") <= params.pow_limit // 2:
        weak = dataclasses.replace(weak, nonce=weak.nonce + 1)
    chain = HeaderChain(params, 0, [genesis])
    assert ours(chain, weak) == judge.verdict(weak.serialize())
