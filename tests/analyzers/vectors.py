"""Where the test vectors lie, and the mix of pools that simulations draw from."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

VECTORS = Path(__file__).parent.parent / "vectors"

EXAMPLE = [43, 25, 20, 15, 9, 7, 4, 4, 4, 3, 2, 2, 2, 1, 1, 1, 1]
"""144 blocks of a day like those of 2025."""


def load(name: str) -> Any:
    return json.loads((VECTORS / name).read_text("utf-8"))


def read_rows(name: str) -> list[dict[str, str]]:
    """Return the rows of a CSV file, lines that begin with # left out."""
    lines = (VECTORS / name).read_text("utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def pool_mix(lens: str) -> NDArray[np.float64]:
    """Return true shares, by ``tags`` or with AntPool and friends as one (``friends``)."""
    rows = read_rows("pool_mix_2025.csv")
    shares = np.array([float(row["share"]) for row in rows])
    friends = np.array([row["friends"] == "1" for row in rows])
    if lens == "friends":
        shares = np.concatenate([[shares[friends].sum()], shares[~friends]])
    mix: NDArray[np.float64] = shares / shares.sum()
    return mix
