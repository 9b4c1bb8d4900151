"""Judging stored blocks anew, alone and with the help of other processes."""

from __future__ import annotations

import dataclasses
import itertools
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from analyzers.registry import Registry, load_registry
from monitor import relabel
from monitor.errors import StoreError
from monitor.store.sql import SqlStore, open_store
from tests.support import longchain

BLOCKS = 700


@pytest.fixture(scope="module")
def registry() -> Registry:
    """Ours, without AntPool."""
    known = load_registry()
    rest = {slug: pool for slug, pool in known.pools.items() if slug != "antpool"}
    return dataclasses.replace(known, pools=rest, version="without antpool")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with closing(open_store(tmp_path / "store.sqlite", "mainnet")) as store:
        store.append(list(longchain.rows(BLOCKS)))
        yield store


@pytest.mark.slow
def test_processes_judge_as_one_does(
    store: SqlStore, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relabel, "_BATCH", 100)
    alone = list(relabel.relabel(store, registry, dry_run=True))
    monkeypatch.setattr(relabel, "_MANY", 0)
    monkeypatch.setattr(relabel, "cores", lambda: 2)
    assert list(relabel.relabel(store, registry, dry_run=True)) == alone
    assert [part.blocks for part in alone] == [100] * 7
    moved = [old.verdict.pool for part in alone for old, _ in part.moved]
    assert moved.count("antpool") > 5


def test_what_is_interrupted_can_be_repeated(
    store: SqlStore, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relabel, "_BATCH", 100)
    list(itertools.islice(relabel.relabel(store, registry), 3))
    assert {row.verdict.registry for row in store.judged(0, 300)} == {registry.version}
    parts = list(relabel.relabel(store, registry))
    assert not any(part.moved for part in parts[:3])
    assert {row.verdict.registry for row in store.judged(0, BLOCKS)} == {registry.version}
    assert "antpool" not in {row.verdict.pool for row in store.judged(0, BLOCKS)}


@pytest.mark.slow
def test_the_death_of_a_helper_is_said(
    store: SqlStore, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relabel, "_MANY", 0)
    monkeypatch.setattr(relabel, "cores", lambda: 2)
    monkeypatch.setattr(relabel, "judge", die)
    with pytest.raises(StoreError, match=r"has died .* run it again"):
        list(relabel.relabel(store, registry))


def die(*_: object) -> None:
    """End the process that is asked to."""
    os.kill(os.getpid(), signal.SIGKILL)
