"""``poolscope hashrate`` and ``poolscope verify-headers`` as one runs them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hashing import choice
from hashing.header import hash_to_hex, sha256d
from monitor.cli import cli
from monitor.commands import first_use as first_use_of_kernels
from monitor.errors import PoolscopeError
from monitor.store.base import Step
from monitor.store.sql import open_store
from tests.support.blocks import extend, genesis
from tests.support.headers import real_runs

HEADERS = real_runs()[0]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "headers.bin"
    path.write_bytes(b"".join(HEADERS))
    return path


@pytest.mark.slow
def test_headers_that_hold(file: Path) -> None:
    result = run("verify-headers", str(file))
    assert result.exit_code == 0
    assert f"{len(HEADERS)} headers hold" in result.stdout
    assert hash_to_hex(sha256d(HEADERS[-1])) in result.stdout
    told = json.loads(run("verify-headers", str(file), "--json", "--threads", "1").stdout)
    assert told == {
        "schema_version": 1,
        "left_out": [],
        "network": "mainnet",
        "start_height": 0,
        "valid_headers": len(HEADERS),
        "last_height": len(HEADERS) - 1,
        "tip_hash": hash_to_hex(sha256d(HEADERS[-1])),
        "chainwork": f"{len(HEADERS) * 4295032833:064x}",
        "failure": None,
    }


def test_the_first_bad_header_is_named_and_the_status_is_1(file: Path) -> None:
    spoilt = bytearray(file.read_bytes())
    spoilt[80 * 2500 + 70] ^= 1
    file.write_bytes(spoilt)
    result = run("verify-headers", str(file))
    assert result.exit_code == 1
    assert isinstance(result.exception, PoolscopeError)
    assert "high-hash" in str(result.exception)
    told = run("verify-headers", str(file), "--json")
    assert told.exit_code == 1
    failure = json.loads(told.stdout)["failure"]
    assert (failure["height"], failure["rule"], failure["reject"]) == (2500, "pow", "high-hash")


def test_another_networks_headers_fail_at_the_first(file: Path) -> None:
    told = json.loads(run("verify-headers", str(file), "--network", "signet", "--json").stdout)
    assert told["valid_headers"] == 0
    assert told["tip_hash"] is None
    assert "not the genesis block of signet" in told["failure"]["message"]


def test_a_part_is_checked_at_its_height(tmp_path: Path) -> None:
    (start,) = (start for start in real_runs() if start)
    path = tmp_path / "part.bin"
    path.write_bytes(b"".join(real_runs()[start]))
    assert run("verify-headers", str(path), "--start-height", str(start)).exit_code == 0
    assert run("verify-headers", str(path), "--start-height", str(start + 1)).exit_code == 1


@pytest.mark.parametrize("content", [b"", bytes(79), b"not headers"])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    result = run("verify-headers", str(path))
    assert isinstance(result.exception, PoolscopeError)
    assert "no whole number of 80-byte headers" in str(result.exception)


@pytest.fixture
def first_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    choice.best.cache_clear()
    yield
    choice.best.cache_clear()


@pytest.mark.slow
@pytest.mark.usefixtures("first_use")
def test_in_a_pipe_nothing_is_said_of_the_first_use(file: Path) -> None:
    result = run("verify-headers", str(file), "--json")
    assert json.loads(result.stdout)["failure"] is None
    assert result.stderr == ""
    result = run("hashrate", "--seconds", "0.05", "--threads", "1", "--kernel", "best", "--json")
    assert json.loads(result.stdout)["results"]
    assert result.stderr == ""


@pytest.mark.usefixtures("first_use")
def test_on_a_terminal_the_choice_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    @contextmanager
    def busy(what: str) -> Iterator[None]:
        shown.append(what)
        yield

    monkeypatch.setattr(first_use_of_kernels, "busy", busy)
    for _ in range(2):
        run("hashrate", "--seconds", "0.05", "--threads", "1", "--kernel", "portable")
    assert shown[:1] == ["first use: choosing the fastest kernel, a few seconds, once"]
    assert len(shown) == 1 or choice.untried("scan")


def test_each_line_tells_more(tmp_path: Path) -> None:
    kernels = ("--kernel", "portable", "--kernel", "best")
    result = run(
        *("hashrate", "--json-lines", "--seconds", "0.05", "--threads", "1", *kernels),
        *("--data-dir", str(tmp_path)),
    )
    first, *others, last = [json.loads(line) for line in result.stdout.splitlines()]
    assert first["hashlib"]["hashes_per_second"]["value"] > 0
    assert first["results"] == []
    done = last["results"]
    assert [report["results"] for report in others] == [done[: i + 1] for i in range(len(done))]
    for one, more in pairwise([first, *others, last]):
        assert one.keys() <= more.keys()
    assert last["alone"] is None


def test_what_is_left_to_try_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "best", lambda _shape: "portable")
    monkeypatch.setattr(choice, "untried", lambda _shape: ("quick", "quicker"))
    options = ("--seconds", "0.05", "--threads", "1", "--kernel", "best")
    result = run("hashrate", *options, "--data-dir", str(tmp_path))
    assert "Fastest here so far: portable (to be tried at the next use: quick, quicker)." in (
        result.stdout
    )
    report = json.loads(run("hashrate", *options, "--json", "--data-dir", str(tmp_path)).stdout)
    assert report["untried_kernels"] == ["quick", "quicker"]


def test_the_hash_rate_as_json(tmp_path: Path) -> None:
    result = run(
        *("hashrate", "--json", "--seconds", "0.05", "--threads", "1", "--threads", "2"),
        *("--kernel", "best", "--kernel", "portable", "--data-dir", str(tmp_path)),
    )
    report = json.loads(result.stdout)
    assert report["alone"] is None
    assert {entry["kernel"] for entry in report["results"]} == {report["best_kernel"], "portable"}
    assert [entry["threads"] for entry in report["results"]][:2] == [1, 2]
    for entry in report["results"]:
        rate = entry["hashes_per_second"]
        assert 0 < rate["low"] <= rate["value"] <= rate["high"]
        ratio = rate["value"] / report["hashlib"]["hashes_per_second"]["value"]
        assert entry["hashlib_ratio"] == pytest.approx(ratio, rel=1e-4)
    assert all(isinstance(feature, str) for feature in report["features"])


@pytest.mark.slow
def test_the_hash_rate_beside_a_stores_difficulty(tmp_path: Path) -> None:
    store = open_store(tmp_path / "regtest.sqlite", "regtest")
    store.apply(Step(append=[block.stored() for block in extend(genesis(), 3)]))
    store.close()
    options = ("--seconds", "0.05", "--threads", "1", "--kernel", "portable")
    place = ("--network", "regtest", "--data-dir", str(tmp_path))
    report = json.loads(run("hashrate", "--json", *options, *place).stdout)
    alone = report["alone"]
    assert (alone["network"], alone["height"]) == ("regtest", 3)
    rate = report["results"][0]["hashes_per_second"]["value"]
    assert alone["expected_seconds"] == pytest.approx(2 / rate, rel=1e-4)
    assert "it would find a block every" in run("hashrate", *options, *place).stdout


def test_the_hash_rate_as_text(tmp_path: Path) -> None:
    result = run(
        *("hashrate", "--seconds", "0.05", "--threads", "1", "--kernel", "portable"),
        *("--data-dir", str(tmp_path)),
    )
    assert result.exit_code == 0
    assert "hashlib loop" in result.stdout
    assert "portable" in result.stdout


def test_an_unknown_kernel_is_named() -> None:
    result = run("hashrate", "--kernel", "quantum")
    assert isinstance(result.exception, PoolscopeError)
    assert "no kernel 'quantum'" in str(result.exception)
