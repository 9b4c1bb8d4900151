"""Run a test node by hand, or as a process of a larger test.

::

    python -m tests.support.node --blocks 200 --mine-every 5

prints one JSON line that says where it listens, then follows commands on stdin::

    mine [COUNT [TAG]]   reorg [DEPTH]   fork [DEPTH]   restart   stop   start   tips
    set FAULT VALUE      quit

`set` takes the names of `tests.support.node.faults.Faults`, such as ``set queue_full true``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import queue
import signal
import sys
import threading
from pathlib import Path

from hashing.header import hash_to_hex
from tests.support.node import FLAVOURS, RegtestNode


def main() -> None:
    """Serve until told to stop."""
    arguments = _parser().parse_args()
    node = RegtestNode(
        FLAVOURS[arguments.flavour],
        datadir=arguments.datadir,
        rest=not arguments.no_rest,
        user=arguments.user,
        password=arguments.password,
        rpc_port=arguments.rpc_port,
        zmq_port=arguments.zmq_port,
        blocks=arguments.blocks,
        seed=arguments.seed,
        **({"zmq_topics": ()} if arguments.no_zmq else {}),
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    commands: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read_commands, args=(commands,), daemon=True).start()
    with node, contextlib.suppress(KeyboardInterrupt):
        where = {
            "url": node.url,
            "cookie": str(node.cookie),
            "zmq": node.zmq_address,
            "datadir": str(node.datadir),
        }
        print(json.dumps(where), flush=True)
        while True:
            try:
                line = commands.get(timeout=arguments.mine_every)
            except queue.Empty:
                line = "mine"
            words = line.split(maxsplit=2)
            if words == ["quit"]:
                return
            if words:
                print(_obey(node, words), flush=True)


def _obey(node: RegtestNode, words: list[str]) -> str:
    """Follow one command; return what to say about it."""
    number = int(words[1]) if len(words) > 1 and words[1].isdecimal() else 1
    match words:
        case ["mine", *rest]:
            node.mine(number, tag=rest[1] if len(rest) > 1 else None)
        case ["reorg", *_]:
            node.reorg(number)
        case ["fork", *_]:
            node.fork(number)
        case ["start" | "stop" | "restart"]:
            getattr(node, words[0])()
        case ["set", name, value] if isinstance(
            getattr(node.faults, name, None), int | float | str
        ):
            kind = type(getattr(node.faults, name))
            setattr(node.faults, name, value == "true" if kind is bool else kind(value))
        case ["tips"]:
            return "\n".join(
                f"{tip.ref.height} {hash_to_hex(tip.ref.hash)} {tip.status}"
                for tip in node.chain.tips()
            )
        case _:
            return "commands: mine, reorg, fork, restart, stop, start, tips, set, quit"
    return f"{node.tip.height} {hash_to_hex(node.tip.hash)}"


def _read_commands(commands: queue.Queue[str]) -> None:
    for line in sys.stdin:
        commands.put(line)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.node",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--flavour", choices=sorted(FLAVOURS), default="core-31")
    parser.add_argument("--datadir", type=Path, help="keep the chain here")
    parser.add_argument("--rpc-port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--zmq-port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--no-rest", action="store_true")
    parser.add_argument("--no-zmq", action="store_true")
    parser.add_argument("--user", default="")
    parser.add_argument("--password", default="", help="without one a cookie file is written")
    parser.add_argument("--blocks", type=int, default=0, help="mine so many before the start")
    parser.add_argument("--mine-every", type=float, metavar="SECONDS", help="mine by itself")
    parser.add_argument("--seed", type=int, default=1, help="of the coinbase tags")
    return parser


if __name__ == "__main__":
    main()
