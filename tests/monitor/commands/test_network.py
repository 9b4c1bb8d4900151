"""``poolscope network`` over real stores."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from monitor.cli import cli
from monitor.queries.stretch import parse_claim
from monitor.store.base import Step
from monitor.store.sql import open_store
from tests.support.blocks import extend, genesis


def filled(path: Path, network: str) -> str:
    """A store of forty blocks by three pools and nobody, from the genesis block on."""
    pools = ("antpool", "viabtc", "antpool", "f2pool", None)
    start = genesis()
    first = dataclasses.replace(start.stored(pool=None), coinbase_tx=None, tx_count=None)
    blocks = [first]
    for i, block in enumerate(extend(start, 40)):
        seen = block.header.time + 4 if i % 2 else None
        blocks.append(dataclasses.replace(block.stored(pool=pools[i % 5]), first_seen=seen))
    lost = extend(start, 1, tag=b"/lost/")[0].stored(stale=True)
    store = open_store(path, network)
    store.apply(Step(blocks, stale=[lost]))
    store.close()
    return f"sqlite:///{path}"


@pytest.fixture(scope="module")
def regtest(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    path = tmp_path_factory.mktemp("network") / "regtest.sqlite"
    return ("--network", "regtest", "--store", filled(path, "regtest"))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ("network", *arguments))


def as_json(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_all_figures(regtest: tuple[str, ...]) -> None:
    found = as_json(*regtest, "--window", "30", "--claim", "antpool=50%")
    assert (found["blocks"], found["first_height"], found["last_height"]) == (30, 11, 40)
    assert (found["timed_blocks"], found["duration_seconds"]) == (30, 18_000)
    rate = found["hashes_per_second"]
    assert rate["low"] < rate["value"] < rate["high"]
    names = [entry["pool"] for entry in found["pools"]]
    assert names == ["antpool", "f2pool", "viabtc"]
    assert found["empty"] == {
        "blocks": 30,
        "of_blocks": 30,
        "share": {"value": 1, "low": pytest.approx(0.917, abs=0.01), "high": 1},
    }
    assert found["delays"]["delay_seconds"] == {"value": 4, "low": 4, "high": 4}
    assert found["any_run"]["blocks"] == 1
    assert found["luck"]["antpool"]["ratio"]["value"] == pytest.approx(12 / 15)
    assert found["stale_blocks"] == 0
    assert found["retarget"] is None


def test_the_whole_store_has_the_stale_block_and_no_time_for_the_first(
    regtest: tuple[str, ...],
) -> None:
    found = as_json(*regtest)
    assert (found["blocks"], found["timed_blocks"], found["stale_blocks"]) == (41, 30, 1)
    assert found["empty"]["of_blocks"] == 40


def test_a_lens_counts_pools_as_one(regtest: tuple[str, ...], tmp_path: Path) -> None:
    lens = tmp_path / "lens.csv"
    lens.write_text("viabtc,both\nf2pool,both\n")
    found = as_json(*regtest, "--window", "40", "--lens", str(lens))
    assert {entry["pool"]: entry["blocks"] for entry in found["pools"]} == {
        "antpool": 16,
        "both": 16,
    }
    assert "no lens" in run(*regtest, "--lens", "nonesuch").output


def test_the_retarget_of_a_network_that_has_one(tmp_path: Path) -> None:
    place = ("--network", "mainnet", "--store", filled(tmp_path / "m.sqlite", "mainnet"))
    retarget = as_json(*place)["retarget"]
    assert retarget["blocks_left"] == 2015 - 40
    change = retarget["change"]
    assert change["low"] < change["value"] < change["high"]
    text = run(*place, "--claim", "antpool=1EH").output
    for part in ("next retarget", "longest run", "first seen", "luck of antpool", "stale"):
        assert part in text
    assert "nan" not in text


def test_blocks_before_a_day(regtest: tuple[str, ...]) -> None:
    assert as_json(*regtest, "--to", "2030-01-01")["blocks"] == 41
    assert "no block before 2009-01-01" in run(*regtest, "--to", "2009-01-01").stderr
    later = as_json(*regtest, "--from", "2011-02-03T02:00")
    assert 0 < later["blocks"] < 41
    assert later["last_height"] == 40


@pytest.mark.parametrize(
    ("text", "name", "share", "rate"),
    [
        ("antpool=18%", "antpool", 0.18, None),
        ("antpool=0.18", "antpool", 0.18, None),
        ("f2pool = 90 EH/s", "f2pool", None, 90e18),
        ("x=1.5zh", "x", None, 1.5e21),
        ("x=3H", "x", None, 3.0),
    ],
)
def test_claims(text: str, name: str, share: float | None, rate: float | None) -> None:
    assert parse_claim(text) == (name, (share, rate))


@pytest.mark.parametrize(
    "bad", ["antpool", "=5%", "a=", "a=-1", "a=18", "a=101%", "a=5XH", "a=1e9"]
)
def test_what_is_no_claim_is_said_plainly(regtest: tuple[str, ...], bad: str) -> None:
    result = run(*regtest, "--claim", bad)
    assert result.exit_code == 2
    assert "claim" in result.output or "share" in result.output


@given(st.text(max_size=30))
def test_any_text_is_a_claim_or_refused(text: str) -> None:
    try:
        _, claim = parse_claim("a=" + text)
    except ValueError:
        return
    assert (claim.share is None) != (claim.rate is None)


def test_an_empty_or_missing_store_is_named(tmp_path: Path) -> None:
    result = run("--data-dir", str(tmp_path))
    assert result.exit_code == 1
    open_store(tmp_path / "e.sqlite", "regtest").close()
    empty = run("--network", "regtest", "--store", f"sqlite:///{tmp_path / 'e.sqlite'}")
    assert "empty" in str(empty.exception)
