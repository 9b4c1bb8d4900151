"""The price of bitcoin: as the reader gives it, as it is set, or from a source that is set.

Poolscope knows no price by itself and asks nobody for one unless ``economics.price_url`` is
set. What the source says is a stranger's word: it is checked for form, and shown with the
source's name and the time.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from datetime import UTC, datetime
from typing import Final, NamedTuple

from analyzers.assumptions import BY_READER, UNDATED
from monitor.config import EconomicsSettings, Settings
from monitor.errors import BadReply, SourceError
from monitor.http import ApiClient
from monitor.metrics.exporter import AgentMetrics
from monitor.reply import parse_json, printable
from monitor.urls import shown

log = logging.getLogger(__name__)

TIMEOUT: Final = 10.0
"""Seconds to wait for an answer."""
LARGEST: Final = 65_536
"""Bytes; a longer answer is no price."""
MOST: Final = 1e12
"""Dollars; more than this is no price of a bitcoin."""
BY_SETTING: Final = "setting economics.price_usd"


class Price(NamedTuple):
    """Dollars per bitcoin, whose word it is, and of which day."""

    usd_per_btc: float
    source: str
    date: str


def read_price(body: bytes, field: str, host: str) -> float:
    """Return the price at `field` (names with dots between) of a JSON answer.

    Raises
    ------
    BadReply
        If there is no number above zero; `host` names the source.

    Examples
    --------
    >>> read_price(b'{"bitcoin": {"usd": "91132.5"}}', "bitcoin.usd", "example.org")
    91132.5
    """
    value = parse_json(body, host)
    for name in field.split("."):
        if not isinstance(value, dict) or name not in value:
            raise BadReply(f"{host}: the answer has no {field!r}; see economics.price_field")
        value = value[name]
    try:
        price = float(value) if isinstance(value, (int, float, str)) else math.nan
    except (ValueError, OverflowError):
        price = math.nan
    if isinstance(value, bool) or not 0 < price < MOST:
        raise BadReply(f"{host}: {printable(value, 40)!r} is no price of a bitcoin")
    return price


async def fetch_price(settings: EconomicsSettings) -> Price:
    """Ask the source that is set.

    Raises
    ------
    SourceError
        If it does not answer, or with no price.
    ConfigError
        If its address is none.
    """
    client = ApiClient(settings.price_url, timeout=TIMEOUT, headers=settings.sent_headers)
    try:
        body = await client.get("", LARGEST)
    finally:
        await client.close()
    usd = read_price(body, settings.price_field, client.host)
    return Price(usd, client.host, datetime.now(UTC).strftime("%Y-%m-%d"))


async def find_price(settings: Settings, given: float | None = None) -> Price | None:
    """Return the price: the reader's before the source's before the setting's, else None.

    Raises
    ------
    SourceError
        If a source is set, may be asked, and gives none.
    """
    if given is not None:
        return Price(given, BY_READER, UNDATED)
    known = settings.economics
    if known.price_url and not settings.offline:
        return await fetch_price(known)
    return Price(known.price_usd, BY_SETTING, UNDATED) if known.price_usd else None


async def watch_price(settings: Settings, metrics: AgentMetrics) -> None:
    """Keep the metric of the price: ask once an interval, or show what is set."""
    if settings.economics.price_url and not settings.offline:
        log.info("asking %s for the price of bitcoin", shown(settings.economics.price_url))
    while True:
        if not await note_price(settings, metrics):
            return
        await asyncio.sleep(settings.economics.price_interval)


async def note_price(settings: Settings, metrics: AgentMetrics) -> bool:
    """Look for the price once, set its metric, and say whether it is worth looking again."""
    try:
        found = await find_price(settings)
    except SourceError as error:
        log.warning("no price: %s", error)
        return True
    if found is None:
        return False
    metrics.price.labels(found.source).set(found.usd_per_btc)
    if found.source == BY_SETTING:
        return False
    metrics.price_time.labels(found.source).set(time.time())
    return True
