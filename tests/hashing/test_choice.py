"""Which kernels run, on this processor and on lesser ones, and how the choice is remembered."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import platformdirs
import pytest
from llvmlite import binding

from hashing import choice
from hashing.contest import Standing
from hashing.errors import HashingError
from hashing.kernels.build import DESIGNS
from tests.support.lanes import HEAVY, pairs
from tests.support.patience import PATIENCE

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
        [sys.executable, "-c", textwrap.dedent(code)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
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


@pytest.mark.slow
@pytest.mark.parametrize("features", LESSER)
def test_a_lesser_processor_has_fewer_kernels(features: str) -> None:
    code = "import json; from hashing import choice; print(json.dumps(choice.runnable()))"
    found = json.loads(run(code, NUMBA_CPU_FEATURES=features))
    assert found == [name for name in LESSER[features] if name in choice.runnable()]


@pytest.mark.slow
@pytest.mark.parametrize("features", ["", pytest.param(f"{SSE},+sha,+avx,+avx2", marks=HEAVY)])
def test_a_lesser_processor_hashes_rightly(features: str) -> None:
    run(COMPARE, NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES=features)


@pytest.mark.slow
def test_what_the_processor_lacks_is_no_feature_even_if_numba_is_told_so() -> None:
    code = "from hashing import choice; print(*sorted(choice.features()))"
    assert "amx-tile-of-the-future" not in run(code, NUMBA_CPU_FEATURES="+amx-tile-of-the-future")


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    forget()
    yield tmp_path / "poolscope" / "kernels.json"
    forget()


def forget() -> None:
    choice.best.cache_clear()
    choice.good.cache_clear()


def known(cache: Path) -> dict[str, object]:
    (known,) = json.loads(cache.read_text()).values()
    assert isinstance(known, dict)
    return known


@pytest.mark.slow
def test_the_choice_is_measured_once_and_remembered(empty_cache: Path) -> None:
    assert not choice.is_remembered("scan")
    best = choice.best("scan")
    assert best in choice.runnable()
    assert choice.is_remembered("scan")
    assert not choice.is_remembered("nodes")
    choice.best("nodes")
    assert set(known(empty_cache)) - {"untried"} == {"scan", "nodes"}
    assert known(empty_cache)["scan"] == best
    other = next(name for name in choice.runnable() if name != best)
    (key,) = json.loads(empty_cache.read_text())
    empty_cache.write_text(json.dumps({key: {"scan": other}}))
    forget()
    assert choice.best("scan") == other
    assert choice.untried("scan") == ()


PROCESSORS = {features or "none": features for features in LESSER} | {"this one": None}
SHAPES = {shape: shape for shape in ("scan", "headers")}
CHOOSE = """
    import json, time
    from hashing import choice
    from hashing.contest import Budget

    built = []
    build = choice._run

    def counted(shape, name):
        built.append(name)
        run = build(shape, name)
        return lambda count: hashed.append((name, count)) or run(count)

    hashed = []
    choice._run = counted
    before = time.thread_time()
    best = choice.best("SHAPE")
    spent = time.thread_time() - before
    hashes = {name: sum(n for who, n in hashed if who == name) for name in built}
    left = choice.untried("SHAPE")
    print(json.dumps([best, built, hashes, left, spent]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("features", "shape"), pairs(PROCESSORS, SHAPES))
def test_a_choice_keeps_to_its_budget_on_every_processor(
    features: str | None, shape: str, tmp_path: Path
) -> None:
    environment = {"XDG_CACHE_HOME": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "numba")}
    if features is not None:
        environment |= {"NUMBA_CPU_FEATURES": features}
    told = run(CHOOSE.replace("SHAPE", shape), **environment)
    best, built, hashes, untried, spent = json.loads(told)
    assert best in (built or ["portable"])
    # One does the work. The others had to fit, and what was slow was not run for long.
    assert len(built) <= 1 or spent < choice.SECONDS + 1
    assert len(built) <= 3
    assert sum(hashes.values()) < 1 << 23
    assert not set(untried) & set(built)
    if built:
        assert known(tmp_path / "poolscope" / "kernels.json")[shape] == best


SLOW = """
    import dataclasses, json, time
    from hashing import choice
    from hashing.kernels.build import DESIGNS, _lanes

    real = choice._run

    def slowed(shape, name):
        run = real(shape, "portable")
        if name != "slow":
            return run
        def repeat(count):
            begun = time.thread_time()
            for _ in range(500):
                run(count)
            seconds.append(time.thread_time() - begun)
        return repeat

    seconds = []
    choice._run = slowed
    slow = dataclasses.replace(_lanes("slow", 4), outruns=frozenset(DESIGNS))
    designs = list(DESIGNS.items())
    designs.insert(PLACE, ("slow", slow))
    DESIGNS.clear()
    DESIGNS.update(designs)
    best = choice.best("scan")
    print(json.dumps([best, choice.untried("scan"), len(seconds), sum(seconds)]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("place", [0, 2])
def test_a_design_that_is_500_times_slower_is_dropped_at_once(place: int, tmp_path: Path) -> None:
    best, untried, runs, seconds = json.loads(
        run(SLOW.replace("PLACE", str(place)), XDG_CACHE_HOME=str(tmp_path))
    )
    assert best != "slow"
    assert "slow" not in untried
    assert 0 < runs <= 8
    assert seconds / runs < 0.5


KILLED = """
    import os, signal
    from hashing import choice

    real = choice._run

    def killed(shape, name):
        if name == "avx2":
            os.kill(os.getpid(), signal.SIGNAL)
        return real(shape, "portable")

    choice._run = killed
    choice.runnable = lambda: ("sha-ni", "avx512", "avx2", "portable")
    choice.DESIGNS["sha-ni"] = choice.DESIGNS["portable"]
    choice.DESIGNS["avx512"] = choice.DESIGNS["portable"]
    print(choice.best("scan"))
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", ["SIGKILL", "SIGSEGV", "SIGINT"])
def test_what_ends_the_process_costs_the_kernel_at_hand_only(number: str, tmp_path: Path) -> None:
    code = textwrap.dedent(KILLED.replace("SIGNAL", number))
    environment = {"XDG_CACHE_HOME": str(tmp_path)}

    def choose() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-X", "faulthandler=0", "-c", code]
        return subprocess.run(
            command,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    first = choose()
    assert first.returncode == -getattr(signal, number), first.stderr
    kept = known(tmp_path / "poolscope" / "kernels.json")
    assert kept["scan"] in {"sha-ni", "avx512"}
    # Whoever presses Ctrl-C is no fault of the kernel's; what took the process down may be.
    left = {"scan": ["avx2", "portable"] if number == "SIGINT" else ["portable"]}
    assert kept["untried"] == left
    second = choose()
    if number == "SIGINT":
        assert second.returncode == -signal.SIGINT
    else:
        assert second.returncode == 0, second.stderr
        assert known(tmp_path / "poolscope" / "kernels.json").get("untried") is None


@pytest.mark.slow
def test_several_processes_choose_at_once(tmp_path: Path) -> None:
    environment = {"XDG_CACHE_HOME": str(tmp_path), "NUMBA_CPU_FEATURES": f"{SSE},+avx,+avx2"}
    code = "from hashing import choice; print(choice.best('SHAPE'))"
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code.replace("SHAPE", shape)],
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for shape in ("scan", "scan", "nodes")
    ]
    told = [process.communicate()[0].strip() for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert told[0] == told[1]
    # One may write what another had not read yet; who lost it chooses again.
    kept = known(tmp_path / "poolscope" / "kernels.json")
    assert kept.items() <= {"scan": told[0], "nodes": told[2]}.items()
    left = list((tmp_path / "poolscope").iterdir())
    assert [path.name for path in left] == ["kernels.json"]


def test_a_small_job_measures_nothing(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    choice._keep("headers", Standing("portable", ("quick",)))
    monkeypatch.setattr(choice, "hold", None)
    assert choice.checked(None, "headers", choice.WORTH_MEASURING - 1) == "portable"


def test_where_there_is_one_kernel_nothing_is_compiled_to_choose_it(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "runnable", lambda: ("portable",))
    monkeypatch.setattr(choice, "_run", None)
    assert choice.best("scan") == "portable"
    assert known(empty_cache) == {"scan": "portable"}


def test_a_kernel_that_is_hopeless_here_is_not_even_tried(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "runnable", lambda: tuple(DESIGNS))
    for processor, hopeful in (("znver4", 6), ("znver3", 5), ("alderlake", 6), ("generic", 6)):
        monkeypatch.setattr(binding, "get_host_cpu_name", lambda name=processor: name)
        standing = choice._standing("scan")
        assert standing.best is None
        assert len(standing.untried) == hopeful
        assert ("avx2+sha-ni" in standing.untried) == (processor != "znver3")


def test_designs_outrun_only_what_comes_after_them() -> None:
    names = list(DESIGNS)
    for name, design in DESIGNS.items():
        assert design.outruns <= set(names[names.index(name) + 1 :])
    assert not DESIGNS["portable"].features
    assert not DESIGNS["portable"].hopeless_on


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "{", '{"x": 1}', "null", "\x00", '{"KEY": {"scan": "quantum"}}', "[" * 100_000),
        *('{"KEY": {"scan": ["portable"]}}', '{"KEY": {"scan": {}}}', '{"KEY": []}', '{"KEY": 1}'),
    ],
)
def test_a_spoilt_memory_is_no_memory(empty_cache: Path, content: str) -> None:
    empty_cache.parent.mkdir(parents=True)
    empty_cache.write_text(content.replace("KEY", choice._key()))
    assert not choice.is_remembered("scan")
    choice._keep("scan", Standing("portable", ("quick",)))
    assert known_here(empty_cache) == {"scan": "portable", "untried": {"scan": ["quick"]}}


@pytest.mark.parametrize(
    "untried",
    ["null", "1", "[]", '["avx2"]', '{"scan": 1}', '{"scan": [1, null, {}, "portable", "new"]}'],
)
def test_what_is_left_to_try_may_be_spoilt_as_well(empty_cache: Path, untried: str) -> None:
    empty_cache.parent.mkdir(parents=True)
    text = f'{{"{choice._key()}": {{"scan": "portable", "untried": {untried}}}}}'
    empty_cache.write_text(text)
    assert choice._standing("scan") == Standing("portable")
    choice._keep("nodes", Standing("portable"))
    assert known_here(empty_cache)["nodes"] == "portable"


def known_here(cache: Path) -> dict[str, object]:
    found = json.loads(cache.read_text())[choice._key()]
    assert isinstance(found, dict)
    return found


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
    assert not choice._remember({"scan": "portable"})
    assert not choice.is_remembered("scan")


def test_who_has_no_home_leaves_nothing_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda _name: Path("~/.cache"))
    assert not choice._remember({"scan": "portable"})
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_the_last_choice(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert choice._remember({"scan": "portable"})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert not choice._remember({"scan": "avx2"})
    assert known(empty_cache) == {"scan": "portable"}
    assert [path.name for path in empty_cache.parent.iterdir()] == ["kernels.json"]


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
        "from hashing.hashrate import measure_hashlib\n"
        "measure_hashlib(0.01)\n"
        "print([name for name in ('numpy', 'numba', 'llvmlite') if name in sys.modules])"
    )
    assert run(code).strip() == "[]"


@pytest.mark.slow
def test_kernels_work_where_nothing_can_be_kept(tmp_path: Path) -> None:
    """A container that may write nowhere: neither beside the source nor in a cache."""
    code = """
        from numba.core import caching
        import hashlib

        for locator in caching.CacheImpl._locator_classes:
            locator.from_function = classmethod(lambda *_: None)
        from hashing import choice
        from hashing.params import MAINNET
        from hashing.sha256d import sha256d_headers
        from hashing.validate import validate_headers
        import numpy as np

        genesis = np.frombuffer(MAINNET.genesis_header, np.uint8).reshape(1, -1)
        assert validate_headers(genesis, MAINNET, kernel="portable").failure is None
        print(sha256d_headers(genesis)[0][:4].tobytes().hex())
    """
    (tmp_path / "poolscope").write_text("no directory")
    assert run(code, XDG_CACHE_HOME=str(tmp_path)).strip() == "6fe28c0a"
