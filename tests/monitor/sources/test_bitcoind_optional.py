"""A node of which every call but the needed ones fails, in each way: its chain is followed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from hashing.header import hash_to_hex, sha256d
from monitor.cli import cli
from monitor.errors import NotFound, SourceError, SourceRefused
from monitor.sources.base import BlockSource, Want
from monitor.sources.bitcoind import BitcoindSource
from monitor.sources.bitcoind_methods import METHODS, NEEDED, whitelist_line
from tests.monitor.sources.contract import SourceContract, World
from tests.monitor.sources.test_following import active, following
from tests.support.lanes import pairs
from tests.support.node import (
    FORBIDDEN,
    UNKNOWN,
    CallFault,
    Failure,
    Faults,
    RegtestNode,
)

LATE = CallFault(delay=3600)
WRONG = {
    "forbidden": FORBIDDEN,
    "unknown": CallFault(status=404),
    "late": LATE,
    "wrong": CallFault(reply=b'{"result": {"hash": 7, "chain": []}, "error": null, "id": 1}'),
}
FAILING = {
    "failing": CallFault(status=500, text="Internal Server Error"),
    "busy": CallFault(status=503),
    "bad gateway": CallFault(status=502, text="<html>502</html>"),
    "a page": CallFault(reply=b"<html>Please log in</html>"),
    "nothing": CallFault(reply=b""),
    "unknown method": CallFault(error=UNKNOWN),
    "unimplemented": CallFault(error=Failure(-1, "Command unimplemented", 200)),
    "internal error": CallFault(error=Failure(-32603, "Internal error")),
    "forbidden by a proxy": CallFault(status=403, text="<html>403 Forbidden</html>"),
}
REST = {"rest": True, "no rest": False}
WATCHED = {m.name: m.name for m in METHODS if not m.needed and m.name != "getchaintips"}
MISSED = {
    "forbidden": FORBIDDEN,
    "late": LATE,
    "unknown": CallFault(error=UNKNOWN),
    "wrong": CallFault(reply="nonsense"),
}


def only_needed(fault: CallFault) -> Faults:
    """Return faults that let `fault` be the answer to every call that is not needed."""
    faults = Faults(calls={"*": fault})
    faults.spare(NEEDED)
    return faults


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait long for what never comes."""
    monkeypatch.setattr("monitor.sources.bitcoind_client.OPTIONAL_TIMEOUT", 0.2)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("fault", "rest"), pairs(WRONG, REST))
class TestOnlyTheNeeded(SourceContract):
    """Everything else is refused, missing, late or nonsense, REST as well."""

    @pytest.fixture
    async def world(self, fault: CallFault, rest: bool) -> AsyncIterator[World]:
        with RegtestNode(blocks=45, rest=rest, faults=only_needed(fault)) as node:

            async def advance() -> None:
                node.mine()

            def make() -> BlockSource:
                return BitcoindSource(node.url, cookie=node.cookie, poll_interval=0.1)

            yield World(make, advance=advance)

    @pytest.mark.slow
    async def test_stale_tips_have_their_blocks(self, source: BlockSource, world: World) -> None:
        """They have none here: asking fails, names the method, and harms nothing else."""
        asking = asyncio.create_task(self._ask_for_stale(source))
        best = await source.tip()
        assert await source.blocks([best], Want.PROVED)
        asking.cancel()
        await asyncio.wait([asking])
        assert await source.tip() == best

    async def _ask_for_stale(self, source: BlockSource) -> None:
        with pytest.raises(SourceError, match="getchaintips"):
            await source.stale_tips()


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("fault", "rest"), pairs(WRONG | FAILING, REST))
async def test_the_chain_is_followed(tmp_path: Path, fault: CallFault, rest: bool) -> None:
    with RegtestNode(blocks=30, rest=rest, faults=only_needed(fault)) as node:
        source = BitcoindSource(node.url, cookie=node.cookie, poll_interval=0.1, timeout=10)
        async with following(source, tmp_path / "store", "regtest") as agent:
            store = agent.store
            await agent.until(lambda: store.tip() == node.tip)
            node.mine(2)
            await agent.until(lambda: store.tip() == node.tip)
            node.reorg(3)
            await agent.until(lambda: store.tip() == node.tip)
            assert active(store) == [
                node.chain.at(height).ref for height in range(node.tip.height + 1)
            ]


@pytest.fixture
def node() -> Iterator[RegtestNode]:
    with RegtestNode(blocks=20, rest=False) as node:
        yield node


def source_of(node: RegtestNode, **settings: object) -> BitcoindSource:
    return BitcoindSource(node.url, cookie=node.cookie, **settings)  # type: ignore[arg-type]


async def read_all(source: BlockSource) -> None:
    """Do all that following the chain takes."""
    await source.open()
    best = await source.tip()
    headers = await source.headers(0, best.height + 1)
    assert sha256d(headers[-1]) == best.hash
    assert await source.blocks([best], Want.PROVED)
    assert await source.blocks([best], Want.COINBASE)


def printed_whitelist(*options: str) -> list[str]:
    shown = CliRunner().invoke(cli, ["node", "--whitelist", "--user", "alice", *options]).output
    (line,) = [line for line in shown.splitlines() if not line.startswith("#")]
    assert line.startswith("rpcwhitelist=alice:")
    return line.partition(":")[2].split(",")


@pytest.mark.parametrize("options", [(), ("--optional",)])
async def test_the_printed_whitelist_is_enough(node: RegtestNode, options: tuple[str, ...]) -> None:
    node.faults.whitelist = printed_whitelist(*options)
    source = source_of(node)
    await read_all(source)
    await source.close()


async def test_with_the_optional_methods_nothing_is_missed(
    node: RegtestNode, caplog: pytest.LogCaptureFixture
) -> None:
    node.faults.whitelist = printed_whitelist("--optional")
    source = source_of(node)
    node.fork()
    await read_all(source)
    await source.wait_for_tip_change(0.1)
    assert len(await source.stale_tips()) == 1
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    await source.close()


@pytest.mark.parametrize("method", NEEDED)
async def test_without_a_needed_method_the_message_names_it(node: RegtestNode, method: str) -> None:
    node.faults.whitelist = set(printed_whitelist()) - {method}
    source = source_of(node)
    with pytest.raises(SourceRefused) as caught:
        await read_all(source)
    message = str(caught.value)
    assert f"{method} is refused (HTTP 403)" in message
    assert "poolscope node --whitelist" in message
    assert "\n" not in message
    await source.close()


async def test_an_address_that_is_denied_is_told_from_a_whitelist(node: RegtestNode) -> None:
    node.faults.address_denied = True
    source = source_of(node)
    with pytest.raises(SourceRefused, match="rpcallowip") as caught:
        await source.open()
    assert "whitelist" not in str(caught.value)
    node.faults.address_denied = False
    node.faults.whitelist = []
    with pytest.raises(SourceRefused, match="rpcwhitelist") as caught:
        await source.open()
    assert "rpcallowip" not in str(caught.value)
    await source.close()


async def test_a_proxy_that_refuses_is_told_from_the_node(node: RegtestNode) -> None:
    node.faults.calls["getblock"] = CallFault(status=403, text="<html>403 Forbidden</html>")
    source = source_of(node)
    with pytest.raises(SourceRefused, match=r"getblock is refused .* by a server before the node"):
        await read_all(source)
    await source.close()


def test_the_whitelist_holds_what_the_settings_say(tmp_path: Path) -> None:
    def line(*settings: str) -> str:
        shown = CliRunner().invoke(cli, ["node", "--whitelist", *settings]).output
        return shown.splitlines()[-1]

    assert line() == whitelist_line("poolscope", optional=False)
    url = 'bitcoind=["http://al%40ice:x@127.0.0.1:1"]'
    assert line("--set", url) == whitelist_line("al@ice", optional=False)
    assert CliRunner().invoke(cli, ["node"]).exit_code == 2


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_docs_say_what_each_method_is_for(method: object) -> None:
    docs = (Path(__file__).parents[3] / "docs" / "bitcoind.md").read_text()
    assert isinstance(method, type(METHODS[0]))
    without = method.without or "the chain is not followed"
    assert f"| `{method.name}` | {method.use} | {without} |" in docs


@pytest.mark.slow
@pytest.mark.parametrize(("method", "fault"), pairs(WATCHED, MISSED))
async def test_what_is_missed_is_said_once_and_asked_again_after_a_restart(
    node: RegtestNode,
    method: str,
    fault: CallFault,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def said(text: str) -> int:
        return sum(method in r.message and text in r.message for r in caplog.records)

    async def look() -> None:
        await source.tip()
        await source.wait_for_tip_change(0.3)

    caplog.set_level(logging.INFO)
    if fault is LATE:
        monkeypatch.setattr("monitor.sources.bitcoind_client.OPTIONAL_TIMEOUT", 0.2)
    node.zmq_topics = ()
    node.faults.calls[method] = fault
    source = source_of(node, poll_interval=0.05)
    await source.open()
    for _ in range(3):
        await look()
    assert said("going on") == 1
    node.restart()
    await look()
    assert said("going on") == 1
    node.faults.calls.clear()
    while not said("is answered now"):
        node.restart()
        await look()
    await source.close()


@pytest.mark.slow
async def test_late_stale_tips_hold_up_nothing(node: RegtestNode) -> None:
    node.faults.calls["getchaintips"] = LATE
    source = source_of(node)
    await source.open()
    asking = [asyncio.create_task(source.stale_tips()) for _ in range(8)]
    await asyncio.sleep(0)
    for _ in range(20):
        await source.tip()
        assert await source.blocks([node.tip], Want.PROVED)
    assert not any(task.done() for task in asking)
    await source.close()
    for task in asking:
        with pytest.raises(SourceError):
            await task


@pytest.mark.parametrize("rest", [True, False])
async def test_one_unreadable_block_is_not_found_and_others_are(rest: bool) -> None:
    with RegtestNode(blocks=10, rest=rest) as node:
        (stale,) = node.fork(1, 1)
        node.faults.bad_blocks.add(stale.hash)
        source = BitcoindSource(node.url, cookie=node.cookie)
        await source.open()
        for want in Want:
            with pytest.raises(NotFound, match=hash_to_hex(stale.hash)):
                await source.blocks([stale], want)
            assert await source.blocks([node.tip], want)
        await source.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    "text", ["Block not found on disk", "Can't read block from disk", "Undo data missing", "?"]
)
@pytest.mark.parametrize("code", [-1, -32603])
async def test_whatever_a_node_says_of_one_block_is_about_that_block(
    node: RegtestNode, code: int, text: str
) -> None:
    node.faults.calls["getblock"] = CallFault(error=Failure(code, text))
    source = source_of(node)
    await source.open()
    with pytest.raises(NotFound, match="getblock"):
        await source.blocks([node.tip], Want.PROVED)
    await source.close()
