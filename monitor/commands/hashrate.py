"""``poolscope hashrate``: how fast this machine hashes, and what that means."""

from __future__ import annotations

import dataclasses
import json
import platform
import textwrap
from typing import TYPE_CHECKING, Any

import click

from monitor.commands.first_use import choosing
from monitor.commands.options import NumberRange, settings_options
from monitor.commands.waiting import busy
from monitor.config import Settings
from monitor.cores import cores
from monitor.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from hashing.hashrate import Rate

_HASHLIB_PART = 0.25
"""Part of a measurement's time that the loop over hashlib gets."""
_YEAR = 365.25 * 86_400


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
    results: list[tuple[str, int, Rate]] = []
    report: dict[str, Any] = {
        "processor": _processor(),
        "cores": cores(),
        "hashlib": dataclasses.asdict(loop),
        "results": [],
    }
    if as_lines:
        # Before anything is compiled, or Numba is so much as loaded.
        click.echo(json.dumps(report))
    from hashing import choice

    with choosing("scan"):
        best = choice.best("scan")
    report |= {
        "features": sorted(choice.features()),
        "best_kernel": best,
        "untried_kernels": choice.untried("scan"),
    }
    for name in _names(kernels or ("all",), best, choice.runnable()):
        for count in counts:
            with busy(f"measuring {name}, {count} thread{'s' * (count > 1)}"):
                rate = measure(name, count, seconds)
            results.append((name, count, rate))
            report["results"].append(_result(name, count, rate, loop))
            if as_lines:
                click.echo(json.dumps(report))
    report["alone"] = _alone(settings, max(rate.median for _, _, rate in results))
    if as_lines:
        click.echo(json.dumps(report))
    else:
        click.echo(json.dumps(report, indent=2) if as_json else _text(report, results, loop))


def _result(name: str, threads: int, rate: Rate, loop: Rate) -> dict[str, Any]:
    return {
        "kernel": name,
        "threads": threads,
        "hashes_per_second": dataclasses.asdict(rate),
        "hashlib_ratio": rate.median / loop.median,
    }


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


def _alone(settings: Settings, rate: float) -> dict[str, Any] | None:
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
    return {
        "network": settings.network,
        "height": block.ref.height,
        "difficulty": value,
        "expected_seconds_per_block": value * HASHES_PER_DIFFICULTY / rate,
    }


def _text(report: dict[str, Any], results: list[tuple[str, int, Rate]], loop: Rate) -> str:
    lines = [
        f"{report['processor']}, {report['cores']} cores",
        textwrap.fill(
            "SHA and vector features: " + (_features(report["features"]) or "none"),
            width=78,
            subsequent_indent="  ",
        ),
        "",
        f"{'kernel':<16}{'threads':>7}  {'MH/s':>8}  {'lowest':>8}  {'highest':>8}  x hashlib",
    ]
    rows = [("hashlib loop", 1, loop), *results]
    for name, count, rate in rows:
        megahashes = (f"{value / 1e6:8.2f}" for value in (rate.median, rate.min, rate.max))
        lines.append(
            f"{name:<16}{count:>7}  {'  '.join(megahashes)}  {rate.median / loop.median:9.1f}"
        )
    lines += ["", _fastest(report) + " " + _meaning(report["alone"])]
    return "\n".join(lines)


def _fastest(report: dict[str, Any]) -> str:
    if not report["untried_kernels"]:
        return f"Fastest here: {report['best_kernel']}."
    untried = ", ".join(report["untried_kernels"])
    return f"Fastest here so far: {report['best_kernel']} (to be tried at the next use: {untried})."


def _features(names: list[str]) -> str:
    return ", ".join(name for name in names if name.startswith(("sha", "avx", "sse4", "neon")))


def _meaning(alone: dict[str, Any] | None) -> str:
    if alone is None:
        return "With a store, the time to find a block alone is shown here."
    years = alone["expected_seconds_per_block"] / _YEAR
    return (
        f"Alone, at difficulty {alone['difficulty']:.4g} (height {alone['height']}, "
        f"{alone['network']}), it would find a block every {years:,.3g} years on average."
    )
