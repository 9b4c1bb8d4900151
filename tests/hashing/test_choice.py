"""Which kernels run, on this processor and on lesser ones, and how the choice is remembered."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hashing import choice
from hashing.errors import HashingError

COMPARE = """
import hashlib
import numpy as np
from hashing import choice
from hashing.sha256d import scan_nonces, sha256d_headers, sha256d_nodes

def sha256d(data):
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()

chance = np.random.default_rng(5)
for kernel in choice.runnable():
    for size, hashed in ((64, sha256d_nodes), (80, sha256d_headers)):
        messages = chance.integers(0, 256, (37, size), dtype=np.uint8)
        expected = [sha256d(bytes(m)) for m in messages]
        assert [bytes(d) for d in hashed(messages, kernel=kernel)] == expected, kernel
    header = bytes(80)
    expected = [
        n for n in range(3000)
        if int.from_bytes(sha256d(header[:76] + n.to_bytes(4, "little")), "little") < 1 << 248
    ]
    assert scan_nonces(header, (1 << 248) - 1, 0, 3000, kernel=kernel).tolist() == expected, kernel
"""
SSE = "+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+cx16"


def run(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


LESSER = {
    "": ["portable"],
    SSE: ["portable"],
    f"{SSE},+avx,+avx2": ["avx2", "portable"],
    f"{SSE},+sha": ["sha-ni", "portable"],
    f"{SSE},+sha,+avx,+avx2": ["sha-ni", "avx2+sha-ni", "avx2", "portable"],
}
"""Features that Numba is told to use, and the kernels that then run."""


@pytest.mark.parametrize("features", LESSER)
def test_a_lesser_processor_has_fewer_kernels(features: str) -> None:
    code = "import json; from hashing import choice; print(json.dumps(choice.runnable()))"
    found = json.loads(run(code, NUMBA_CPU_FEATURES=features))
    assert found == [name for name in LESSER[features] if name in choice.runnable()]


@pytest.mark.slow
@pytest.mark.parametrize("features", ["", f"{SSE},+sha,+avx,+avx2"])
def test_a_lesser_processor_hashes_rightly(features: str) -> None:
    run(COMPARE, NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES=features)


def test_what_the_processor_lacks_is_no_feature_even_if_numba_is_told_so() -> None:
    code = "from hashing import choice; print(*sorted(choice.features()))"
    assert "amx-tile-of-the-future" not in run(code, NUMBA_CPU_FEATURES="+amx-tile-of-the-future")


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    choice.best.cache_clear()
    yield tmp_path / "poolscope" / "kernels.json"
    choice.best.cache_clear()


@pytest.mark.slow
def test_the_choice_is_measured_once_and_remembered(empty_cache: Path) -> None:
    assert not choice.is_remembered("scan")
    best = choice.best("scan")
    assert best in choice.runnable()
    assert choice.is_remembered("scan")
    assert not choice.is_remembered("nodes")
    choice.best("nodes")
    (known,) = json.loads(empty_cache.read_text()).values()
    assert set(known) == {"scan", "nodes"}
    assert known["scan"] == best
    other = next(name for name in choice.runnable() if name != best)
    (key,) = json.loads(empty_cache.read_text())
    empty_cache.write_text(json.dumps({key: {"scan": other}}))
    choice.best.cache_clear()
    assert choice.best("scan") == other


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"x": 1}', "null", "\x00", '{"KEY": {"scan": "quantum"}}']
)
def test_a_spoilt_memory_is_no_memory(empty_cache: Path, content: str) -> None:
    empty_cache.parent.mkdir(parents=True)
    empty_cache.write_text(content.replace("KEY", choice._key()))
    assert not choice.is_remembered("scan")


def test_processors_that_share_a_home_keep_their_choices(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    processor = choice._key()
    for key in [f"other {i}" for i in range(20)]:
        monkeypatch.setattr(choice, "_key", lambda key=key: key)
        choice._remember({"scan": "portable"})
    monkeypatch.setattr(choice, "_key", lambda: processor)
    assert not choice.is_remembered("scan")
    choice._remember({"scan": "portable"})
    assert choice.is_remembered("scan")
    known = json.loads(empty_cache.read_text())
    assert list(known)[-2:] == ["other 19", processor]
    assert len(known) < 20


def test_a_place_that_cannot_be_written_is_no_failure(empty_cache: Path) -> None:
    empty_cache.parent.write_text("a file where a directory should be")
    choice._remember({"scan": "portable"})
    assert not choice.is_remembered("scan")


def test_kernels_by_name() -> None:
    assert choice.checked("portable", "scan") == "portable"
    with pytest.raises(HashingError, match="there are avx512"):
        choice.checked("quantum", "scan")


def test_what_the_processor_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "features", lambda: frozenset({"sse4.1"}))
    choice.runnable.cache_clear()
    try:
        with pytest.raises(HashingError, match="lacks: sha"):
            choice.checked("sha-ni", "scan")
    finally:
        monkeypatch.undo()
        choice.runnable.cache_clear()


def test_the_agents_part_of_hashing_needs_neither_numpy_nor_numba() -> None:
    code = (
        "import sys, hashing, hashing.chain, hashing.wire, hashing.build, hashing.params\n"
        "print([name for name in ('numpy', 'numba', 'llvmlite') if name in sys.modules])"
    )
    assert run(code).strip() == "[]"
