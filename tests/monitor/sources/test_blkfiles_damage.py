"""Block files with what crashes and bad disks leave in them: nothing that is whole is lost.

Bitcoin Core's own reader is the judge: what it imports is read here, too.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pbk
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashing.params import MAINNET, REGTEST
from tests.support.blkfiles import (
    KEY,
    chain,
    read_at_once,
    read_by_source,
    record,
    records,
    write_all,
)
from tests.support.blocks import extend

LENGTH = 49
PER_FILE = 10
R = records(LENGTH)
MAGIC = REGTEST.magic
JUNK = random.Random(5).randbytes(300)


def size(value: int) -> bytes:
    return value.to_bytes(4, "little")


def posing(at: int, *, behind: int) -> bytes:
    """A header that is real, with a size that ends where the record after next begins."""
    swallowed = sum(map(len, R[at : at + behind]))
    return MAGIC + size(80 + 60 + swallowed) + R[at][8:88] + JUNK[:60]


INSERTED: dict[str, Callable[[int], bytes]] = {
    "half a record": lambda at: R[at][:150],
    "half a record, then zeros": lambda at: R[at][:120] + bytes(200),
    "half a record that keeps its length": lambda at: R[at][:150].ljust(len(R[at]), b"\0"),
    "half of one, twice": lambda at: R[at][:150] + R[at][:200],
    "all but its last byte": lambda at: R[at][:-1],
    "half of another one": lambda at: R[at - 3 if at > 3 else at + 3][:170],
    "half a header": lambda at: R[at][:50],
    "a lone magic": lambda _: MAGIC,
    "magic after magic": lambda _: 3 * MAGIC,
    "half a magic": lambda _: MAGIC[:3],
    "magic and size": lambda _: MAGIC + size(250),
    "size 0": lambda at: MAGIC + size(0) + R[at][8:],
    "size 80": lambda at: MAGIC + size(80) + R[at][8:88],
    "size of 4 MB and one": lambda at: MAGIC + size(4_000_001) + R[at][8:88],
    "the largest size": lambda at: MAGIC + b"\xff" * 4 + R[at][8:88],
    "a size beyond the file": lambda at: MAGIC + size(3_999_999) + R[at][8:88],
    "junk": lambda _: JUNK,
    "junk and half a record": lambda at: JUNK + R[at][:150],
    "zeros": lambda _: bytes(70_000),
    "another network's record": lambda at: MAINNET.magic + R[at][4:],
    "a size that swallows the next ones": lambda at: posing(at, behind=2),
    "a whole copy": lambda at: R[at],
}


class Changed(NamedTuple):
    """A record after damage, and whether its block can still be read by its bytes."""

    data: bytes
    readable: bool


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


CHANGED: dict[str, Callable[[bytes], Changed]] = {
    "a size too small": lambda r: Changed(MAGIC + size(100) + r[8:], True),
    "a size too large": lambda r: Changed(MAGIC + size(len(r) + 7) + r[8:], True),
    "size 0": lambda r: Changed(MAGIC + size(0) + r[8:], True),
    "a size above 4 MB": lambda r: Changed(MAGIC + size(1 << 31) + r[8:], True),
    "a bit in the body": lambda r: Changed(flipped(r, 130), False),
    "bytes cut out": lambda r: Changed(r[:140] + r[170:], False),
    "bytes put in": lambda r: Changed(r[:140] + JUNK[:33] + r[140:], False),
    "the second half lost": lambda r: Changed(r[:140], False),
    "the second half zeros": lambda r: Changed(r[:140].ljust(len(r), b"\0"), False),
    "magic in the body": lambda r: Changed(r[:130] + MAGIC + r[134:], False),
}

PLACES = {"first file": 4, "begin of a file": 10, "middle file": 25, "growing file": 36, "last": 46}


def files_with(change: Callable[[list[bytes]], None]) -> list[bytes]:
    """Five files of ten records, after `change` of the list of all."""
    parts = list(R)
    change(parts)
    return [b"".join(parts[at : at + PER_FILE]) for at in range(0, len(parts), PER_FILE)]


def heights_of_core(folder: Path, datadir: Path) -> int:
    """How high Bitcoin Core gets with the files of a folder, which are not obfuscated."""
    options = pbk.ContextOptions()
    options.set_chainparams(pbk.ChainParameters(pbk.ChainType.REGTEST))
    manager = pbk.ChainstateManager(
        pbk.ChainstateManagerOptions(pbk.Context(options), str(datadir), str(datadir / "blocks"))
    )
    manager.import_blocks([str(path) for path in sorted(folder.glob("blk*.dat"))])
    return int(manager.get_active_chain().height)


@pytest.mark.slow
@pytest.mark.parametrize("key", [b"", KEY], ids=["clear", "obfuscated"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("fault", INSERTED)
async def test_what_lies_between_records_hides_none(
    tmp_path: Path, fault: str, place: str, key: bytes
) -> None:
    at = PLACES[place]

    def change(parts: list[bytes]) -> None:
        parts[at] = INSERTED[fault](at) + parts[at]

    write_all(tmp_path / "blocks", files_with(change), key)
    for read in (await read_by_source(tmp_path / "blocks"), read_at_once(tmp_path / "blocks")):
        assert (read.first, read.tip, read.lost) == (0, LENGTH, [])
        assert read.count("unlinked_block") == 0


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("fault", INSERTED)
def test_what_core_imports_is_read(tmp_path: Path, fault: str, place: str) -> None:
    at = PLACES[place]

    def change(parts: list[bytes]) -> None:
        parts[at] = INSERTED[fault](at) + parts[at]

    write_all(tmp_path / "blocks", files_with(change))
    assert heights_of_core(tmp_path / "blocks", tmp_path / "node") <= LENGTH
    assert read_at_once(tmp_path / "blocks").tip == LENGTH


def test_core_takes_the_chain(tmp_path: Path) -> None:
    write_all(tmp_path / "blocks", files_with(lambda _: None))
    assert heights_of_core(tmp_path / "blocks", tmp_path / "node") == LENGTH


@pytest.mark.slow
@pytest.mark.parametrize("key", [b"", KEY], ids=["clear", "obfuscated"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("fault", CHANGED)
async def test_a_damaged_record_costs_its_own_block_at_most(
    tmp_path: Path, fault: str, place: str, key: bytes
) -> None:
    at = PLACES[place]
    changed = CHANGED[fault](R[at])

    def change(parts: list[bytes]) -> None:
        parts[at] = changed.data

    folder = tmp_path / "blocks"
    write_all(folder, files_with(change), key)
    by_source, at_once = await read_by_source(folder), read_at_once(folder)
    for read in (by_source, at_once):
        assert (read.first, read.tip) == (0, LENGTH)
        assert read.count("unlinked_block") == 0
    # A backfill finds what has kept its place when it reads it, not before.
    assert by_source.lost == ([] if changed.readable else [at])
    assert set(at_once.lost) <= set(by_source.lost)
    if len(changed.data) != len(R[at]) and not changed.readable:
        assert at_once.lost == [at]
        for read in (by_source, at_once):
            assert f"blk{at // PER_FILE:05}.dat, offset" in read.said()
            assert read.count("blk_record") == 1


@pytest.mark.parametrize("whole_first", [True, False])
@pytest.mark.parametrize("number", [0, 3, 4])
async def test_of_two_records_the_one_that_reads_counts(
    tmp_path: Path, whole_first: bool, number: int
) -> None:
    at = 23
    half = R[at][:150].ljust(len(R[at]), b"\0")
    files = files_with(lambda _: None)
    files[2] = files[2].replace(R[at], R[at] if whole_first else half)
    files[number] += half if whole_first else R[at]
    write_all(tmp_path, files, KEY)
    for read in (await read_by_source(tmp_path), read_at_once(tmp_path)):
        assert (read.tip, read.lost, read.left_out) == (LENGTH, [], ())


async def test_leftovers_that_cost_no_block_are_no_news_but_junk_is(tmp_path: Path) -> None:
    def half(parts: list[bytes]) -> None:
        parts[12] = R[12][:150] + R[12]

    write_all(tmp_path / "half", files_with(half))
    for read in (await read_by_source(tmp_path / "half"), read_at_once(tmp_path / "half")):
        assert read.left_out == ()

    def junk(parts: list[bytes]) -> None:
        parts[12] = JUNK + R[12]

    write_all(tmp_path / "junk", files_with(junk))
    offset = len(R[10] + R[11])
    for read in (await read_by_source(tmp_path / "junk"), read_at_once(tmp_path / "junk")):
        assert read.said() == (
            f"left out: 1 record of the block files (blk00001.dat, offset {offset}): "
            "no record can be read there"
        )


async def test_what_a_miner_wrote_into_a_coinbase_is_no_block(tmp_path: Path) -> None:
    """A miner writes records into his coinbase; then a disk loses the end of his block."""
    trunk = chain(20)
    fake = extend(trunk[20], 1, tag=b"/fake/")[0]
    tag = MAGIC + size(4_000_000) + fake.raw[:80]
    (hostile,) = extend(trunk[20], 1, tag=tag)
    rest = extend(hostile, 20)
    before = b"".join(R[:21])
    for name, middle in (
        ("whole", record(hostile)),
        ("junk before", JUNK + record(hostile)),
        ("torn", record(hostile)[:-9]),
        ("flipped", flipped(record(hostile), 40)),
    ):
        parts = [before, middle, b"".join(map(record, rest[:10])), b"".join(map(record, rest[10:]))]
        write_all(tmp_path / name, [before + middle, *parts[2:]])
        source = await read_by_source(tmp_path / name)
        assert source.tip == 41
        assert fake.raw[:80] not in source.headers
        assert read_at_once(tmp_path / name).headers == source.headers


@pytest.mark.slow
def test_hostile_files_cost_no_more_than_their_size(tmp_path: Path) -> None:
    """A record of 4 MB is promised every 100 bytes, by a coinbase that reads."""
    promise = MAGIC + size(3_900_000) + R[30][8:-4] + b"\xff" * 4
    count = 4_000_000 // len(promise)
    seconds = []
    for times in (1, 2):
        folder = tmp_path / str(times)
        write_all(folder, [b"".join(R[:20]) + promise * count * times + b"".join(R[20:])])
        started = time.process_time()
        assert read_at_once(folder).tip == LENGTH
        seconds.append(time.process_time() - started)
    assert seconds[1] < 6 * seconds[0] + 1


@st.composite
def damage(draw: st.DrawFn) -> bytes:
    """Bytes that hold no whole record: junk, zeros, and parts of records with any size."""
    one = R[draw(st.integers(1, LENGTH))]
    kind = draw(st.integers(0, 5))
    if kind == 0:
        return draw(st.binary(max_size=120))
    if kind == 1:
        return bytes(draw(st.integers(0, 300)))
    if kind == 2:
        return one[: draw(st.integers(0, len(one) - 1))]
    if kind == 3:
        wanted = draw(st.one_of(st.integers(0, 2000), st.integers(0, 0xFFFFFFFF)))
        return MAGIC + size(wanted) + one[8 : draw(st.integers(8, len(one) - 1))]
    if kind == 4:
        return one[: draw(st.integers(88, len(one) - 1))].ljust(len(one), b"\0")
    swallowed = sum(map(len, R[1 : draw(st.integers(2, 9))]))
    return MAGIC + size(80 + swallowed) + one[8:88]


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.data())
async def test_no_damage_between_records_loses_a_block(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    length, key = 29, data.draw(st.sampled_from([b"", KEY]))
    parts = R[: length + 1]
    for at in data.draw(st.lists(st.integers(0, length), max_size=5)):
        parts[at] = data.draw(damage()) + parts[at]
    cuts = sorted(data.draw(st.lists(st.integers(1, length), max_size=4, unique=True)))
    files = [b"".join(parts[low:high]) for low, high in zip([0, *cuts], [*cuts, None], strict=True)]
    files[-1] += data.draw(damage())
    write_all(folder, files, key)
    for read in (await read_by_source(folder), read_at_once(folder)):
        assert (read.first, read.tip, read.lost) == (0, length, [])
