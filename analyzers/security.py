"""Attack figures: double spends, confirmations to wait for, selfish mining.

`share` is the attacker's part of the hash rate, 0..1. From a half on an attacker wins with
certainty. All figures assume that the rest of the network is one honest miner with
instant relay.
"""

from __future__ import annotations

import math
from typing import Final, Literal, NamedTuple

from scipy.special import betainc, pdtrc

from analyzers.intervals import LEVEL, Interval, share_interval

Form = Literal["exact", "nakamoto"]

MAX_CONFIRMATIONS: Final = 100_000
"""More than this is not searched: it is two years of blocks."""


def double_spend(share: float, confirmations: int, form: Form = "exact") -> float:
    """Return the probability to replace a payment after `confirmations`.

    The exact form is I_{4pq}(z, 1/2), the regularised incomplete beta (Rosenfeld 2014,
    arXiv:1402.2009; Grunspan and Perez-Marco 2017, arXiv:1702.02867). Nakamoto's form
    (2008) lets the honest blocks take their expected time, and is somewhat different.

    Raises
    ------
    ValueError
        If `share` is not within 0..1 or `confirmations` is negative.

    Examples
    --------
    >>> round(double_spend(0.3, 6), 6), round(double_spend(0.1, 5, "nakamoto"), 7)
    (0.15645, 0.0009137)
    >>> double_spend(0.5, 100), double_spend(0.2, 0), double_spend(0, 1)
    (1.0, 1.0, 0.0)
    """
    if not 0 <= share <= 1 or confirmations < 0:
        raise ValueError("a share is within 0..1 and confirmations are 0 or more")
    if share >= 0.5 or confirmations == 0:
        return 1.0
    if share == 0:
        return 0.0
    honest = 1 - share
    if form == "exact":
        return float(betainc(confirmations, 0.5, 4 * honest * share))
    mean = confirmations * share / honest
    behind = math.fsum(
        math.exp(k * math.log(mean) - mean - math.lgamma(k + 1))
        * (share / honest) ** (confirmations - k)
        for k in range(confirmations + 1)
    )
    return float(pdtrc(confirmations, mean)) + behind


def confirmations_needed(share: float, risk: float = 0.001, form: Form = "exact") -> int | None:
    """Return the fewest confirmations that bring `double_spend` below `risk`.

    None where none do: from a share of a half on, or above `MAX_CONFIRMATIONS`.

    Raises
    ------
    ValueError
        If `risk` is not above 0 and at most 1.

    Examples
    --------
    >>> confirmations_needed(0.3), confirmations_needed(0.3, form="nakamoto")
    (32, 24)
    >>> confirmations_needed(0.5) is None
    True
    """
    if not 0 < risk <= 1:
        raise ValueError(f"a risk is above 0 and at most 1, not {risk}")
    high = 1
    while double_spend(share, high, form) >= risk:
        high *= 2
        if share >= 0.5 or high > MAX_CONFIRMATIONS:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        if double_spend(share, middle, form) >= risk:
            low = middle
        else:
            high = middle
    return high


class Confirmations(NamedTuple):
    """Confirmations at the point and at the ends of the share's interval; None for never."""

    point: int | None
    low: int | None
    high: int | None
    share: float
    interval: Interval


def confirmations_against(
    found: int,
    total: int,
    risk: float = 0.001,
    level: float = LEVEL,
    form: Form = "exact",
    *,
    unknown: int = 0,
) -> Confirmations:
    """Return the confirmations for `risk` against whoever found `found` of `total` blocks.

    The share's own uncertainty (Jeffreys' interval) is carried through; at its upper end all
    `unknown` blocks of the total are its own too.

    Examples
    --------
    >>> confirmations_against(43, 144)[:3]
    (31, 16, 87)
    """
    if not 0 <= found <= found + unknown <= total or not total:
        raise ValueError(f"blocks found must be within 0..{total}, of one block or more")
    low_end, high_end = (share_interval(own, total, level) for own in (found, found + unknown))
    interval = Interval(low_end.low, high_end.high)
    share = found / total
    point, low, high = (confirmations_needed(q, risk, form) for q in (share, *interval))
    return Confirmations(point, low, high, share, interval)


def selfish_revenue(share: float, gamma: float) -> float:
    """Return the part of the blocks (0..1) that a selfish miner of `share` gets.

    `gamma` is the part of the honest hash rate that mines on the attacker's block in a tie.
    Worth it where it exceeds `share`, and only after difficulty has followed. Source: Eyal
    and Sirer 2014, arXiv:1311.0243, equation 8; 1 from a share of a half on.

    Raises
    ------
    ValueError
        If `share` or `gamma` is not within 0..1.

    Examples
    --------
    >>> round(selfish_revenue(0.3, 0.5), 6), round(selfish_revenue(1 / 3, 0), 6)
    (0.326874, 0.333333)
    """
    if not (0 <= share <= 1 and 0 <= gamma <= 1):
        raise ValueError("share and gamma are within 0..1")
    if share >= 0.5:
        return 1.0
    a = share
    gain = a * (1 - a) ** 2 * (4 * a + gamma * (1 - 2 * a)) - a**3
    return gain / (1 - a * (1 + (2 - a) * a))


def selfish_threshold(gamma: float) -> float:
    """Return the share above which this selfish mining pays, (1 - gamma)/(3 - 2 gamma).

    Better strategies have a lower threshold (Sapirshtein, Sompolinsky and Zohar 2016).

    Examples
    --------
    >>> round(selfish_threshold(0), 4), selfish_threshold(0.5), selfish_threshold(1)
    (0.3333, 0.25, 0.0)
    """
    if not 0 <= gamma <= 1:
        raise ValueError(f"gamma is within 0..1, not {gamma}")
    return (1 - gamma) / (3 - 2 * gamma)
