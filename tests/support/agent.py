"""A real agent as a process of its own: what it says and serves, and waiting for that."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tests.support.node import RegtestNode
from tests.support.patience import PATIENCE


class Agent:
    """A `poolscope run` process on `node`, what it says and what it serves."""

    def __init__(self, node: RegtestNode, store: str, home: Path, *more: str) -> None:
        environment = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.support.impatient", "run"),
                *("--no-hashrate", "--port", "0"),
                *("--network", "regtest", "--source", "bitcoind", "--store", store),
                *("--bitcoind", node.url.replace("://", "://alice:secret@"), *more),
            ],
            env=environment | {"HOME": str(home)},
            stderr=subprocess.PIPE,
            text=True,
        )
        self._lines: list[str] = []
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        self._lines.extend(self.process.stderr)

    def __enter__(self) -> Agent:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """Kill -9."""
        self.process.kill()
        self._ended()

    def stop(self) -> int:
        """Stop it as an operator does; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        self._ended()
        return self.process.returncode

    def _ended(self) -> None:
        self.process.wait()
        self._listener.join()
        assert self.process.stderr is not None
        self.process.stderr.close()

    @property
    def said(self) -> str:
        """What it has said so far."""
        return "".join(self._lines)

    def ask(self, path: str) -> str:
        """Return what it answers, good or bad; nothing while it does not serve."""
        served = re.search(r"serving (http://\S+)", self.said)
        if served is None:
            return ""
        try:
            with urllib.request.urlopen(f"{served[1].rstrip('/')}{path}", timeout=PATIENCE) as got:
                return str(got.read().decode())
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.read().decode()

    def figures(self) -> dict[str, float]:
        """The metrics without labels; none while it does not serve."""
        return {
            name.removeprefix("poolscope_"): float(value)
            for name, _, value in (line.partition(" ") for line in self.ask("/metrics").split("\n"))
            if name.startswith("poolscope_") and "{" not in name
        }

    def shows(self, **wanted: float) -> Callable[[], bool]:
        """Return a question: are these the metrics now?"""
        return lambda: wanted.items() <= self.figures().items()


def until(true: Callable[[], bool], *agents: Agent) -> None:
    """Wait for a condition."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, [(agent.said, agent.figures()) for agent in agents]
        assert all(agent.process.poll() is None for agent in agents), [a.said for a in agents]
        time.sleep(0.05)
