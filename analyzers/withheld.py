"""What is not said of groups that do not direct the work of their pools.

A country, a custodian or a group that shares templates holds no hash rate, so it has no share of
the work that could be above a threshold, and nobody in it could attack. These figures are taken
out where a window is summed up, so that no face can show them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from analyzers.registry.lenses import Sight
from analyzers.summary import THRESHOLDS, Reading, Share, Summary, summarize

AnyReading = TypeVar("AnyReading", bound=Reading)


def summed_up(
    counts: Mapping[str, int], sight: Sight, *, unattributed: int = 0, **how: Any
) -> Summary:
    """Return `analyzers.summary.summarize` of a window, as far as its lens allows.

    `sight` is what the lens did to the blocks; `how` goes to `summarize`, which says what is
    raised.
    """
    if not sight.applies:
        return of_nobody(sum(counts.values()) + unattributed)
    summary = summarize(counts, unattributed=unattributed, **how)
    return summary if sight.kind.is_control else without_control(summary)


def without_control(summary: Summary) -> Summary:
    """Return `summary` without any probability that somebody holds more than a threshold.

    Examples
    --------
    >>> found = without_control(summarize({"cn": 80, "us": 64}))
    >>> found.shares[0].share == 80 / 144, found.shares[0].above_half, found.nakamoto_half.posterior
    (True, nan, {})
    """
    as_one, of_largest = summary.as_one, summary.of_largest
    return replace(
        _without_chances(summary),
        shares=tuple(map(share_without_control, summary.shares)),
        as_one=None if as_one is None else _without_chances(as_one),
        of_largest=None if of_largest is None else _without_chances(of_largest),
    )


def _without_chances(reading: AnyReading) -> AnyReading:
    return replace(
        reading,
        nakamoto_half=replace(reading.nakamoto_half, posterior={}),
        nakamoto_third=replace(reading.nakamoto_third, posterior={}),
        any_above=dict.fromkeys(THRESHOLDS, math.nan),
    )


def share_without_control(share: Share) -> Share:
    """Return `share` without the probabilities that it is above a threshold."""
    return replace(
        share,
        above_half=math.nan,
        above_third=math.nan,
        above_quarter=math.nan,
        above_half_most=math.nan,
        above_third_most=math.nan,
        above_quarter_most=math.nan,
    )


def of_nobody(blocks: int) -> Summary:
    """Return what is said of `blocks` blocks of which a lens says nothing: how many there are.

    Examples
    --------
    >>> of_nobody(144).blocks, of_nobody(144).shares, of_nobody(144).hhi
    (144, (), nan)
    """
    return replace(summarize({}), blocks=blocks)
