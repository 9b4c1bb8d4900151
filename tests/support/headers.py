"""Header chains for tests: real ones, easy ones of every network's rules, and a judge."""

from __future__ import annotations

import dataclasses
import json
import lzma
import re
from pathlib import Path
from typing import Final

import pbk

from hashing.header import HEADER_SIZE, BlockHeader, sha256d
from hashing.params import (
    MAINNET,
    REGTEST,
    SIGNET,
    TESTNET3,
    TESTNET4,
    NetworkParams,
)
from hashing.target import decode_nbits

VECTORS: Final = Path(__file__).parents[1] / "vectors"
_STORED: Final = (*range(4), *range(36, HEADER_SIZE))
_EASY_LIMIT: Final = REGTEST.pow_limit
_EASY_GENESIS: Final = dataclasses.replace(BlockHeader.parse(REGTEST.genesis_header), nonce=2)

EASY: Final = {
    params.name: dataclasses.replace(
        params, pow_limit=_EASY_LIMIT, genesis_header=_EASY_GENESIS.serialize()
    )
    for params in (MAINNET, TESTNET3, TESTNET4, SIGNET, REGTEST)
}
"""Each network's rules at a difficulty that one can mine at."""


def real_runs() -> dict[int, list[bytes]]:
    """Return runs of real mainnet headers by the height of their first."""
    line, _, packed = (VECTORS / "headers.bin").read_bytes().partition(b"\n")
    columns, runs, offset = lzma.decompress(packed), {}, 0
    for run in json.loads(line)["runs"]:
        count = run["count"]
        block = bytearray(count * HEADER_SIZE)
        for place in _STORED:
            block[place::HEADER_SIZE] = columns[offset : offset + count]
            offset += count
        previous = bytes.fromhex(run["previous"])
        for start in range(0, len(block), HEADER_SIZE):
            block[start + 4 : start + 36] = previous
            previous = sha256d(bytes(block[start : start + HEADER_SIZE]))
        runs[run["start"]] = [
            bytes(block[i : i + HEADER_SIZE]) for i in range(0, len(block), HEADER_SIZE)
        ]
    return runs


def mined(header: BlockHeader, target: int | None = None) -> BlockHeader:
    """Return `header` with the first nonce that meets `target` (by default its own)."""
    target = decode_nbits(header.nbits) if target is None else target
    stem = header.serialize()[:76]
    nonce = 0
    while int.from_bytes(sha256d(stem + nonce.to_bytes(4, "little")), "little") > target:
        nonce += 1
    return dataclasses.replace(header, nonce=nonce)


def child(
    parent: BlockHeader,
    *,
    seconds: int = 600,
    nbits: int | None = None,
    version: int = 4,
    root: bytes = bytes(32),
) -> BlockHeader:
    """Return a mined header on top of `parent`, `seconds` later."""
    bits = parent.nbits if nbits is None else nbits
    return mined(BlockHeader(version, parent.hash, root, parent.time + seconds, bits, 0))


class Judge:
    """Bitcoin Core's consensus code, asked about one header at a time."""

    def __init__(self, params: NetworkParams, directory: Path) -> None:
        kinds = {
            MAINNET: pbk.ChainType.MAINNET,
            TESTNET3: pbk.ChainType.TESTNET,
            TESTNET4: pbk.ChainType.TESTNET_4,
            SIGNET: pbk.ChainType.SIGNET,
            REGTEST: pbk.ChainType.REGTEST,
        }
        self._log: list[str] = []
        self._connection = pbk.LoggingConnection(self._log.append)
        pbk.enable_log_category(pbk.LogCategory.VALIDATION)
        pbk.set_log_level_category(pbk.LogCategory.VALIDATION, pbk.LogLevel.DEBUG)
        context = pbk.ContextOptions()
        context.set_chainparams(pbk.ChainParameters(kinds[params]))
        options = pbk.ChainstateManagerOptions(
            pbk.Context(context), str(directory), str(directory / "blocks")
        )
        options.update_block_tree_db_in_memory(True)
        options.update_chainstate_db_in_memory(True)
        self._manager = pbk.ChainstateManager(options)

    def accept(self, raw: bytes) -> bool:
        """Process a header; say whether it was accepted."""
        try:
            self._manager.process_block_header(pbk.BlockHeader(raw))
        except pbk.ProcessBlockHeaderException:
            return False
        return True

    def verdict(self, raw: bytes) -> str:
        """Return the reject reason that Bitcoin Core logs for a header, empty if it accepts."""
        self._log.clear()
        if self.accept(raw):
            return ""
        said = " ".join(self._log)
        if "prev block not found" in said:
            return "prev-blk-not-found"
        found = re.search(r"BlockHeader: [0-9a-f]{64}, ([^,]+),", said)
        assert found, said
        return found.group(1)
