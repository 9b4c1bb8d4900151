"""What a test node that runs by hand is told, a line at a time."""

from __future__ import annotations

import json
import shlex
from typing import Final

from hashing.header import hash_from_hex, hash_to_hex
from tests.support.callfault import FORBIDDEN, UNKNOWN, CallFault, Failure
from tests.support.node.faults import Faults
from tests.support.node.node import RegtestNode

HELP: Final = """\
mine [COUNT [TAG]]        extend the chain
reorg [DEPTH]             replace the last blocks
fork [DEPTH]              mine one block beside the chain
tips                      list the ends of the tree
start, stop, restart      serve, refuse connections, both
show HEIGHT|all           show the chain only so far, as a node that is behind
bad HEIGHT|HASH           make one block unreadable
whitelist METHOD,…|all    refuse other methods with HTTP 403, as rpcwhitelist does
forbid CALL               refuse one call with HTTP 403
unknown CALL              have no such method
late CALL SECONDS         answer late
error CALL CODE [TEXT]    answer with a JSON-RPC error
status CALL CODE [TEXT]   answer with an HTTP status
reply CALL JSON           answer this; an object changes fields, null removes one
mend [CALL]               take back what is wrong with a call, or with all
set FAULT VALUE           set any other of the node's faults: set queue_full true
quit

A CALL is a method (getchaintips), a REST path (rest/blockpart) or a pattern (*).
"""


class BadCommand(Exception):
    """A command that is none; the text says what is."""


def obey(node: RegtestNode, line: str) -> str:
    """Follow one command; return what to say about it.

    Raises
    ------
    BadCommand
        If it is none.
    """
    try:
        words = shlex.split(line)
        if words == ["tips"]:
            return _tips(node)
        if not (_move(node, words) or _break(node.faults, words)):
            raise ValueError("no such command")
    except (ValueError, LookupError, AttributeError) as error:
        raise BadCommand(f"{line!r} does not work ({error}); commands:\n{HELP}") from None
    return f"{node.tip.height} {hash_to_hex(node.tip.hash)}"


def _tips(node: RegtestNode) -> str:
    tips = node.chain.tips()
    return "\n".join(f"{tip.ref.height} {hash_to_hex(tip.ref.hash)} {tip.status}" for tip in tips)


def _move(node: RegtestNode, words: list[str]) -> bool:
    """Change the chain or the process; return whether that was the command."""
    match words:
        case ["mine", *rest]:
            node.mine(_count(rest), tag=" ".join(rest[1:]) or None)
        case ["reorg", *rest]:
            node.reorg(_count(rest))
        case ["fork", *rest]:
            node.fork(_count(rest))
        case ["start" | "stop" | "restart"]:
            getattr(node, words[0])()
        case ["show", height]:
            node.show(None if height == "all" else int(height))
        case ["bad", block]:
            node.faults.bad_blocks.add(_hash(node, block))
        case _:
            return False
    return True


def _break(faults: Faults, words: list[str]) -> bool:
    """Change what is wrong with the node; return whether that was the command."""
    match words:
        case ["whitelist", methods]:
            faults.whitelist = None if methods == "all" else methods.split(",")
        case ["forbid" | "unknown" | "late" | "error" | "status" | "reply" as kind, call, *rest]:
            faults.calls[call] = _call_fault(kind, rest)
        case ["mend"]:
            faults.calls.clear()
        case ["mend", call]:
            del faults.calls[call]
        case ["set", name, *value]:
            _set(faults, name, " ".join(value))
        case _:
            return False
    return True


def _call_fault(kind: str, words: list[str]) -> CallFault:
    text = " ".join(words[1:])
    match kind:
        case "forbid":
            return FORBIDDEN
        case "unknown":
            return CallFault(error=UNKNOWN)
        case "late":
            return CallFault(delay=float(words[0]))
        case "error":
            return CallFault(error=Failure(int(words[0]), text))
        case "status":
            return CallFault(status=int(words[0]), text=text)
        case _:
            return CallFault(reply=json.loads(words[0]))


def _count(words: list[str]) -> int:
    return int(words[0]) if words else 1


def _hash(node: RegtestNode, block: str) -> bytes:
    return hash_from_hex(block) if len(block) == 64 else node.chain.at(int(block)).ref.hash


def _set(faults: Faults, name: str, value: str) -> None:
    if name == "content_type":
        faults.content_type = value
        return
    before = getattr(faults, name)
    if not isinstance(before, int | float | str):
        raise ValueError(f"{name} cannot be set by hand")
    kind = type(before)
    setattr(faults, name, value == "true" if kind is bool else kind(value))
