"""What is compiled is kept; where that cannot be, it is compiled again and works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.lanes import pairs

pytestmark = pytest.mark.slow  # each call imports Numba

MODULE = """
from hashing.kernels.jit import compiled

@compiled(nogil=True)
def twice(x):
    return 2 * x
"""
CALL = """
import twice
assert twice.twice(21) == 42
stats = twice.twice.stats
print("kept" if stats.cache_hits else "compiled")
"""
LIMIT = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
"""Files end after a hundred bytes, like those on a full disk."""
SPOILT = {"empty": b"", "nothing": b"\x80\x04N.", "no pickle": b"no pickle"}
SUFFIXES = {suffix: suffix for suffix in ("nbi", "nbc")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "twice.py").write_text(MODULE)
    return tmp_path


def call(folder: Path, first: str = "") -> str:
    path = os.pathsep.join([str(folder), str(Path(__file__).parents[2])])
    environment = {"PYTHONPATH": path, "NUMBA_CACHE_DIR": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", first + CALL],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_what_is_compiled_is_kept(folder: Path) -> None:
    assert [call(folder) for _ in range(2)] == ["compiled", "kept"]


@pytest.mark.parametrize(("content", "suffix"), pairs(SPOILT, SUFFIXES))
def test_what_was_kept_may_be_spoilt(folder: Path, suffix: str, content: bytes) -> None:
    call(folder)
    (kept,) = folder.glob(f"cache/*/*.{suffix}")
    kept.write_bytes(content)
    assert [call(folder) for _ in range(2)] == ["compiled", "kept"]


def test_a_full_disk_keeps_nothing_and_stops_nothing(folder: Path) -> None:
    assert call(folder, LIMIT) == "compiled"
    assert [call(folder) for _ in range(2)] == ["compiled", "kept"]


def test_without_a_place_nothing_is_kept(folder: Path) -> None:
    (folder / "cache").write_text("no directory")
    (folder / "__pycache__").write_text("no directory")
    nowhere = "import os; os.environ['HOME'] = os.environ['XDG_CACHE_HOME'] = '/dev/null'\n"
    assert [call(folder, nowhere) for _ in range(2)] == ["compiled", "compiled"]
