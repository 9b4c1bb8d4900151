"""The vocabulary of all answers: which names numbers have, and in which unit each is.

A name says its unit: by its ending, or because it is one of a few plain words. Tests hold every
answer of commands and API against it, ``poolscope schema`` writes the unit beside each number,
and the page on the API shows it.
"""

from __future__ import annotations

from typing import Final

ENDINGS: Final = {
    "_time": "Unix time",
    "_seen": "Unix time",
    "_seconds": "seconds",
    "_height": "height",
    "_heights": "height",
    "_blocks": "blocks",
    "_confirmations": "blocks",
    "_headers": "block headers",
    "_hits": "blocks",
    "_bytes": "bytes",
    "_pools": "pools",
    "_count": "a count",
    "_ratio": "ratio",
    "_p": "p-value, 0..1",
    "_probability": "probability, 0..1",
    "_hashes_per_second": "hashes per second",
    "_per_year": "the same a year",
    "_watts": "watts",
    "_joules_per_terahash": "joules a terahash",
    "_kwh_per_btc": "kWh a bitcoin",
    "_twh_per_year": "TWh a year",
    "_usd_per_btc": "US dollars a bitcoin",
    "_usd_per_kwh": "US dollars a kWh",
    "_usd_per_mwh": "US dollars a MWh",
    "_usd_per_ph_day": "US dollars a day for a petahash a second",
    "_btc_per_ph_day": "bitcoin a day for a petahash a second",
}
"""What the end of a name, or all of it, says of the unit."""

_BY_UNIT: Final = {
    "Unix time": "now made_at at last_success",
    "seconds": "seconds_left",
    "blocks": "blocks_left window step unknown registries proved depth deepest deepest_reorg "
    "confirmations_whitepaper",
    "bytes": "size offset length",
    "pools": "entities observed",
    "hashes per second": "spread",
    "a count": "conflicts reorgs total number requests failures threads cores repetitions windows "
    "full_lists counted",
    "ratio": "share shares shifts change threshold level risk growth covered gamma revenue "
    "autocorrelation dispersion hhi hhi_bounds",
    "probability, 0..1": "above_quarter above_third above_half any_above_third any_above_half "
    "above_quarter_most above_third_most above_half_most any_above_third_most any_above_half_most "
    "posterior posterior_as_one posterior_of_largest probability_up probability_above_price "
    "at_most at_least alpha",
    "p-value, 0..1": "p_mann_kendall",
    "log-likelihood": "penalty gain",
    "US dollars a bitcoin": "electricity running capital",
    "HTTP status": "status",
    "version": "schema_version",
    "version bits": "version signalled rolled",
    "nonce": "nonce",
    "difficulty": "difficulty",
    "as /measures says": "figures",
    "of what it is of": "value low high least most alone as_one difference "
    "difference_bounds input found",
}
WORDS: Final = {word: unit for unit, words in _BY_UNIT.items() for word in words.split()}
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
    # the longest first: the energy of a year is no change a year
    fitting = [ending for ending in ENDINGS if f"_{name}".endswith(ending)]
    return ENDINGS[max(fitting, key=len)] if fitting else None
