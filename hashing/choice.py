"""Which kernel to run: what the processor can, and what a short measurement found fastest."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

import numba
import numpy as np
import platformdirs
from llvmlite import binding
from numba.core import config

from hashing.contest import Budget, Candidate, Run, Standing, hold
from hashing.errors import HashingError
from hashing.kernels.build import DESIGNS, FINGERPRINT, compile_digest, compile_scan
from hashing.kernels.jit import compiled

Shape = Literal["scan", "headers", "nodes"]
"""A nonce scan over one header; digests of 80-byte headers; digests of 64-byte nodes."""

SIZES: Final = {"headers": 80, "nodes": 64}
"""Bytes of a message, for the shapes that hash messages."""
SECONDS: Final = 4.0
"""Processor time that a choice may take, compiling included. One kernel is compiled whatever
that takes, as the work needs it; others only if it is foreseen that they fit."""
_WALL: Final = 30.0
"""Seconds after which no other kernel is begun, however little of the processor was had."""
WORTH_MEASURING: Final = 1 << 26
"""Hashes from which on a choice pays: fewer take less time than it does."""
_KEPT: Final = 8
"""Choices in the file: a home directory may serve several processors."""
_UNTRIED: Final = "untried"
_MESSAGES: Final = 1 << 12


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


def checked(kernel: str | None, shape: Shape, count: int = WORTH_MEASURING) -> str:
    """Return `kernel`, or one that suits `count` hashes of `shape` if it is None.

    Raises
    ------
    HashingError
        If there is no such kernel or the processor cannot run it.
    """
    if kernel is None:
        return best(shape) if count >= WORTH_MEASURING else good(shape)
    if kernel not in DESIGNS:
        raise HashingError(f"no kernel {kernel!r}; there are {', '.join(DESIGNS)}")
    if kernel not in runnable():
        missing = ", ".join(sorted(DESIGNS[kernel].features - features()))
        raise HashingError(f"kernel {kernel!r} needs what this processor lacks: {missing}")
    return kernel


def is_remembered(shape: Shape) -> bool:
    """Say whether a kernel for `shape` is known; if not, finding one takes seconds."""
    return _standing(shape).best is not None


def untried(shape: Shape) -> tuple[str, ...]:
    """Return the kernels that may prove faster than `best` when there is time for them."""
    return _standing(shape).untried


@functools.cache
def best(shape: Shape) -> str:
    """Return the fastest kernel for `shape` that is known.

    Measured at first use for no more than `SECONDS`, and remembered on disk: what there was no
    time for is made up for at the next use.
    """
    return _chosen(shape, rivals=True)


@functools.cache
def good(shape: Shape) -> str:
    """Return the kernel for `shape` that is known as the fastest, or the first that is sound."""
    return _chosen(shape, rivals=False)


def _chosen(shape: Shape, *, rivals: bool) -> str:
    standing = _standing(shape)
    if standing.best is not None and not (rivals and standing.untried):
        return standing.best
    names = standing.untried + ((standing.best,) if standing.best else ())
    if len(names) == 1:
        # There is nothing to choose from, whatever it does.
        _keep(shape, Standing(names[0]))
        return names[0]
    budget = Budget(SECONDS, _WALL)
    compiled()(_nothing)()  # Numba gets ready, which is no kernel's cost
    standing = hold(
        {name: _candidate(shape, name) for name in names},
        standing,
        budget,
        reference=_reference(shape),
        keep=functools.partial(_keep, shape),
        rivals=rivals,
    )
    assert standing.best is not None
    return standing.best


def _nothing() -> None:
    return None


def _candidate(shape: Shape, name: str) -> Candidate:
    design = DESIGNS[name]
    return Candidate(name, functools.partial(_run, shape, name), design.cost, design.outruns)


def _run(shape: Shape, name: str) -> Run:
    """Return what does so many hashes of `shape`; its first call compiles."""
    if shape == "scan":
        job = (np.uint32(0),) * 11
        hits = np.empty(1, np.uint32)
        scan = compile_scan(name)
        return lambda count: scan(job, np.uint32(0), count, np.uint32(0), hits)
    messages = np.zeros((_MESSAGES, SIZES[shape]), np.uint8)
    digests = np.empty((_MESSAGES, 32), np.uint8)
    digest = compile_digest(name, SIZES[shape])
    width = DESIGNS[name].width

    def run(count: int) -> None:
        # The same few again and again: memory is not what is measured.
        for _ in range(max(1, count // _MESSAGES)):
            digest(messages.ctypes.data, digests.ctypes.data, min(count, _MESSAGES) // width)

    return run


def _reference(shape: Shape) -> Run:
    """Return what does so many hashes with hashlib: what every kernel has to surpass."""
    message = bytes(SIZES.get(shape, 80))
    sha256: Callable[[bytes], Any] = hashlib.sha256

    def run(count: int) -> None:
        for _ in range(count):
            sha256(sha256(message).digest()).digest()

    return run


def _file() -> Path:
    return platformdirs.user_cache_path("poolscope") / "kernels.json"


def _key() -> str:
    facts = (binding.get_host_cpu_name(), *sorted(features()), numba.__version__, FINGERPRINT)
    return hashlib.sha256(" ".join(facts).encode()).hexdigest()[:16]


def _standing(shape: Shape) -> Standing:
    """Return what is known of this processor's kernels; all are untried if that is nothing."""
    known = _recall()
    if (best := known.get(shape)) not in runnable():
        processor = binding.get_host_cpu_name()
        hopeful = [name for name in runnable() if processor not in DESIGNS[name].hopeless_on]
        return Standing(None, tuple(hopeful))
    left = known.get(_UNTRIED)
    names = left.get(shape) if isinstance(left, dict) else None
    names = names if isinstance(names, list) else []
    return Standing(best, tuple(name for name in runnable() if name in names and name != best))


def _keep(shape: Shape, standing: Standing) -> bool:
    """Remember a standing; say whether that was possible."""
    if standing.best is None:
        return True
    known = _recall()
    left = known.get(_UNTRIED)
    left = {name: rest for name, rest in left.items() if rest} if isinstance(left, dict) else {}
    left = {**left, shape: list(standing.untried)}
    left = {name: rest for name, rest in left.items() if rest}
    chosen = {name: value for name, value in known.items() if name != _UNTRIED}
    return _remember({**chosen, shape: standing.best} | ({_UNTRIED: left} if left else {}))


def _recall() -> dict[str, Any]:
    """Return what was remembered for this processor, software and Numba; nothing if unreadable."""
    known = _read().get(_key())
    return known if isinstance(known, dict) else {}


def _read() -> dict[str, Any]:
    try:
        content = json.loads(_file().read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _remember(chosen: dict[str, Any]) -> bool:
    """Write the choice whole or not at all, and say whether it was written."""
    key, path = _key(), _file()
    if not path.is_absolute():
        return False  # whoever runs this has no home
    others = [(other, known) for other, known in _read().items() if other != key]
    text = json.dumps(dict([*others[1 - _KEPT :], (key, chosen)]))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        number, written = tempfile.mkstemp(dir=path.parent, prefix="kernels.")
        try:
            with open(number, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(written, path)
        except BaseException:
            os.unlink(written)
            raise
    except OSError:
        return False
    return True
