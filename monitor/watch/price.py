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
from monitor.errors import BadReply
from monitor.http import ApiClient
from monitor.reply import parse_json, printable
from monitor.urls import shown
from monitor.watch.base import BitcoinPrice, Observed

log = logging.getLogger(__name__)

TIMEOUT: Final = 10.0
"""Seconds to wait for an answer."""
LARGEST: Final = 65_536
"""Bytes; a longer answer is no price."""
MOST: Final = 1e12
"""Dollars; more than this is no price of a bitcoin."""
RETRY_FIRST: Final = 60.0
"""Seconds until the source is asked again after a failure."""
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


class PriceWatcher:
    """Asks once an interval where a source is set and may be asked, or shows what is set."""

    name: Final = "price"
    what: Final = "price of bitcoin"

    def __init__(self, settings: Settings) -> None:
        self.retry = (RETRY_FIRST, settings.economics.price_interval)
        self._settings = settings

    async def open(self) -> None:
        """Nothing is kept open between two questions."""

    async def run(self, observed: Observed) -> None:
        """Ask for ever; return at once where nobody is to be asked.

        Raises
        ------
        SourceError
            If the source gives no price.
        """
        known = self._settings.economics
        asks = bool(known.price_url) and not self._settings.offline
        if asks:
            log.info("asking %s for the price of bitcoin", shown(known.price_url))
        while found := await find_price(self._settings):
            when = time.time() if asks else None
            observed(BitcoinPrice(found.usd_per_btc, found.source, when))
            if not asks:
                return
            await asyncio.sleep(known.price_interval)

    async def close(self) -> None:
        """Nothing is kept open between two questions."""
