"""Work off the event loop: shared, bounded, and what is slow apart from what is quick."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitor.errors import StoreError
from monitor.store.base import Step
from monitor.store.sql import open_store
from monitor.web.claims import judged
from monitor.web.errors import ApiError
from monitor.web.reader import Reader, Worker
from tests.monitor.web.conftest import Client
from tests.support.webagent import WebAgent


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker("test", 2)
    yield worker
    worker.close()


async def test_equal_questions_are_one_and_too_many_are_refused(worker: Worker) -> None:
    answered, calls = threading.Event(), []

    def slow() -> int:
        calls.append(1)
        assert answered.wait(30)
        return 7

    same = [asyncio.create_task(worker.run("same", slow)) for _ in range(5)]
    other = asyncio.create_task(worker.run("other", lambda: 8))
    await asyncio.sleep(0)
    with pytest.raises(ApiError, match="try again in a moment") as refused:
        await worker.run("third", lambda: 9)
    assert refused.value.status == 503
    answered.set()
    assert await asyncio.gather(*same, other) == [7] * 5 + [8]
    assert len(calls) == 1
    assert await worker.run("third", lambda: 9) == 9


async def test_who_goes_away_takes_no_answer_from_the_others(worker: Worker) -> None:
    answered = threading.Event()
    gone, stays = (
        asyncio.create_task(worker.run("same", lambda: answered.wait(30))) for _ in range(2)
    )
    await asyncio.sleep(0)
    gone.cancel()
    answered.set()
    assert await stays


async def test_without_a_store_nothing_is_read() -> None:
    reader = Reader(None)
    with pytest.raises(ApiError, match="no access to its store"):
        await reader.read("key", lambda store: store.tip())
    reader.close()


async def test_blocks_do_not_wait_for_claims(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, answered = threading.Event(), threading.Event()

    def slowly(*asked: object) -> object:
        begun.set()
        assert answered.wait(30)
        return judged(*asked)  # type: ignore[arg-type]

    monkeypatch.setattr("monitor.web.claims.judged", slowly)
    claims = asyncio.create_task(client.get("/api/v1/claims"))
    await asyncio.to_thread(begun.wait, 30)
    async with client.get("/api/v1/blocks/7") as response:
        assert response.status == 200
    assert not claims.done()
    answered.set()
    async with await claims as response:
        assert response.status == 200


@pytest.mark.slow
async def test_what_takes_the_place_of_a_store_is_read(agent: WebAgent, tmp_path: Path) -> None:
    place = tmp_path / "place.sqlite"
    with closing(open_store(place, "regtest", synthetic="rehearsal")) as first:
        first.apply(Step([block.stored() for block in agent.chain[1:4]]))
    with closing(open_store(tmp_path / "other", "regtest", synthetic="rehearsal")) as second:
        second.apply(Step([block.stored() for block in agent.chain[1:3]]))
    store = open_store(place, "regtest", synthetic="rehearsal", read_only=True)
    reader = Reader(store)
    assert await reader.read("key", lambda store: store.tip()) == agent.chain[3].ref
    (tmp_path / "other").replace(place)
    assert await reader.read("key", lambda store: store.tip()) == agent.chain[2].ref
    place.unlink()
    for _ in range(2):
        with pytest.raises(StoreError, match="its file is gone"):
            await reader.read("key", lambda store: store.tip())
    reader.close()
    store.close()
