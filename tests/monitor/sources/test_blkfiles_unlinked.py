"""Block files whose blocks do not all link: lost files, lost records, a node with a snapshot."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from hashing.header import BlockRef, sha256d
from hashing.params import NETWORKS, REGTEST, TARGET_TIMESPAN
from monitor.errors import BadReply, SourceRefused, SourceUnavailable
from monitor.sources import blkfiles
from monitor.sources.base import Want
from monitor.sources.blkfiles_choice import FEW, QUIET, WINDOW, Branch, Lay, choose
from monitor.sources.blkfiles_records import Record, meets_target
from tests.support.blkfiles import (
    KEY,
    Read,
    chain,
    covered,
    opened,
    read_at_once,
    read_by_source,
    record,
    records,
    write,
    write_all,
)
from tests.support.blocks import extend

LENGTH = 119
R = records(LENGTH)


def files(*ranges: tuple[int, int]) -> list[bytes]:
    """A file for each range of heights, the second one excluded."""
    return [b"".join(R[low:high]) for low, high in ranges]


TENS = [(low, low + 20) for low in range(0, 120, 20)]
BETWEEN = "the blocks between them and the chain are not in the files"


async def both(folder: Path) -> Read:
    """What the source reads, which has to be what a backfill reads."""
    by_source, at_once = await read_by_source(folder), read_at_once(folder)
    assert (by_source.first, by_source.headers) == (at_once.first, at_once.headers)
    assert by_source.said() == at_once.said()
    return by_source


@pytest.mark.parametrize("key", [b"", KEY], ids=["clear", "obfuscated"])
@pytest.mark.parametrize(
    ("missing", "first", "said"),
    [
        ((2,), 60, ["heights 0 to 39", "is blk00002.dat missing?"]),
        ((1, 3), 80, ["heights 40 to 59", "heights 0 to 19", "blk00001.dat and blk00003.dat"]),
        ((4,), 100, ["heights 0 to 79", "is blk00004.dat missing?"]),
    ],
)
async def test_a_missing_file_is_named_and_the_higher_chain_followed(
    tmp_path: Path, key: bytes, missing: tuple[int, ...], first: int, said: list[str]
) -> None:
    parts = files(*TENS)
    for number in missing:
        parts[number] = b""
    write_all(tmp_path, parts, key)
    read = await both(tmp_path)
    assert (read.first, read.tip) == (first, LENGTH)
    assert read.count("unlinked_block") == first - 20 * len(missing)
    assert all(text in read.said() for text in said)


@pytest.mark.slow
@pytest.mark.parametrize("at", [20, 30, 39], ids=["first", "within", "last"])
@pytest.mark.parametrize(
    "byte", [0, 8, 12, 48, 80], ids=["magic", "version", "parent", "root", "n"]
)
async def test_one_bit_of_a_header_costs_what_lies_below(
    tmp_path: Path, at: int, byte: int
) -> None:
    parts = list(R)
    parts[at] = R[at][:byte] + bytes([R[at][byte] ^ 1]) + R[at][byte + 1 :]
    # At regtest's difficulty every second header has work: then it is a block like any other.
    another = byte in {8, 12, 80} and meets_target(parts[at][8:88], REGTEST)
    write_all(tmp_path, [b"".join(parts[low:high]) for low, high in TENS])
    read = await both(tmp_path)
    assert (read.first, read.tip) == (at + 1, LENGTH)
    assert read.count("unlinked_block") == at + another
    linked = at + (another and byte != 12)
    assert f"heights 0 to {linked - 1}" in read.said()
    assert BETWEEN in read.said()
    assert another or read.count("blk_record") == 1
    assert another or "blk00001.dat, offset" in read.said()


async def test_a_genesis_block_with_a_wrong_parent_is_at_no_height(tmp_path: Path) -> None:
    """Its coinbase begins with nBits, which reads as the height 486604799."""
    header = REGTEST.genesis_header
    harmed = next(
        changed
        for byte in range(256)
        if byte != header[4]
        and meets_target(changed := header[:4] + bytes([byte]) + header[5:], REGTEST)
    )
    write(tmp_path, 0, R[0][:8] + harmed + R[0][88:])
    with pytest.raises(SourceUnavailable):
        await read_by_source(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("key", [b"", KEY], ids=["clear", "obfuscated"])
@pytest.mark.parametrize(("below", "base"), [(1, 20), (11, 60), (30, 31), (50, 110)])
async def test_the_chain_on_a_snapshot_is_followed(
    tmp_path: Path, key: bytes, below: int, base: int
) -> None:
    """As with assumeutxo: two chains, each in files of its own."""
    write_all(tmp_path, files((0, below), (base + 1, base + 5), (base + 5, LENGTH + 1)), key)
    read = await both(tmp_path)
    count = LENGTH - base
    if count > FEW:
        assert (read.first, read.tip) == (base + 1, LENGTH)
        assert read.count("unlinked_block") == (below if below > FEW or count > FEW else 0)


@pytest.mark.slow
async def test_a_snapshots_chain_and_the_one_below_become_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node fills the gap while an agent follows; nothing breaks on the way."""
    monkeypatch.setattr(blkfiles, "PATIENCE", 0.0)
    write_all(tmp_path, [*files((0, 15)), b"", *files((60, 80), (80, 90))])
    async with opened(tmp_path) as source:
        assert (await source.tip()).height == 89
        assert source.capabilities.first_height == 60
        upper = await source.headers(60, 100)
        for known in range(15, 60):
            write(
                tmp_path, 0 if known < 30 else 1, b"".join(R[0 if known < 30 else 30 : known + 1])
            )
            write(tmp_path, 3, b"".join(R[80 : 90 + known // 3]))
            tip = await source.tip()
            assert tip.height == 89 + known // 3
            assert (await source.headers(60, 30)) == upper
            (block,) = await source.blocks([tip], Want.PROVED)
            assert block.ref == tip
    read = await both(tmp_path)
    assert (read.first, read.tip, read.left_out) == (0, 108, ())


async def test_the_gap_is_filled_under_an_open_source(tmp_path: Path) -> None:
    write_all(tmp_path, [*files((0, 15)), b"", b"", *files((60, 80), (80, 90))])
    async with opened(tmp_path) as source:
        assert (await source.tip()).height == 89
        assert [left.count for left in source.left_out] == [15]
        # The background chain goes on in the file after the newest one.
        write(tmp_path, 5, b"".join(R[15:60]))
        tip = await source.tip()
        assert tip.height == 89
        assert source.capabilities.first_height == 0
        assert source.left_out == ()
        assert [sha256d(h) for h in await source.headers(0, 90)] == [
            sha256d(block.raw[:80]) for block in chain(LENGTH)[:90]
        ]
        write(tmp_path, 5, b"".join(R[15:60] + R[90:95]))
        assert (await source.tip()).height == 94


async def test_a_snapshot_that_is_loaded_later_is_followed_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_all(tmp_path, files((0, 10), (10, 30)))
    async with opened(tmp_path) as source:
        write(tmp_path, 2, b"".join(R[60:100]))
        assert (await source.tip()).height == 29
        assert [left.count for left in source.left_out] == [40]
        monkeypatch.setattr(blkfiles, "PATIENCE", 0.0)
        assert (await source.tip()).height == 99
        assert source.capabilities.first_height == 60
        assert [left.count for left in source.left_out] == [30]


async def test_blocks_that_come_in_any_order_are_waited_for(tmp_path: Path) -> None:
    """As in the first download: what is missing is under way."""
    write_all(tmp_path, [b"".join(R[:20] + R[21:60])])
    read = await both(tmp_path)
    assert (read.first, read.tip) == (0, 19)
    assert f"39 blocks that do not link (heights 21 to 59): {BETWEEN}" in read.said()
    async with opened(tmp_path) as source:
        write(tmp_path, 0, b"".join(R[:20] + R[21:60] + R[20:21]))
        assert (await source.tip()).height == 59
        assert source.left_out == ()


async def test_the_same_files_at_rest_are_no_download(tmp_path: Path) -> None:
    write_all(tmp_path, [b"".join(R[:20] + R[21:60])])
    long_ago = (tmp_path / "blk00000.dat").stat().st_mtime - 2 * QUIET
    os.utime(tmp_path / "blk00000.dat", (long_ago, long_ago))
    read = await both(tmp_path)
    assert (read.first, read.tip) == (21, 59)


@pytest.mark.parametrize("waiting", [1, FEW])
async def test_a_few_blocks_at_the_growing_end_are_no_news(tmp_path: Path, waiting: int) -> None:
    write_all(tmp_path, [b"".join(R[:20]), b"".join(R[20:40] + R[41 : 41 + waiting])])
    read = await both(tmp_path)
    assert (read.first, read.tip, read.left_out) == (0, 39, ())


async def test_a_torn_block_at_the_growing_end_is_no_news(tmp_path: Path) -> None:
    for tail in (R[40][:150], R[40][:150] + bytes(500), R[40][:5]):
        write_all(tmp_path, [b"".join(R[:20]), b"".join(R[20:40]) + tail])
        read = await both(tmp_path)
        assert (read.first, read.tip, read.left_out) == (0, 39, ())


async def test_a_pruned_nodes_files_begin_with_blocks_that_never_link(tmp_path: Path) -> None:
    """Blocks are stored as they come, so those below the first one that links are of no use."""
    write(tmp_path, 7, b"".join([*R[20:23], *R[25:31], *R[32:60]]))
    write(tmp_path, 8, b"".join(R[60:80]))
    read = await both(tmp_path)
    assert (read.first, read.tip, read.left_out) == (32, 79, ())


@pytest.mark.parametrize(("period", "first"), [(20, 60), (50, 100)])
async def test_a_chain_is_begun_where_a_period_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, period: int, first: int
) -> None:
    spacing = TARGET_TIMESPAN // period
    retargeting = dataclasses.replace(REGTEST, no_retarget=False, spacing=spacing)
    monkeypatch.setitem(NETWORKS, "regtest", retargeting)
    write_all(tmp_path, [*files((0, 15)), b"", *files((57, 110))])
    async with opened(tmp_path) as source:
        assert source.capabilities.first_height == first
    write_all(tmp_path, [*files((0, 15)), b"", *files((61, 79))])
    with pytest.raises(SourceRefused, match="begins at 61 there") as caught:
        async with opened(tmp_path):
            pass
    assert "\n" not in str(caught.value)


class TestFiles:
    async def test_an_unreadable_file_is_counted(self, tmp_path: Path) -> None:
        write_all(tmp_path, files(*TENS))
        (tmp_path / "blk00002.dat").unlink()
        (tmp_path / "blk00002.dat").symlink_to("blk00002.dat")  # a link to itself
        read = await both(tmp_path)
        assert (read.first, read.tip) == (60, LENGTH)
        assert "1 block file (blk00002.dat): it is not a regular file" in read.said()
        assert "is blk00002.dat missing?" in read.said()

    @pytest.mark.skipif(os.geteuid() != 0, reason="needs to give up its rights")
    async def test_one_without_permission_is_counted(self, tmp_path: Path) -> None:
        write_all(tmp_path, files(*TENS))
        write_all(tmp_path / "newest", files(*TENS))
        (tmp_path / "blk00002.dat").chmod(0)
        (tmp_path / "newest" / "blk00005.dat").chmod(0)
        for parent in [tmp_path, *tmp_path.parents][:-1]:
            parent.chmod(parent.stat().st_mode | 0o055)
        os.seteuid(65534)
        try:
            read = await both(tmp_path)
            with pytest.raises(SourceRefused, match="read permission"):
                await read_by_source(tmp_path / "newest")
        finally:
            os.seteuid(0)
        assert (read.first, read.tip) == (60, LENGTH)
        assert read.count("blk_file") == 1
        assert "blk00002.dat: Permission denied" in read.said()

    async def test_a_directory_a_pipe_and_strange_names_are_no_files(self, tmp_path: Path) -> None:
        write_all(tmp_path, files((0, 60), (60, 120)))
        (tmp_path / "blk00002.dat").mkdir()
        os.mkfifo(tmp_path / "blk00003.dat")
        (tmp_path / "blk00004.dat").symlink_to(tmp_path / "nowhere")
        for name in (
            "blk.dat",
            "blk1.dat",
            "blk000001.dat",
            "blk00005.dat.bak",
            "blk\u0660\u0661\u0660\u0660\u0666.dat",
        ):
            (tmp_path / name).write_bytes(b"anything")
        read = await both(tmp_path)
        assert (read.first, read.tip) == (0, LENGTH)
        assert read.said() == (
            "left out: 3 block files (blk00002.dat, blk00003.dat, blk00004.dat): "
            "it is not a regular file"
        )

    async def test_links_lead_to_files_on_other_disks(self, tmp_path: Path) -> None:
        other = tmp_path / "other"
        write_all(other, files((0, 60), (60, 120)))
        here = tmp_path / "blocks"
        here.mkdir()
        (here / "blk00000.dat").symlink_to(other / "blk00000.dat")
        (here / "blk00001.dat").symlink_to("../other/blk00001.dat")
        assert (await both(here)).tip == LENGTH

    async def test_a_hole_in_the_numbers_that_hides_nothing_is_none(self, tmp_path: Path) -> None:
        for number, data in zip((0, 3, 90_000), files((0, 40), (40, 80), (80, 120)), strict=True):
            write(tmp_path, number, data)
        read = await both(tmp_path)
        assert (read.first, read.tip, read.left_out) == (0, LENGTH, ())

    async def test_a_block_twice_in_different_files(self, tmp_path: Path) -> None:
        write_all(tmp_path, [b"".join(R[:60]), b"".join(R[40:80]), b"".join(R[70:])])
        read = await both(tmp_path)
        assert (read.first, read.tip, read.lost, read.left_out) == (0, LENGTH, [], ())

    async def test_a_file_of_junk_costs_nothing_but_itself(self, tmp_path: Path) -> None:
        write_all(tmp_path, [os.urandom(5000), *files((0, 60), (60, 120))])
        read = await both(tmp_path)
        assert (read.first, read.tip) == (0, LENGTH)
        assert "blk00000.dat, offset 0" in read.said()

    async def test_a_file_that_becomes_shorter_and_one_that_is_replaced(
        self, tmp_path: Path
    ) -> None:
        write_all(tmp_path, files((0, 60), (60, 90)), KEY)
        async with opened(tmp_path) as source:
            assert (await source.tip()).height == 89
            last = BlockRef(89, chain(LENGTH)[89].header.hash)
            os.truncate(tmp_path / "blk00001.dat", 1000)
            assert (await source.tip()).height == 89
            with pytest.raises(BadReply):
                await source.blocks([last], Want.COINBASE)
            await source.open()
            assert (await source.tip()).height < 89
            others = extend(chain(LENGTH)[59], 40, tag=b"/others/")
            replaced = tmp_path / "new"
            replaced.write_bytes(covered(b"".join(map(record, others)), KEY))
            replaced.rename(tmp_path / "blk00001.dat")
            assert (await source.tip()) == others[-1].ref
            with pytest.raises(BadReply, match="another block is there now"):
                await source.blocks([chain(LENGTH)[61].ref], Want.COINBASE)
            await source.open()  # looks at all files anew
            assert (await source.tip()) == others[-1].ref
            assert await source.stale_tips() == []

    async def test_the_newest_file_may_not_vanish(self, tmp_path: Path) -> None:
        write_all(tmp_path, files((0, 60), (60, 90)))
        async with opened(tmp_path) as source:
            (tmp_path / "blk00001.dat").unlink()
            with pytest.raises(SourceUnavailable, match="is gone"):
                await source.tip()

    @pytest.mark.slow
    @pytest.mark.parametrize("cut", range(12))
    async def test_magic_across_the_pieces_of_a_search(self, tmp_path: Path, cut: int) -> None:
        head = b"".join(R[:10])
        junk = b"\xfa" * ((1 << 20) - 10 + cut) + b"\x01"
        write_all(tmp_path, [head + junk + b"".join(R[10:])], KEY)
        assert (await both(tmp_path)).tip == LENGTH

    @pytest.mark.slow
    async def test_many_looks_while_the_node_writes(self, tmp_path: Path) -> None:
        """Whatever part of a record is there at a look, the block comes when it is whole."""
        data = b"".join(R[:30])
        path = write(tmp_path, 0, data + bytes(4000), KEY)
        async with opened(tmp_path) as source:
            for at in range(30, 34):
                for part in range(1, len(R[at]), 37):
                    written = data + R[at][:part]
                    path.write_bytes(covered(written, KEY) + bytes(4000))
                    assert (await source.tip()).height == at - 1
                data += R[at]
                path.write_bytes(covered(data, KEY) + bytes(4000))
                assert (await source.tip()).height == at
            assert source.left_out == ()


def branch(first: int, last: int, *, work: int = 2, file: int = 0) -> Branch:
    """A piece of the chain in one file, whose root's offset tells its height."""
    length = last - first + 1
    root, end = (Record(file, at, 100, bytes(80)) for at in (first, last))
    return Branch(root, end, length, work * length, length, frozenset({file}))


def height_of(piece: Branch) -> int | None:
    return piece.root.offset


def chosen(pieces: Sequence[Branch], lay: Lay | None = None, *, linked: bool = True) -> int:
    lasts = (lay or Lay()).is_lasting
    found = choose(pieces, pieces[0] if linked else None, height_of, lasts)
    assert found is not None
    return found[1]


class TestChoice:
    def test_heights_decide_where_work_is_unknown(self) -> None:
        low = branch(0, 150_000, work=10)
        assert chosen([low, branch(840_001, 840_050, work=1000, file=3)]) == 840_001
        assert chosen([low, branch(100_000, 140_000, work=1000, file=3)]) == 0

    def test_what_somebody_made_up_is_not_followed(self) -> None:
        """It would take a sixteenth of the work of real blocks, each."""
        low = branch(0, 800_000, work=1600)
        assert chosen([low, branch(900_000, 900_100, work=99, file=3)]) == 0
        assert chosen([low, branch(900_000, 900_100, work=100, file=3)]) == 900_000

    def test_a_few_blocks_are_not_followed(self) -> None:
        low = branch(0, 1000)
        assert chosen([low, branch(2500, 2499 + FEW, file=1)]) == 0
        assert chosen([low, branch(2500, 2500 + FEW, file=1)]) == 2500

    def test_a_download_is_no_snapshot(self) -> None:
        low, ahead = branch(0, 1000), branch(1003, 1000 + WINDOW)
        assert chosen([low, ahead]) == 0
        assert chosen([low, branch(1003, 1001 + WINDOW)]) == 1003
        assert chosen([low, ahead], Lay(quiet=True)) == 1003
        assert chosen([low, ahead], Lay(missing=(4,))) == 1003
        assert chosen([low, ahead], Lay(damaged=frozenset({0}))) == 1003
        assert chosen([low, ahead], Lay(damaged=frozenset({7}))) == 0

    def test_without_genesis_the_most_work_is_the_base(self) -> None:
        pieces = [branch(10, 20), branch(30, 90), branch(95, 99)]
        assert chosen(pieces, linked=False) == 30
