"""``poolscope hashrate``: how fast this machine hashes, and what that means."""

from __future__ import annotations

import platform
import textwrap
from typing import TYPE_CHECKING, Final

import click

from monitor.answers.base import Range
from monitor.answers.operating import Alone, HashrateReport, KernelRate
from monitor.commands.first_use import choosing
from monitor.commands.options import NumberRange, settings_options
from monitor.commands.output import write_json
from monitor.commands.waiting import busy
from monitor.config import Settings
from monitor.cores import cores
from monitor.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from hashing.hashrate import Rate

HASHLIB: Final = "hashlib"
_HASHLIB_PART: Final = 0.25
"""Part of a measurement's time that the loop over hashlib gets."""
_YEAR: Final = 365.25 * 86_400


@click.command("hashrate")
@click.option(
    "--seconds",
    type=NumberRange(0.05, 600),
    default=1.0,
    show_default=True,
    help="Time of each measurement.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, 1024),
    multiple=True,
    help="Number of threads; may be repeated. Default: 1, and as many as there are cores.",
)
@click.option(
    "--kernel",
    "kernels",
    multiple=True,
    help="A kernel's name, `best`, or `all` (the default); may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.option(
    "--json-lines",
    "as_lines",
    is_flag=True,
    help="Write the JSON that is known so far as a line, each time that it grows.",
)
@settings_options
def command(
    settings: Settings,
    seconds: float,
    threads: tuple[int, ...],
    kernels: tuple[str, ...],
    *,
    as_json: bool,
    as_lines: bool,
) -> None:
    """Measure double SHA-256 hashes per second, per kernel and number of threads.

    The kernels that this processor runs are compared with a Python loop over hashlib, in
    the same run. With a store, the rate is put beside the difficulty of its newest block.
    Other work on the machine lowers the figures: look at the spread.

    The fastest kernel is chosen at the first use, in a few seconds, and remembered. What there
    was no time to try then (`untried_kernels`) is tried at the next use.

    \b
    Examples:
      poolscope hashrate
      poolscope hashrate --kernel best --threads 1 --seconds 5
      poolscope hashrate --kernel sha-ni --kernel portable --json
    """
    from hashing.hashrate import measure, measure_hashlib

    _check(kernels)
    counts = threads or tuple(sorted({1, cores()}))
    loop = measure_hashlib(seconds * _HASHLIB_PART)
    report = HashrateReport(
        processor=_processor(), cores=cores(), hashlib=_result(HASHLIB, 1, loop, loop), results=[]
    )
    if as_lines:
        # Before anything is compiled, or Numba is so much as loaded.
        write_json(report, one_line=True)
    from hashing import choice

    with choosing("scan"):
        best = choice.best("scan")
    report = report.model_copy(
        update={
            "features": sorted(choice.features()),
            "best_kernel": best,
            "untried_kernels": list(choice.untried("scan")),
        }
    )
    fastest = 0.0
    for name in _names(kernels or ("all",), best, choice.runnable()):
        for count in counts:
            with busy(f"measuring {name}, {count} thread{'s' * (count > 1)}"):
                rate = measure(name, count, seconds)
            fastest = max(fastest, rate.median)
            results = [*report.results, _result(name, count, rate, loop)]
            report = report.model_copy(update={"results": results})
            if as_lines:
                write_json(report, one_line=True)
    report = report.model_copy(update={"alone": _alone(settings, fastest)})
    if as_lines or as_json:
        write_json(report, one_line=as_lines)
    else:
        click.echo(_text(report))


def _result(name: str, threads: int, rate: Rate, loop: Rate) -> KernelRate:
    return KernelRate(
        kernel=name,
        threads=threads,
        hashes_per_second=Range(value=rate.median, low=rate.min, high=rate.max),
        stdev_hashes_per_second=rate.stdev,
        repetitions=rate.repetitions,
        hashlib_ratio=rate.median / loop.median,
    )


def _check(kernels: tuple[str, ...]) -> None:
    named = [name for name in kernels if name not in {"all", "best"}]
    if not named:
        return  # Numba can wait
    from hashing import choice
    from hashing.errors import HashingError

    for name in named:
        try:
            choice.checked(name, "scan")
        except HashingError as error:
            raise ConfigError(f"--kernel: {error}") from None


def _names(wanted: tuple[str, ...], best: str, runnable: tuple[str, ...]) -> list[str]:
    """Return each kernel that is wanted, once."""
    meant = {"all": runnable, "best": (best,)}
    return list(dict.fromkeys(name for one in wanted for name in meant.get(one, (one,))))


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            names = (line.partition(":")[2].strip() for line in lines if line[:10] == "model name")
            return next(names, platform.machine())
    except OSError:
        return platform.processor() or platform.machine()


def _alone(settings: Settings, rate: float) -> Alone | None:
    """Return the expected time to find a block alone at `rate`, None without a live store."""
    from hashing.header import BlockHeader
    from hashing.target import HASHES_PER_DIFFICULTY, decode_nbits, difficulty
    from monitor.commands.reading import reading_store

    try:
        with reading_store(settings) as store:
            tip = store.tip()
            block = store.block(tip.height) if tip else None
            if block is None or store.synthetic:
                return None
    except StoreError:
        return None
    value = difficulty(decode_nbits(BlockHeader.parse(block.header).nbits))
    return Alone(
        network=settings.network,
        height=block.ref.height,
        difficulty=value,
        expected_seconds=value * HASHES_PER_DIFFICULTY / rate,
    )


def _text(report: HashrateReport) -> str:
    lines = [
        f"{report.processor}, {report.cores} cores",
        textwrap.fill(
            "SHA and vector features: " + (_features(report.features or []) or "none"),
            width=78,
            subsequent_indent="  ",
        ),
        "",
        f"{'kernel':<16}{'threads':>7}  {'MH/s':>8}  {'lowest':>8}  {'highest':>8}  x hashlib",
    ]
    for entry in (report.hashlib, *report.results):
        rate = entry.hashes_per_second
        name = "hashlib loop" if entry.kernel == HASHLIB else entry.kernel
        megahashes = (f"{(value or 0) / 1e6:8.2f}" for value in (rate.value, rate.low, rate.high))
        lines.append(
            f"{name:<16}{entry.threads:>7}  {'  '.join(megahashes)}  {entry.hashlib_ratio:9.1f}"
        )
    lines += ["", _fastest(report) + " " + _meaning(report.alone)]
    return "\n".join(lines)


def _fastest(report: HashrateReport) -> str:
    if not report.untried_kernels:
        return f"Fastest here: {report.best_kernel}."
    untried = ", ".join(report.untried_kernels)
    return f"Fastest here so far: {report.best_kernel} (to be tried at the next use: {untried})."


def _features(names: list[str]) -> str:
    return ", ".join(name for name in names if name.startswith(("sha", "avx", "sse4", "neon")))


def _meaning(alone: Alone | None) -> str:
    if alone is None or alone.expected_seconds is None:
        return "With a store, the time to find a block alone is shown here."
    years = alone.expected_seconds / _YEAR
    return (
        f"Alone, at difficulty {alone.difficulty:.4g} (height {alone.height}, "
        f"{alone.network}), it would find a block every {years:,.3g} years on average."
    )
