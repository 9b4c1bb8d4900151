"""Checks that tests of the node's client share."""

from __future__ import annotations

from tests.support.node.node import RegtestNode


def assert_clear(error: BaseException, node: RegtestNode, *words: str) -> None:
    """One line that names the node, what happened, and no secret."""
    text = str(error)
    assert "\n" not in text
    assert text.startswith(f"bitcoind at {node.url}: ")
    for word in words:
        assert word in text
    if node.cookie.exists():
        assert node.cookie.read_text().partition(":")[2] not in text
