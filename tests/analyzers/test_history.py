from __future__ import annotations

from pathlib import Path

import numpy as np

from analyzers.history import HISTORY, load_history
from analyzers.mined import Mined
from tools.make_history import read_labels, write_history


def test_what_ships() -> None:
    history = load_history()
    assert (np.diff(history.start_time) == 86_400).all()
    assert (np.diff(history.first_height) == history.blocks[:-1]).all()
    assert 600_000 < history.first_height[0] < 620_000
    assert 330_000 < history.blocks.sum() < 340_000
    assert "unknown" not in history.entities
    assert history.unattributed.sum() > 0


def test_the_file_names_its_source() -> None:
    import gzip

    head = gzip.decompress(HISTORY.read_bytes()).decode()[:600]
    assert "source: sorukumar/bitcoin-mining-pools" in head
    assert "Labels of others" in head


def test_making_history(tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    rows = [f"{h},{h * 43_200},,{'ab'[h % 2]}" for h in range(8)]
    labels.write_text("height,time,hash,pool_slug\n" + "\n".join(rows) + "\n8,345600,,unknown\n")
    mined = list(read_labels(labels))
    assert mined[1] == Mined(1, 43_200, "b")
    assert mined[-1] == Mined(8, 345_600, None)
    out = tmp_path / "history.csv.gz"
    write_history(mined, out)
    first = out.read_bytes()
    write_history(mined, out)
    assert out.read_bytes() == first
