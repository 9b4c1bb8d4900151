"""``backfill --missing`` over each kind of database, beside agents that use it."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from click.testing import CliRunner, Result

from monitor.cli import cli
from monitor.store.sql import open_store
from tests.support.gaps import store_with_gaps, whole
from tests.support.node import RegtestNode

GAPS = range(5, 15)


@pytest.fixture
def node(url: str) -> Iterator[RegtestNode]:
    with RegtestNode(blocks=20, user="u", password="p") as node:
        store_with_gaps(url, node, GAPS)
        yield node


def fill(node: RegtestNode, url: str) -> Result:
    at = node.url.replace("//", "//u:p@")
    words = ("backfill", "--missing", "--network", "regtest", "--store", url, "--bitcoind", at)
    return CliRunner().invoke(cli, words)


@pytest.mark.slow
def test_an_agent_that_follows_sees_what_is_filled(node: RegtestNode, url: str) -> None:
    with closing(open_store(url, "regtest", read_only=True)) as follower:
        before = follower.revision()
        assert fill(node, url).exit_code == 0
        assert follower.revision() != before
        assert follower.counts().header_only == 0
        assert list(follower.blocks(0, 99)) == [whole(node, height) for height in range(21)]


@pytest.mark.slow
def test_beside_an_agent_that_writes_it_does_nothing(node: RegtestNode, url: str) -> None:
    with closing(open_store(url, "regtest")) as writer:
        assert writer.lead()
        refused = fill(node, url)
        assert refused.exit_code == 1
        assert "another agent writes to" in str(refused.exception)
        assert writer.counts().header_only == len(GAPS)
