"""Difficulty and work of Bitcoin's whole history, from published lists."""

from __future__ import annotations

import dataclasses
import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from hashing.chain import ChainEntry, HeaderChain, check_in_context, check_pow, may_follow, retarget
from hashing.errors import HeaderError, TargetError
from hashing.header import BlockHeader, hash_to_hex
from hashing.params import MAINNET, RETARGET_INTERVAL, TARGET_TIMESPAN
from hashing.target import decode_nbits, difficulty, encode_nbits, work_from_target
from hashing.validate import validate_headers
from monitor.sources.sample_data import load_sample
from tests.support.headers import VECTORS, real_runs

FACTS: dict[str, Any] = json.loads((VECTORS / "difficulty.json").read_text())
ERRORS: list[dict[str, Any]] = json.loads((VECTORS / "error_headers.json").read_text())["headers"]
HEADER_RULES = {
    "bip66_block_version_below_3": "version",
    "bip65_block_version_below_4": "version",
}


@pytest.mark.parametrize("row", FACTS["nbits"], ids=lambda row: row["nbits"])
def test_nbits(row: dict[str, Any]) -> None:
    nbits = int(row["nbits"], 16)
    if row["negative"] or row["overflow"] or row["target"] == "0":
        with pytest.raises(TargetError):
            decode_nbits(nbits)
        return
    target = decode_nbits(nbits)
    assert target == int(row["target"], 16)
    assert encode_nbits(target) == int(row["recompact"], 16)
    assert difficulty(target) == pytest.approx(float(row["difficulty"]))


@pytest.mark.parametrize("row", FACTS["retargets"], ids=lambda row: row["case"])
def test_retargets(row: dict[str, Any]) -> None:
    found = retarget(MAINNET, int(row["nbits"], 16), row["first_time"], row["last_time"])
    assert found == int(row["expected"], 16)


def test_chain_work_of_all_epochs() -> None:
    epochs = [int(bits, 16) for bits in FACTS["epochs"].split()]
    works = {int(height): int(work, 16) for height, work in FACTS["chain_work"].items()}
    total = 0
    for i, nbits in enumerate(epochs):
        each = work_from_target(decode_nbits(nbits))
        first = i * RETARGET_INTERVAL
        # The list counts the work up to and with the block at its height.
        if first in works:
            assert total + each == works.pop(first)
        total += RETARGET_INTERVAL * each
    assert not works


def test_no_epoch_is_more_than_four_times_harder_or_easier() -> None:
    epochs = [int(bits, 16) for bits in FACTS["epochs"].split()]
    for i, (before, after) in enumerate(pairwise(epochs), 1):
        assert may_follow(MAINNET, i * RETARGET_INTERVAL, before, after)
        assert not may_follow(MAINNET, i * RETARGET_INTERVAL + 1, before, before - 1)
    assert not may_follow(MAINNET, RETARGET_INTERVAL, 0x1B0404CB, 0x1B010132 - 1)
    assert may_follow(MAINNET, RETARGET_INTERVAL, 0x1B0404CB, 0x1B010132)


@pytest.mark.slow
def test_real_runs_hold_and_end_where_the_lists_say() -> None:
    hashes = {int(height): text for height, text in FACTS["last_hashes"].items()}
    runs = real_runs()
    sample = load_sample()
    runs[sample.start] = [sample.header(height) for height in range(sample.start, sample.end)]
    checked = 0
    for start, headers in runs.items():
        rows = np.frombuffer(b"".join(headers), np.uint8).reshape(-1, 80)
        report = validate_headers(rows, MAINNET, start, threads=2, kernel="portable")
        chain = HeaderChain(MAINNET, start, headers)
        assert report.failure is None
        assert (report.tip_hash, report.work) == (chain.tip.hash, chain.tip.work)
        for height, expected in hashes.items():
            if start <= height < start + len(headers):
                assert hash_to_hex(BlockHeader.parse(headers[height - start]).hash) == expected
                checked += 1
    assert checked >= 5


def end_of_period(height: int, header: BlockHeader) -> ChainEntry:
    """Return a last header before `height` with the difficulty of its period, a fitting span."""
    before, after = (
        int(FACTS["epochs"].split()[height // RETARGET_INTERVAL + i], 16) for i in (-1, 0)
    )
    span = TARGET_TIMESPAN * decode_nbits(after) // decode_nbits(before)
    last = BlockHeader(4, bytes(32), bytes(32), header.time - 600, before, 0)
    first = dataclasses.replace(last, time=last.time - span)
    start = ChainEntry(height - RETARGET_INTERVAL, first.hash, first, 0, None)
    return ChainEntry(height - 1, header.prev_hash, last, 0, start)


@pytest.mark.parametrize("row", ERRORS, ids=lambda row: f"{row['height']}-{row['header'][150:]}")
def test_headers_with_full_work_of_blocks_that_break_a_rule(row: dict[str, Any]) -> None:
    header = BlockHeader.parse(bytes.fromhex(row["header"]))
    assert check_pow(MAINNET, header) > 0
    parent = BlockHeader(4, bytes(32), bytes(32), header.time - 600, header.nbits, 0)
    entry = ChainEntry(row["height"] - 1, header.prev_hash, parent, 0, None)
    if row["rule"] in HEADER_RULES:
        with pytest.raises(HeaderError) as refusal:
            check_in_context(MAINNET, entry, header)
        assert refusal.value.rule == HEADER_RULES[row["rule"]]
        assert refusal.value.reject == f"bad-version({header.version & 0xFFFFFFFF:#010x})"
    elif row["rule"] == "nbits_retarget_not_applied":
        with pytest.raises(HeaderError) as refusal:
            check_in_context(MAINNET, end_of_period(row["height"], header), header)
        assert (refusal.value.rule, refusal.value.reject) == ("nbits", "bad-diffbits")
    else:
        # The rule lies in the coinbase, or in times that only the headers before show.
        check_in_context(MAINNET, entry, header)
