"""The report's plots, as SVG text: small, printable, without a script. Bands, not lines alone."""

from __future__ import annotations

import io
import re
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analyzers.ignorance import Readings
from analyzers.series import Series
from analyzers.simulate import Simulated
from analyzers.summary import Summary
from analyzers.windows import CountTable

COLOURS: Final = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#F0E442",
    "#7F5AA2",
    "#4D4D4D",
    "#A6761D",
)
"""Okabe and Ito's palette, that colour-blind people can tell apart, and two more."""

DAY: Final = 86_400
"""Matplotlib counts dates in days since 1970."""

ROOM_BELOW: Final = 0.4
"""Part of a plot's height that is kept free for what is drawn below its bands."""

OTHERS: Final = "#C8C8C8"
NAMED: Final = 9
"""Entities that the plot of shares shows by name."""

_STYLE: Final[dict[Any, Any]] = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.family": "sans-serif",
    "font.size": 9,
    "grid.alpha": 0.3,
    "svg.fonttype": "none",
    "svg.hashsalt": "poolscope",
}


def _axes(height: float = 2.8) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(9, height), layout="constrained")
    FigureCanvasSVG(figure)
    return figure, figure.add_subplot()


def _svg(figure: Figure, title: str) -> str:
    """Return the figure as inline SVG that says what it shows; the same input, the same text."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    body = text.getvalue()[text.getvalue().index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', 'width="100%"', body, count=1)
    return body.replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1)


def _dates(times: NDArray[np.int64]) -> NDArray[np.datetime64]:
    return times.astype("datetime64[s]")


@mpl.rc_context(_STYLE)
def hhi_plot(found: Series, changes: list[int], level: float) -> str:
    """Return HHI over time with its intervals and the moments at which shares changed."""
    figure, axes = _axes()
    dates = _dates(found.start_time)
    axes.fill_between(
        dates,
        found.hhi_low * 1e4,
        found.hhi_high * 1e4,
        color=COLOURS[0],
        alpha=0.3,
        lw=0,
        label=f"{level:.0%} interval",
    )
    line = np.where(found.withheld, np.nan, found.hhi * 1e4)
    axes.plot(dates, line, color=COLOURS[0], lw=1.2, label="HHI, unbiased")
    for number, time in enumerate(changes):
        axes.axvline(
            time / DAY,
            color=COLOURS[5],
            lw=0.6,
            ls=":",
            label="largest changes of shares" if number == 0 else None,
        )
    axes.set_ylabel("HHI, points")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False)
    return _svg(figure, "HHI over time with intervals")


@mpl.rc_context(_STYLE)
def largest_plot(
    found: Series, drawn: Readings[Simulated], level: float, *, control: bool = True
) -> str:
    """Return the largest share with its intervals, and the probability that it is over 1/3.

    Without `control` it is of groups that do not direct work, and has no such probability.
    """
    figure, axes = _axes()
    dates, least, most = _dates(found.start_time), drawn.alone, drawn.of_largest
    low, high = least.largest[:, 1] * 100, most.largest[:, 2] * 100
    axes.fill_between(
        dates,
        low,
        high,
        color=COLOURS[2],
        alpha=0.3,
        lw=0,
        label=f"{level:.0%} interval",
    )
    axes.plot(
        dates,
        np.where(found.withheld, np.nan, least.largest[:, 0] * 100),
        color=COLOURS[2],
        lw=1.2,
        label="largest share, posterior mean",
    )
    for part, name in ((100 / 3, "1/3"), (25, "1/4")):
        axes.axhline(part, color="#666666", lw=0.8, ls="--")
        axes.annotate(name, (dates[0], part), fontsize=8, va="bottom")
    if (known := np.isfinite(low)).any():
        lowest, highest = low[known].min(), high[known].max()
        axes.set_ylim(bottom=lowest - ROOM_BELOW * (highest - lowest))
    axes.set_ylabel("% of blocks")
    handles = [*axes.get_legend_handles_labels()[0]]
    if control:
        right = axes.twinx()
        right.grid(visible=False)
        right.plot(dates, least.above_third, color=COLOURS[5], lw=0.8)
        right.fill_between(
            dates,
            most.above_third,
            color=COLOURS[5],
            alpha=0.35,
            lw=0,
            label="P(some miner over 1/3)",
        )
        right.set_ylim(0, 4)
        right.set_yticks([0, 1])
        right.set_ylabel("probability", loc="bottom")
        handles += right.get_legend_handles_labels()[0]
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False)
    return _svg(figure, "Largest share over time with intervals")


@mpl.rc_context(_STYLE)
def nakamoto_plot(found: Series, drawn: Readings[Simulated]) -> str:
    """Return the posterior of the Nakamoto coefficient over time.

    Above if each unknown block is of a miner of its own, below if all are of the largest.
    """
    ends = {"unknown blocks alone": drawn.alone, "the largest's": drawn.of_largest}
    if drawn.alone is drawn.of_largest:
        ends = {"": drawn.alone}
    figure = Figure(figsize=(9, 1 + 1.8 * len(ends)), layout="constrained")
    FigureCanvasSVG(figure)
    rows = figure.subplots(len(ends), sharex=True, squeeze=False)[:, 0]
    dates = _dates(found.start_time)
    handles: dict[str, Artist] = {}
    for axes, (words, each) in zip(rows, ends.items(), strict=True):
        used = np.flatnonzero((each.nakamoto_half > 0.02).any(axis=0))
        if used.size:
            axes.stackplot(
                dates,
                [each.nakamoto_half[:, size] for size in used],
                colors=[COLOURS[size % len(COLOURS)] for size in used],
                alpha=0.6,
                labels=[str(size + 1) for size in used],
                step="mid",
            )
        axes.set_ylim(0, 1)
        axes.set_ylabel(f"probability\n{words}" if words else "probability")
        artists, labels = axes.get_legend_handles_labels()
        handles |= dict(zip(labels, artists, strict=True))
    if handles:
        figure.legend(
            [handles[label] for label in sorted(handles, key=int)],
            sorted(handles, key=int),
            title="miners needed for more than half",
            loc="outside upper center",
            ncols=8,
            frameon=False,
        )
    return _svg(figure, "Posterior of the Nakamoto coefficient over time")


@mpl.rc_context(_STYLE)
def shares_plot(table: CountTable) -> str:
    """Return the shares of the largest entities over time, stacked."""
    figure, axes = _axes(3.2)
    part = table.counts / np.maximum(table.blocks, 1)[:, None] * 100
    bands = [part[:, i] for i in range(min(NAMED, part.shape[1]))]
    bands.append(100 - sum(bands, np.zeros(len(table))))
    names = [*table.entities[:NAMED], "others and unknown"]
    colours = [*COLOURS[: len(bands) - 1], OTHERS]
    axes.stackplot(_dates(table.start_time), bands, colors=colours, alpha=0.8)
    axes.set_ylim(0, 100)
    axes.set_ylabel("% of blocks")
    axes.legend(names, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    return _svg(figure, "Shares of the largest entities over time")


@mpl.rc_context(_STYLE)
def latest_plot(summary: Summary) -> str:
    """Return the shares of the last window with their intervals."""
    shown = summary.shares[:15][::-1]
    figure, axes = _axes(0.8 + 0.2 * len(shown))
    places = np.arange(len(shown))
    values = np.array([100 * share.share for share in shown])
    low, high = (np.array([100 * share.interval[end] for share in shown]) for end in (0, 1))
    axes.barh(places, high - low, left=low, height=0.5, color=COLOURS[0], alpha=0.3)
    axes.plot(values, places, "|", color=COLOURS[0], ms=9, mew=2)
    axes.set_yticks(places, [share.entity for share in shown])
    for part in (25, 100 / 3):
        if high.size and part < high.max() * 1.2:
            axes.axvline(part, color="#666666", lw=0.8, ls="--")
    axes.set_xlim(left=0)
    axes.set_xlabel(f"% of blocks, with {summary.level:.0%} intervals")
    return _svg(figure, "Shares of the last window with intervals")
