"""Make the history that ships: daily blocks per pool from published labels by height.

The input is a CSV (plain or .gz) with the columns height, time, hash and pool_slug, without
gaps in height. The labels are those of whoever published it, not ours.

    python tools/make_history.py pool_labels_by_height.csv.gz
"""

from __future__ import annotations

import argparse
import csv
import gzip
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from analyzers.history import COLUMNS, HISTORY
from analyzers.mined import Mined
from analyzers.windows import Window, partition

UNKNOWN = frozenset({"", "unknown"})
SOURCE = (
    "# Daily blocks per pool (UTC days of header time, running maximum). Labels of others, not "
    "attributed by this project.\n"
    "# source: sorukumar/bitcoin-mining-pools @63c2fb4, @ca5ba784, @503f363 (BSD-2-Clause): "
    "label by height, names after mempool's list.\n"
    "# made by tools/make_history.py; an empty pool stands for blocks that the source labels "
    "unknown.\n"
)


def read_labels(path: Path) -> Iterator[Mined]:
    """Read the labels in the order of the file; stop with a message where a height is missing."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as lines:
        previous = None
        for row in csv.DictReader(lines):
            height = int(row["height"])
            if previous is not None and height != previous + 1:
                sys.exit(f"{path}: height {height} follows {previous}")
            previous = height
            slug = row["pool_slug"]
            yield Mined(height, int(row["time"]), None if slug in UNKNOWN else slug)


def write_history(mined: list[Mined], path: Path) -> None:
    """Write one row a day and pool, gzipped so that the same input gives the same bytes."""
    days = partition(mined, Window(seconds=86_400))
    rows = [",".join(COLUMNS)]
    for index, found in enumerate(days.rows()):
        counts = Counter(found)
        counts[""] = int(days.unattributed[index])
        day, height = days.start_time[index] // 86_400, days.first_height[index]
        rows += [f"{day},{height},{pool},{blocks}" for pool, blocks in counts.items() if blocks]
    text = SOURCE + "\n".join(rows) + "\n"
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labels", type=Path, help="CSV of labels by height, plain or .gz")
    parser.add_argument("--out", type=Path, default=Path(str(HISTORY)), help="file to write")
    arguments = parser.parse_args()
    write_history(list(read_labels(arguments.labels)), arguments.out)


if __name__ == "__main__":
    main()
