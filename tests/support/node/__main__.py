"""Run a test node by hand, or as a process of a larger test.

::

    python -m tests.support.node --blocks 200 --mine-every 5

prints one JSON line that says where it listens, then follows commands on stdin, and before
the start those of ``--do``, such as ``--do "late getchaintips 40"``::

"""

from __future__ import annotations

import argparse
import contextlib
import json
import queue
import signal
import sys
import textwrap
import threading
from pathlib import Path

from tests.support.node import FLAVOURS, Faults, RegtestNode
from tests.support.node.commands import HELP, BadCommand, obey


def main() -> None:
    """Serve until told to stop."""
    parser = _parser()
    arguments = parser.parse_args()
    topics = {} if arguments.zmq_topics is None else {"zmq_topics": arguments.zmq_topics}
    node = RegtestNode(
        FLAVOURS[arguments.flavour],
        datadir=arguments.datadir,
        rest=not arguments.no_rest,
        user=arguments.user,
        password=arguments.password,
        rpc_port=arguments.rpc_port,
        zmq_port=arguments.zmq_port,
        zmq_host=arguments.zmq_host,
        blocks=arguments.blocks,
        seed=arguments.seed,
        faults=Faults(
            content_type=arguments.content_type,
            prefix=arguments.prefix,
            no_login=arguments.no_login,
            jsonrpc_2=arguments.jsonrpc_2,
        ),
        warm_up=arguments.warm_up,
        **topics,
    )
    try:
        for line in arguments.do:
            obey(node, line)
    except BadCommand as error:
        node.close()
        parser.error(str(error))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    commands: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read_commands, args=(commands,), daemon=True).start()
    with contextlib.closing(node), contextlib.suppress(KeyboardInterrupt):
        node.start()
        if arguments.stopped:
            node.stop()  # after it has taken its ports
        where = {
            "url": node.url,
            "cookie": str(node.cookie),
            "zmq": node.zmq_address,
            "datadir": str(node.datadir),
        }
        print(json.dumps(where), flush=True)
        while True:
            try:
                line = commands.get(timeout=arguments.mine_every).strip()
            except queue.Empty:
                line = "mine"
            if line == "quit":
                return
            if line:
                try:
                    said = obey(node, line)
                except BadCommand as error:
                    said = str(error)
                print(said, flush=True)


def _read_commands(commands: queue.Queue[str]) -> None:
    for line in sys.stdin:
        commands.put(line)


def _topics(text: str) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.node",
        description=f"{__doc__}{textwrap.indent(HELP, '    ')}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--flavour", choices=sorted(FLAVOURS), default="core-31")
    parser.add_argument("--datadir", type=Path, help="keep the chain here")
    parser.add_argument("--rpc-port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--zmq-port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--zmq-host", default="127.0.0.1", help="publish at this address")
    parser.add_argument("--no-rest", action="store_true")
    parser.add_argument("--zmq-topics", type=_topics, help="such as rawblock,sequence; all if not")
    parser.add_argument("--no-zmq", dest="zmq_topics", action="store_const", const=())
    parser.add_argument("--user", default="")
    parser.add_argument("--password", default="", help="without one a cookie file is written")
    parser.add_argument("--no-login", action="store_true", help="ask nobody for a login")
    parser.add_argument("--blocks", type=int, default=0, help="mine so many before the start")
    parser.add_argument("--mine-every", type=float, metavar="SECONDS", help="mine by itself")
    parser.add_argument("--seed", type=int, default=1, help="of the coinbase tags")
    parser.add_argument("--content-type", help="of every reply; an empty one is not sent")
    parser.add_argument("--prefix", default="", help="serve below this path only")
    parser.add_argument("--jsonrpc-2", action="store_true", help="leave out what is null")
    parser.add_argument(
        "--warm-up", type=float, default=0.0, metavar="SECONDS", help="to load after each start"
    )
    parser.add_argument(
        "--stopped", action="store_true", help="refuse connections until the command 'start'"
    )
    parser.add_argument(
        "--do", action="append", default=[], metavar="COMMAND", help="before the start"
    )
    return parser


if __name__ == "__main__":
    main()
