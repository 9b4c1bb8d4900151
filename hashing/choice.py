"""Which kernel to run: what the processor can, and what a short measurement found fastest."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

import numba
import numpy as np
import platformdirs
from llvmlite import binding
from numba.core import config

from hashing.errors import HashingError
from hashing.kernels.build import DESIGNS, FINGERPRINT, compile_digest, compile_scan

Shape = Literal["scan", "headers", "nodes"]
"""A nonce scan over one header; digests of 80-byte headers; digests of 64-byte nodes."""

SIZES: Final = {"headers": 80, "nodes": 64}
"""Bytes of a message, for the shapes that hash messages."""
_TRIED: Final = 3
_KEPT: Final = 8
"""Choices in the file: a home directory may serve several processors."""
_ROUNDS: Final = 200
_MESSAGES: Final = 1 << 12
_NONCES: Final = 1 << 16


@functools.cache
def features() -> frozenset[str]:
    """Return the features that the processor has and that Numba may use, by LLVM's names."""
    try:
        host = {name for name, there in binding.get_host_cpu_features().items() if there}
    except RuntimeError:
        return frozenset()
    setting: str | None = getattr(config, "CPU_FEATURES", None)
    if setting is None:
        return frozenset(host)
    # LLVM ends the process if it must make an instruction that it was told not to use.
    allowed = {name[1:] for name in setting.split(",") if name.startswith("+")}
    return frozenset(host & allowed)


@functools.cache
def runnable() -> tuple[str, ...]:
    """Return the kernels that run here, in the order in which they are worth a try."""
    return tuple(name for name, design in DESIGNS.items() if design.features <= features())


def checked(kernel: str | None, shape: Shape) -> str:
    """Return `kernel`, or the best one for `shape` if it is None.

    Raises
    ------
    HashingError
        If there is no such kernel or the processor cannot run it.
    """
    if kernel is None:
        return best(shape)
    if kernel not in DESIGNS:
        raise HashingError(f"no kernel {kernel!r}; there are {', '.join(DESIGNS)}")
    if kernel not in runnable():
        missing = ", ".join(sorted(DESIGNS[kernel].features - features()))
        raise HashingError(f"kernel {kernel!r} needs what this processor lacks: {missing}")
    return kernel


def is_remembered(shape: Shape) -> bool:
    """Say whether the best kernel for `shape` is known; if not, finding out takes seconds."""
    return _recall().get(shape) in runnable()


@functools.cache
def best(shape: Shape) -> str:
    """Return the fastest kernel for `shape`, measured at first use and remembered on disk."""
    remembered = _recall().get(shape)
    if remembered in runnable():
        return str(remembered)
    tried = runnable()[:_TRIED]
    fastest = tried[0] if len(tried) == 1 else _fastest(shape, tried)
    _remember({**_recall(), shape: fastest})
    return fastest


def _fastest(shape: Shape, names: tuple[str, ...]) -> str:
    runs = {name: _trial(shape, name) for name in names}
    for run in runs.values():
        run()
    seconds = dict.fromkeys(names, float("inf"))
    for _ in range(_ROUNDS):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            seconds[name] = min(seconds[name], time.perf_counter() - start)
    return min(names, key=lambda name: seconds[name])


def _trial(shape: Shape, name: str) -> Callable[[], Any]:
    if shape == "scan":
        job = (np.uint32(0),) * 11
        hits = np.empty(1, np.uint32)
        scan = compile_scan(name)
        return lambda: scan(job, np.uint32(0), _NONCES, np.uint32(0), hits)
    messages = np.zeros((_MESSAGES, SIZES[shape]), np.uint8)
    digests = np.empty((_MESSAGES, 32), np.uint8)
    digest = compile_digest(name, SIZES[shape])
    steps = _MESSAGES // DESIGNS[name].width
    return lambda: digest(messages.ctypes.data, digests.ctypes.data, steps)


def _file() -> Path:
    return platformdirs.user_cache_path("poolscope") / "kernels.json"


def _key() -> str:
    facts = (binding.get_host_cpu_name(), *sorted(features()), numba.__version__, FINGERPRINT)
    return hashlib.sha256(" ".join(facts).encode()).hexdigest()[:16]


def _recall() -> dict[str, str]:
    """Return what was remembered for this processor, software and Numba; nothing if unreadable."""
    known = _read().get(_key())
    return known if isinstance(known, dict) else {}


def _read() -> dict[str, Any]:
    try:
        content = json.loads(_file().read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _remember(chosen: dict[str, str]) -> None:
    """Write the choice whole or not at all; where that cannot be, it is measured again."""
    key, path = _key(), _file()
    others = [(other, known) for other, known in _read().items() if other != key]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            json.dump(dict([*others[1 - _KEPT :], (key, chosen)]), file)
        os.replace(file.name, path)
    except OSError:
        return
