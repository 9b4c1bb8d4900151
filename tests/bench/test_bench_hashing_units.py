"""What the units of an x86 processor can do at most: cycles of the instructions that kernels use.

Each mix is repeated without dependencies between its parts, so that the figure is the least
that a kernel can need for so many instructions, however well they are ordered. The clock is
that of a chain of additions, one a cycle, timed beside each mix.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

import pytest
from llvmlite import binding, ir
from numba import njit, types
from numba.extending import intrinsic
from pytest_benchmark.fixture import BenchmarkFixture

from hashing.choice import features

REPEATS = 16
LOOPS = 2_000
STREAM = "sha256rnds2 %xmm0, %xmm{even}, %xmm{odd}"
TURNED = "sha256rnds2 %xmm0, %xmm{odd}, %xmm{even}"
VECTOR = {
    "rotate": "vprold $$7, %{size}{source}, %{size}{target}",
    "shift": "vpsrld $$3, %{size}{source}, %{size}{target}",
    "add": "vpaddd %{size}{source}, %{size}{source}, %{size}{target}",
    "or": "vpord %{size}{source}, %{size}{source}, %{size}{target}",
    "ternary": "vpternlogd $$150, %{size}{source}, %{size}{source}, %{size}{target}",
    "shuffle": "vpunpckldq %{size}{source}, %{size}{source}, %{size}{target}",
}
SHA = {"msg1": "sha256msg1 %xmm15, %xmm{n}", "msg2": "sha256msg2 %xmm15, %xmm{n}"}
MIXES = {
    "latency of rnds2": ["rnds2 x1"],
    "rnds2, 4 streams": ["rnds2 x4"],
    "msg1": ["msg1 x8"],
    "msg2": ["msg2 x8"],
    **{f"{name} {size}": [f"{name} {size} x8"] for name in VECTOR for size in ("ymm", "zmm")},
    "4 rnds2 and 2 msg2": ["rnds2 x4", "msg2 x2"],
    "4 rnds2 and 4 rotates ymm": ["rnds2 x4", "rotate ymm x4"],
    "4 rnds2 and 8 rotates ymm": ["rnds2 x4", "rotate ymm x8"],
    "4 rnds2 and 8 adds ymm": ["rnds2 x4", "add ymm x8"],
    "4 rnds2 and 8 ternary ymm": ["rnds2 x4", "ternary ymm x8"],
}


def lines(mix: list[str], repeat: int) -> list[str]:
    """Return one repetition of a mix in assembly."""
    written = []
    for part in mix:
        name, _, count = part.rpartition(" x")
        for i in range(int(count)):
            if name == "rnds2":
                text = (TURNED if repeat % 2 else STREAM).format(odd=2 * i + 1, even=2 * i + 2)
            elif name in SHA:
                text = SHA[name].format(n=9 + i % 6 if len(mix) > 1 else 1 + i)
            else:
                kind, size = name.split()
                places = {"source": 24 + i % 8, "target": 16 + i % 8}
                text = VECTOR[kind].format(size=size, **places)
            written.append(text)
    return written


def assemble(text: list[str]) -> Callable[[], Any]:
    """Return a compiled loop over lines of assembly."""
    clobbered = ",".join(f"~{{{name}}}" for name in ["rax", *(f"xmm{i}" for i in range(32))])

    def describe(_context: Any) -> Any:
        def emit(context: Any, builder: Any, _signature: Any, _args: Any) -> Any:
            kind = ir.FunctionType(ir.VoidType(), [])
            builder.asm(kind, "\n\t".join(text), clobbered, [], True)
            return context.get_dummy_value()

        return types.void(), emit

    step: Any = intrinsic(describe)

    def loop() -> None:
        for _ in range(LOOPS):
            step()

    compiled: Callable[[], Any] = njit(nogil=True)(loop)
    compiled()
    return compiled


@functools.cache
def clock() -> Callable[[], Any]:
    return assemble(["add $$1, %rax"] * 64)


def seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


@pytest.mark.skipif(not {"sha", "avx512vl"} <= features(), reason="needs the SHA unit and AVX-512")
@pytest.mark.parametrize("name", MIXES)
def test_cycles(benchmark: BenchmarkFixture, name: str) -> None:
    binding.initialize_native_asmparser()
    text = [line for i in range(REPEATS) for line in lines(MIXES[name], i)]
    run, ticks = assemble(text), []

    def measure() -> None:
        ticks.append((seconds(run), seconds(clock())))

    benchmark.pedantic(measure, rounds=300)  # type: ignore[no-untyped-call]
    cycle = min(tick for _, tick in ticks) / LOOPS / 64
    taken = min(taken for taken, _ in ticks) / LOOPS / REPEATS / cycle
    benchmark.extra_info["cycles"] = taken
    benchmark.extra_info["cycles_an_instruction"] = taken / (len(text) / REPEATS)
    benchmark.extra_info["gigahertz"] = 1e-9 / cycle
