"""A Dask scheduler and workers as processes of their own, as on several machines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.patience import PATIENCE


class DaskCluster:
    """A scheduler on localhost; workers are added with an environment of their own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._file = directory / "scheduler.json"
        self._stack = ExitStack()
        self._logs = self._stack.enter_context((directory / "cluster.log").open("wb"))
        options = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show")
        self._start("scheduler", *options, "--scheduler-file", str(self._file))
        until = time.monotonic() + PATIENCE
        while not self._file.exists() or not self._file.read_text():
            assert time.monotonic() < until, "no scheduler"
            time.sleep(0.05)
        self.address = str(json.loads(self._file.read_text())["address"])

    def add_worker(self, **environment: str) -> subprocess.Popen[bytes]:
        """Start a worker process of one thread; when killed it stays dead."""
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "0")
        where = ("--local-directory", str(self._directory))
        return self._start("worker", self.address, *options, *where, **environment)

    def _start(self, *words: str, **environment: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *words],
            env=os.environ | environment,
            stdout=self._logs,
            stderr=self._logs,
        )
        self._stack.enter_context(process)
        self._stack.callback(process.kill)
        return process

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._stack.close()
