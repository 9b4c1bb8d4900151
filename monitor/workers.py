"""Work shared among processes or machines: any executor in the manner of `concurrent.futures`."""

from __future__ import annotations

import gc
import importlib
import multiprocessing
import os
import pickle
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from analyzers.registry import Registry
from monitor.errors import ConfigError, SourceUnavailable
from monitor.secrets import foreign
from monitor.urls import shown

_SCHEDULER_PATIENCE: Final = 5.0
"""Seconds to wait for a scheduler."""
_WORKERS_PATIENCE: Final = 30.0
"""Seconds to wait for its workers."""
_RETRIES: Final = 5
"""How often a range is given to another worker after one died of it."""


@dataclass(frozen=True, slots=True)
class Crew:
    """An executor, how many calls it does at a time, and whether on other machines."""

    executor: Executor
    size: int
    elsewhere: bool = False

    @property
    def ahead(self) -> int:
        """How many results may be under way or waiting."""
        return 2 * self.size + 1


def in_order(
    executor: Executor, calls: Iterable[tuple[Any, ...]], ahead: int
) -> Iterator[tuple[Any, ...]]:
    """Submit `calls` (function, arguments ...); yield (call, result) in order.

    At most `ahead` results are under way or waiting: that bounds the memory.
    """
    waiting: deque[tuple[tuple[Any, ...], Future[Any]]] = deque()
    try:
        for call in calls:
            waiting.append((call, executor.submit(*call)))
            if len(waiting) >= ahead:
                done, future = waiting.popleft()
                yield done, future.result()
        while waiting:
            done, future = waiting.popleft()
            yield done, future.result()
    finally:
        for _, future in waiting:
            future.cancel()


@contextmanager
def crew(workers: int, scheduler: str = "", *, preload: str = "") -> Iterator[Crew]:
    """Give `workers` processes (one: a thread of this one), or those of a Dask scheduler.

    Of a scheduler's workers, `workers` are waited for, and all that come are used. Processes
    import the module `preload` while they start.

    Raises
    ------
    ConfigError
        If Dask is not installed.
    SourceUnavailable
        If no scheduler answers, or it has not enough workers.
    """
    if scheduler:
        with _dask(scheduler, workers) as found:
            yield found
        return
    if workers == 1:
        executor: Executor = ThreadPoolExecutor(1, thread_name_prefix="backfill")
    else:
        context = multiprocessing.get_context("spawn")
        executor = ProcessPoolExecutor(
            workers, mp_context=context, initializer=_begin_worker, initargs=(preload,)
        )
        executor.submit(int)  # they start while the caller makes its own beginning
    try:
        yield Crew(executor, workers)
    finally:
        executor.shutdown(cancel_futures=True)


def _begin_worker(preload: str) -> None:
    """Leave Ctrl-C to the parent, and die when it dies: nobody else would end this process."""
    if preload:
        importlib.import_module(preload)
    gc.set_threshold(100_000)  # blocks make no cycles: looking for some took an eighth of the time
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True, name="orphan-watch").start()


@contextmanager
def _dask(scheduler: str, workers: int) -> Iterator[Crew]:
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError:
        raise ConfigError(
            "--scheduler needs Dask: pip install 'poolscope[dask]', here and on the workers"
        ) from None
    try:
        client = distributed.Client(scheduler, timeout=_SCHEDULER_PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise SourceUnavailable(
            f"no Dask scheduler at {shown(scheduler)}: {foreign(error)}"
        ) from None
    with client:
        try:
            client.wait_for_workers(workers, timeout=_WORKERS_PATIENCE)
        except TimeoutError:
            raise SourceUnavailable(
                f"the Dask scheduler at {shown(scheduler)} has no {workers} workers; start them "
                f"with 'dask worker' and its address"
            ) from None
        threads = sum(client.nthreads().values())
        yield Crew(client.get_executor(pure=False, retries=_RETRIES), threads, elsewhere=True)


@lru_cache(2)
def sent_registry(pickled: bytes) -> Registry:
    """Return a registry as it was sent along with work; the last ones are kept."""
    registry: Registry = pickle.loads(pickled)  # noqa: S301 - from the process that gave the work
    return registry
