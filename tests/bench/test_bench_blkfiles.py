"""Reading coinbases from blk files with blocks of mainnet's size, beside reading whole blocks.

The bodies are holes in sparse files: headers, counts and coinbases are all that is on disk.
"""

from __future__ import annotations

import asyncio
import resource
import time
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from hashing.header import BlockRef, sha256d
from hashing.params import REGTEST
from hashing.wire import read_block_prefix
from monitor.sources.base import SourceBlock, Want
from monitor.sources.blkfiles import BlkFilesSource
from tests.support.blocks import extend, genesis
from tests.support.sparse import BODY, GENESIS_COINBASE, KEY, write_files

BLOCKS = 20_000
WHOLE = 200
"""Blocks that the peer reads."""
GENESIS = REGTEST.genesis_header
TAG = b"/Foundry USA Pool/" + bytes(60)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("blocks")
    chain = [block.raw for block in extend(genesis(), BLOCKS, tag=TAG)]
    write_files(folder, [GENESIS + b"\x01" + GENESIS_COINBASE, *chain])
    return folder


async def read_all(folder: Path) -> list[SourceBlock]:
    source = BlkFilesSource(folder, "regtest")
    await source.open()
    headers = await source.headers(0, BLOCKS + 1)
    refs = [BlockRef(height, sha256d(header)) for height, header in enumerate(headers)]
    batch = source.capabilities.batch
    found = [
        block
        for start in range(0, len(refs), batch)
        for block in await source.blocks(refs[start : start + batch], Want.COINBASE)
    ]
    await source.close()
    return found


def read_whole(folder: Path) -> None:
    """Read whole blocks, as block parsers do that have no index."""
    left = WHOLE
    mask = int.from_bytes(KEY * (BODY // 8 + 8), "little")
    for path in sorted(folder.glob("blk*.dat")):
        with path.open("rb") as file:
            while left and (data := file.read(BODY + 8)):
                shift = (file.tell() - len(data)) % 8
                clear = int.from_bytes(data, "little") ^ (mask >> 8 * shift)
                raw = (clear & ((1 << 8 * len(data)) - 1)).to_bytes(len(data), "little")
                read_block_prefix(raw[8:])
                left -= 1


def test_from_files_to_coinbases(benchmark: BenchmarkFixture, folder: Path) -> None:
    started = time.perf_counter()
    read_whole(folder)
    peer = (time.perf_counter() - started) / WHOLE

    found = benchmark.pedantic(  # type: ignore[no-untyped-call]
        lambda: asyncio.run(read_all(folder)), rounds=2
    )

    assert len(found) == BLOCKS + 1
    assert benchmark.stats is not None
    seconds = benchmark.stats.stats.min
    benchmark.extra_info["blocks_per_second"] = round(BLOCKS / seconds)
    benchmark.extra_info["times_as_fast_as_whole_blocks"] = round(peer * BLOCKS / seconds, 1)
    benchmark.extra_info["peak_memory_mb"] = (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    )
