"""The vocabulary of all answers: which names numbers have, and in which unit each is.

A name says its unit: by its ending, or because it is one of a few plain words. Tests hold every
answer of commands and API against it, ``poolscope schema`` writes the unit beside each number,
and the page on the API shows it.
"""

from __future__ import annotations

from typing import Final

ENDINGS: Final = {
    "_per_second": "hashes per second",
    "_seconds": "seconds",
    "_time": "Unix time",
    "_bytes": "bytes",
    "_height": "height",
    "_blocks": "blocks",
    "_headers": "block headers",
    "_pools": "pools",
    "_hits": "blocks",
    "_count": "a count",
    "_ratio": "ratio",
}
"""What the end of a name says of its unit."""

WORDS: Final = {
    "time": "Unix time",
    "now": "Unix time",
    "made_at": "Unix time",
    "at": "Unix time",
    "first_seen": "Unix time",
    "last_success": "Unix time",
    "height": "height",
    "heights": "height",
    "blocks": "blocks",
    "blocks_left": "blocks",
    "lag_blocks": "blocks",
    "window": "blocks",
    "step": "blocks",
    "unknown": "blocks",
    "registries": "blocks",
    "proved": "blocks",
    "depth": "blocks",
    "deepest": "blocks",
    "deepest_reorg": "blocks",
    "confirmations": "blocks",
    "conflicts": "a count",
    "reorgs": "a count",
    "count": "a count",
    "total": "a count",
    "number": "a count",
    "requests": "a count",
    "failures": "a count",
    "threads": "a count",
    "cores": "a count",
    "repetitions": "a count",
    "status": "HTTP status",
    "schema_version": "version",
    "version": "version bits",
    "signalled": "version bits",
    "rolled": "version bits",
    "nonce": "nonce",
    "difficulty": "difficulty",
    "size": "bytes",
    "offset": "bytes",
    "length": "bytes",
    "share": "ratio",
    "change": "ratio",
    "threshold": "ratio",
    "level": "ratio",
    "risk": "ratio",
    "above_quarter": "ratio",
    "above_third": "ratio",
    "above_half": "ratio",
    "posterior": "ratio",
    "spread": "hashes per second",
    "entities": "pools",
    "observed": "pools",
    "figures": "as /measures says",
    "value": "of the field that holds it",
    "low": "of the field that holds it",
    "high": "of the field that holds it",
}
"""Names that say their unit by themselves. An output of a coinbase has its `value` in satoshi."""

FORBIDDEN: Final = {
    "entity": "pool",
    "unattributed": "unknown",
    "matched": "hex",
    "registry": "registry_version",
    "interval": "value, low, high",
    "lower": "low",
    "upper": "high",
    "min": "low",
    "max": "high",
    "median": "value",
    "hhi_points": "hhi, a ratio",
    "seconds": "duration_seconds",
    "timestamp": "time",
}
"""Names that answers do not have, and what to say instead."""

INSTEAD: Final = ("_low", "_high", "_lower", "_upper", "_interval", "_points", "_percent")
"""Endings that answers do not have: an interval is {value, low, high}, a share a ratio 0..1."""


def unit_of(name: str) -> str | None:
    """Return the unit of numbers that are called `name`, None if the vocabulary has no such name.

    Examples
    --------
    >>> unit_of("tip_age_seconds"), unit_of("hashes_per_second"), unit_of("miles")
    ('seconds', 'hashes per second', None)
    """
    if name in WORDS:
        return WORDS[name]
    return next((unit for ending, unit in ENDINGS.items() if name.endswith(ending)), None)
