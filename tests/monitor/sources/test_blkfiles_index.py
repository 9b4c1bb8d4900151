"""The chain chosen from arrays is the one that the growing tree chooses."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashing.header import sha256d
from hashing.params import REGTEST
from hashing.target import decode_nbits, work_from_target
from monitor.sources.blkfiles_choice import Branch, choose
from monitor.sources.blkfiles_index import PLACE, Records, active_chain, distinct
from monitor.sources.blkfiles_records import Record
from monitor.sources.blkfiles_tree import BlockTree

EASY = REGTEST.genesis_header[72:76]
HARDER = bytes.fromhex("ffff7f1f")


def headers_of(shape: list[tuple[int, bool]]) -> list[bytes]:
    """Genesis, then a header on an earlier one for each (which, whether with more work)."""
    made = [REGTEST.genesis_header]
    for number, (back, hard) in enumerate(shape):
        parent = sha256d(made[-1 - back % len(made)])
        bits = HARDER if hard else EASY
        made.append(b"\x01\0\0\0" + parent + bytes(36) + bits + number.to_bytes(4, "little"))
    return made


def records_of(headers: list[bytes]) -> Records:
    return Records(
        np.frombuffer(b"".join(headers), np.uint8).reshape(-1, 80),
        np.frombuffer(b"".join(map(sha256d, headers)), np.uint8).reshape(-1, 32),
        np.array([(0, offset, 100) for offset in range(len(headers))], PLACE),
    )


def never(_base: Branch, _piece: Branch, _between: int) -> bool:
    return False


def chain_in(headers: list[bytes], height: int | None = 7) -> tuple[int, list[int]]:
    """Height of the first block of the chain among `headers`, and its places in them."""
    records = distinct(records_of(headers), lambda copies: copies[-1])
    found = active_chain(records, REGTEST, lambda _: height, never)
    return found.start, records.places["offset"][found.chain].tolist()


def work(headers: list[bytes]) -> int:
    return sum(work_from_target(decode_nbits(int.from_bytes(h[72:76], "little"))) for h in headers)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(
    shape=st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=30),
    data=st.data(),
)
def test_arrays_and_tree_find_the_same_most_work(
    shape: list[tuple[int, bool]], data: st.DataObject
) -> None:
    headers = headers_of(shape)
    copies = data.draw(st.lists(st.sampled_from(headers), max_size=3))
    kept = data.draw(st.permutations([*headers, *copies]))[data.draw(st.integers(0, 2)) :]

    tree = BlockTree(REGTEST)
    for offset, header in enumerate(kept):
        tree.add(Record(0, offset, 100, header))
    pieces = [branch for _, branch in tree.branches()]
    linked = next((b for digest, b in tree.branches() if digest == tree.linked), None)
    if found := choose(pieces, linked, lambda _: 7, never):
        tree.adopt(sha256d(found[0].root.header), found[1])
    tree.settle()

    start, places = chain_in(kept)
    chain = [kept[at] for at in places]
    assert all(child[4:36] == sha256d(parent) for parent, child in pairwise(chain))
    assert start == tree.first_height
    assert work(chain) == work([node.header for node in tree.active(start, 100)])


def test_of_equals_the_first_whole_one_wins_and_of_copies_the_last() -> None:
    genesis, one, other, child = headers_of([(0, False), (1, False), (0, False)])
    assert chain_in([genesis, one, other, genesis]) == (0, [3, 1])
    late = [one, other, child, genesis]
    assert chain_in(late) == (0, [3, 1, 2])
    assert chain_in(late[:3], height=None) == (0, [])
