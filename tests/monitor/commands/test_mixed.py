"""Figures over blocks that two registries attributed, as in the midst of a relabel: it is said."""

from __future__ import annotations

import dataclasses
import json
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from monitor.cli import cli
from monitor.store.base import Step, StoredBlock
from monitor.store.sql import open_store
from tests.support.blocks import extend, genesis

CHAIN = extend(genesis(), 40)
SAID = "attributed by more than one registry"


def under(version: str, block: StoredBlock) -> StoredBlock:
    made = dataclasses.replace(block.attribution, registry_version=version)
    return dataclasses.replace(block, attribution=made)


@pytest.fixture(params=["below", "at the tip", "stale"])
def mixed(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store of which some blocks are under another registry than the rest."""
    rival = extend(CHAIN[19], 1, tag=b"/rival/")[0].stored(stale=True)
    other = {"below": range(1, 31), "at the tip": range(40, 41), "stale": ()}[request.param]
    blocks = [
        under("registry-2", block.stored()) if block.height in other else block.stored()
        for block in CHAIN
    ]
    stale = under("registry-2", rival) if request.param == "stale" else rival
    return _store(tmp_path, Step(blocks, stale=[stale]))


@pytest.fixture
def plain(tmp_path: Path) -> str:
    """A store all of whose blocks are under one registry."""
    return _store(tmp_path, Step([block.stored() for block in CHAIN]))


def _store(folder: Path, step: Step) -> str:
    with closing(open_store(folder / "store.sqlite", "regtest")) as store:
        store.apply(step)
    return f"sqlite:///{folder / 'store.sqlite'}"


def run(store: str, *words: str) -> Result:
    result = CliRunner().invoke(cli, [*words, "--network", "regtest", "--store", store])
    assert result.exit_code in (0, 3), (result.output, result.exception)
    return result


COMMANDS: tuple[tuple[str, ...], ...] = (
    ("pools",),
    ("pools", "--window", "5", "--json"),
    ("concentration",),
    ("concentration", "--json"),
    ("concentration", "--each", "--window", "10", "--csv"),
    ("concentration", "--compare", "--window", "20"),
    ("network",),
    ("network", "--json"),
    ("risk",),
    ("trend", "--window", "2"),
    ("audit", "unknown"),
    ("audit", "drift"),
    ("export", "--format", "csv", "--out", "-"),
    ("block", "7"),
    ("relabel", "--dry-run"),
)


@pytest.mark.slow
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_each_command_says_a_mix_once_on_stderr(mixed: str, words: tuple[str, ...]) -> None:
    result = run(mixed, *words)
    assert result.stderr.count(SAID) == 1
    assert "'poolscope relabel'" in result.stderr
    assert "under registry-1" in result.stderr
    assert "under registry-2" in result.stderr
    assert SAID not in result.stdout
    if "--json" in words:
        json.loads(result.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_command_says_it_of_one_registry(plain: str, words: tuple[str, ...]) -> None:
    assert SAID not in run(plain, *words).output


@pytest.mark.slow
def test_json_says_which_registries_the_figures_are_of(tmp_path: Path) -> None:
    blocks = [under("registry-2", b.stored()) if b.height > 30 else b.stored() for b in CHAIN]
    store = _store(tmp_path, Step(blocks))
    whole = json.loads(run(store, "pools", "--json").stdout)
    assert whole["registries"] == {"registry-1": 30, "registry-2": 10}
    last = json.loads(run(store, "pools", "--window", "10", "--json").stdout)
    assert last["registries"] == {"registry-2": 10}
    network = json.loads(run(store, "network", "--window", "12", "--json").stdout)
    assert network["registries"] == {"registry-2": 10, "registry-1": 2}
    status = run(store, "status", "--json", "--set", "web.port=1")
    assert json.loads(status.stdout)["store"]["registries"] == {"registry-1": 30, "registry-2": 10}
    text = run(store, "status", "--set", "web.port=1").stdout
    assert "registry  registry-1 (30 blocks), registry-2 (10 blocks)" in text
    source = json.loads(run(store, "concentration", "--json").stdout)["source"]
    assert source == "blocks of the store under 2 registries"


@pytest.mark.slow
def test_an_export_says_all_registries_of_its_blocks(tmp_path: Path) -> None:
    blocks = [under("registry-2", b.stored()) if b.height > 30 else b.stored() for b in CHAIN]
    store, out = _store(tmp_path, Step(blocks)), tmp_path / "blocks.parquet"
    for span, registries in (
        ((), b"registry-1,registry-2"),
        (("--from", "31"), b"registry-2"),
        (("--to", "30"), b"registry-1"),
        (("--from", "25", "--to", "36"), b"registry-1,registry-2"),
    ):
        run(store, "export", "--out", str(out), *span)
        assert pq.read_schema(out).metadata[b"poolscope.registry"] == registries


@pytest.mark.slow
def test_a_relabel_ends_the_mix(mixed: str) -> None:
    result = run(mixed, "relabel")
    assert SAID not in result.stderr, "that is what it ends"
    assert SAID not in run(mixed, "pools").stderr
