"""Make the sample that ships with poolscope from public data.

Usage: python tools/make_sample.py HEADERS.bin FIRST_HEIGHT LABELS.csv.gz COINBASES.jsonl.gz
                                   BLOCK.bin... > monitor/sources/data/sample.bin

HEADERS.bin     consecutive raw headers from FIRST_HEIGHT on
                (ckb-cell/ckb-bitcoin-spv-testdata @df333093, WTFPL)
LABELS.csv.gz   height,time,hash,pool_slug
                (sorukumar/bitcoin-mining-pools @63c2fb4, BSD-2-Clause)
COINBASES       stale blocks with header, coinbase_tx, merkle_branch, tx_count, size
                (bitcoin-data/stale-blocks through willcl-ark/stale-blocks @fe1aafe9, MIT)
BLOCK.bin       whole blocks inside the range, whose coinbases are shipped with their branch
"""

from __future__ import annotations

import csv
import gzip
import json
import sys
from pathlib import Path
from typing import Any

from hashing.chain import HeaderChain, anchor_height
from hashing.header import HEADER_SIZE
from hashing.params import MAINNET, RETARGET_INTERVAL
from hashing.wire import merkle_branch, parse_block
from monitor.sources.sample_data import pack

LABEL_SOURCE = "sorukumar/bitcoin-mining-pools"
UNKNOWN = "unknown"


def main(headers: str, first: str, labels: str, coinbases: str, *blocks: str) -> None:
    """Write the sample to standard output."""
    raw = Path(headers).read_bytes()
    every = [raw[i : i + HEADER_SIZE] for i in range(0, len(raw), HEADER_SIZE)]
    start, end = int(first), int(first) + len(every)
    # Where a difficulty period begins, so that every later rule is checked.
    anchor = anchor_height(MAINNET, start + RETARGET_INTERVAL - 1)
    chain = HeaderChain(MAINNET, anchor, every[anchor - start :])
    with gzip.open(labels, "rt", encoding="utf-8") as file:
        slugs = {int(row["height"]): row["pool_slug"] for row in csv.DictReader(file)}
    names = sorted({slugs.get(height, UNKNOWN) for height in range(start, end)})
    with gzip.open(coinbases, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    stale = [
        _stale(row)
        for row in rows
        if row["kind"] == "proved-stale"
        and bytes.fromhex(row["header"])[4:36] in chain
        and anchor < row["height"] < end
    ]
    about = {
        "start": start,
        "previous": every[0][4:36].hex(),
        "labels": names,
        "label_source": LABEL_SOURCE,
        "coinbases": [_proved(Path(block).read_bytes(), chain) for block in blocks],
        "stale": stale,
        "sources": __doc__,
    }
    label_of = bytes(names.index(slugs.get(height, UNKNOWN)) for height in range(start, end))
    sys.stdout.buffer.write(pack(about, every, label_of))


def _stale(row: dict[str, Any]) -> dict[str, Any]:
    kept = ("height", "header", "coinbase_tx", "merkle_branch", "tx_count", "size")
    return {name: row[name] for name in kept}


def _proved(block: bytes, chain: HeaderChain) -> dict[str, Any]:
    prefix, txids = parse_block(block)
    entry = chain.get(prefix.header.hash)
    if entry is None:
        raise SystemExit("a block is not in the range of the headers")
    return {
        "height": entry.height,
        "header": block[:HEADER_SIZE].hex(),
        "coinbase_tx": prefix.coinbase.raw.hex(),
        "merkle_branch": [node.hex() for node in merkle_branch(txids)],
        "tx_count": prefix.tx_count,
        "size": len(block),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
