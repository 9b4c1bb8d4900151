"""Asking a public API politely: few requests at a time, none while told to wait."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, NoReturn

import aiohttp
from yarl import URL

from monitor import __version__
from monitor.errors import BadReply, ConfigError, NotFound, SourceRefused, SourceUnavailable
from monitor.reply import is_page, printable, start_of
from monitor.secrets import remember
from monitor.urls import Url, UrlError, basic_login, parse

IN_FLIGHT: Final = 4
"""Requests at a time."""
PACE: Final = 0.1
"""Seconds between the starts of two requests, until the API finds it too fast."""
SLOWEST_PACE: Final = 2.0
OPTIONAL_TIMEOUT: Final = 10.0
"""Seconds for an answer that can be done without."""
CONNECT_WITHIN: Final = 5.0
"""Seconds for a connection: whoever is offline should not wait long to hear of it."""
WAIT_WHEN_LIMITED: Final = 60.0
"""Seconds to wait after a 429 that does not say how long: Esplora's servers do not."""
LONGEST_WAIT: Final = 3600.0

_MISSING: Final = ("failed to get block", "not found", "status code 404")
"""How mempool's own backend words, by version, with HTTP 500 that it has no such block."""


class ApiClient:
    """GET requests to one API below `url`, whose query and login go with each.

    Parameters
    ----------
    headers:
        What is sent beside each request, such as a key. No redirect is followed, so that
        nobody else gets it.

    Attributes
    ----------
    host:
        What to call the API in messages.
    pace:
        Seconds between the starts of two requests; grows when the API finds it too fast.

    Raises
    ------
    ConfigError
        If `url` is no HTTP address.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float,
        pace: float = PACE,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        try:
            parts = parse(url)
        except UrlError as error:
            raise ConfigError(f"no API address: {error}") from None
        self.host = parts.place
        self.pace = pace
        self._parts = parts
        self._headers = _with_login(parts, headers or {})
        remember(*parts.secrets(), *self._headers.values())
        self._timeout = timeout
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._next_start = 0.0
        self._quiet_until = 0.0
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections; safe to call twice, and a later request opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def get(self, path: str, limit: int, *, optional: bool = False) -> bytes:
        """Return the body of ``GET path``; one of more than `limit` bytes is dropped.

        What is `optional` is not waited for as long, and its being unavailable says nothing
        about the rest of the API.

        Raises
        ------
        SourceUnavailable
            If the API is down, too busy, or asked to be left alone for a while.
        SourceRefused
            If it does not serve us.
        NotFound
            If it has no such thing.
        BadReply
            If the reply is none of the API's.
        """
        seconds = min(self._timeout, OPTIONAL_TIMEOUT) if optional else self._timeout
        async with self._slots:
            await self._take_turn()
            try:
                async with self._opened().get(
                    self._at(path),
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(seconds, min(seconds, CONNECT_WITHIN)),
                ) as reply:
                    body = await read_body(reply, limit)
            except aiohttp.ConnectionTimeoutError:
                raise self._unavailable(f"no connection within {CONNECT_WITHIN:g} s") from None
            except TimeoutError:
                raise self._unavailable(f"no answer within {seconds:g} s to GET {path}") from None
            except aiohttp.ClientConnectorCertificateError as error:
                reason = printable(getattr(error.certificate_error, "verify_message", ""), 80)
                raise SourceRefused(
                    f"{self.host}: its TLS certificate cannot be trusted ({reason}); let this "
                    "machine trust it, or use http:// to a server of your own"
                ) from None
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
                text = printable(error, 120) or type(error).__name__
                raise self._unavailable(f"the connection failed ({text})") from None
            except (aiohttp.ClientError, ValueError) as error:
                raise BadReply(f"{self.host}: GET {path}: {printable(error, 120)}") from None
        if body is None:
            raise BadReply(f"{self.host}: GET {path}: more than the {limit} bytes it may have")
        if reply.status != 200:
            self._fail(path, reply, body, optional=optional)
        if is_page(reply.content_type, body):
            raise BadReply(
                f"{self.host}: GET {path} gives a web page: is this the address of the API?"
            )
        return body

    def _at(self, path: str) -> URL:
        """Return the address of `path`; nothing means that of the API itself."""
        parts = self._parts
        there = parts.path.rstrip("/") + path if path else parts.path
        return URL(replace(parts, path=there).address, encoded=True)

    async def _take_turn(self) -> None:
        """Wait for this request's turn; refuse while the API wants to be left alone."""
        now = time.monotonic()
        start = max(now, self._next_start)
        self._next_start = start + self.pace
        await asyncio.sleep(start - now)
        wait = self._quiet_until - time.monotonic()
        if wait > 0:
            raise self._unavailable(f"it asked us to wait; {wait:.0f} s are left", wait)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # What is compressed can be a thousand times as large as it looks.
                auto_decompress=False,
                headers={
                    "User-Agent": f"poolscope/{__version__}",
                    "Accept-Encoding": "identity",
                    **self._headers,
                },
                trust_env=True,
            )
        return self._session

    def _fail(
        self, path: str, reply: aiohttp.ClientResponse, body: bytes, *, optional: bool
    ) -> NoReturn:
        """Raise what the HTTP status means."""
        status, text = reply.status, start_of(body, 100)
        if status == 404 or (status == 500 and any(word in text.lower() for word in _MISSING)):
            raise NotFound(f"{self.host} has no {path}")
        if status == 429 or (status == 503 and not optional):
            wait = retry_after(reply.headers.get("Retry-After", ""))
            if status == 429:
                wait = WAIT_WHEN_LIMITED if wait is None else wait
                self.pace = min(max(2 * self.pace, PACE), SLOWEST_PACE)
            if wait is not None:
                self._quiet_until = time.monotonic() + wait
            why = "too many requests" if status == 429 else "it cannot answer now"
            tail = "" if wait is None else f"; waiting {wait:.0f} s as it asks"
            raise self._unavailable(f"{why} (HTTP {status}){tail}", wait)
        if status in {401, 403, 451}:
            raise SourceRefused(f"{self.host} refuses us (HTTP {status}): GET {path}: {text}")
        if 300 <= status < 400:
            target = printable(reply.headers.get("Location", ""), 80)
            raise BadReply(f"{self.host}: GET {path} leads to {target}: use that address")
        if status >= 500:
            raise self._unavailable(f"it fails (HTTP {status}): GET {path}: {text}")
        raise BadReply(f"{self.host}: GET {path}: HTTP {status}: {text}")

    def _unavailable(self, why: str, retry_after: float | None = None) -> SourceUnavailable:
        return SourceUnavailable(f"{self.host}: {why}", retry_after)


def _with_login(parts: Url, headers: Mapping[str, str]) -> dict[str, str]:
    """Return `headers` and the login of an address.

    Raises
    ------
    ConfigError
        If both are logins.
    """
    if parts.user is None:
        return dict(headers)
    if any(name.lower() == "authorization" for name in headers):
        raise ConfigError(
            f"{parts.origin}: the address has a login, and a token or an Authorization header "
            "is given, too; leave one away"
        )
    return {"Authorization": basic_login(parts.user, parts.password or ""), **headers}


async def read_body(reply: aiohttp.ClientResponse, limit: int) -> bytes | None:
    """Return the body, or None if it is larger than `limit` bytes."""
    body = bytearray()
    async for chunk in reply.content.iter_chunked(1 << 16):
        body += chunk
        if len(body) > limit:
            reply.close()
            return None
    return bytes(body)


def retry_after(value: str) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for, None if it says nothing.

    Source: RFC 9110, 10.2.3: seconds, or an HTTP date.
    """
    seconds: float | None = None
    if value.strip().isdecimal():
        seconds = float(value[:12])
    else:
        with contextlib.suppress(ValueError, TypeError, OverflowError):
            moment = parsedate_to_datetime(value)
            seconds = (
                moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)
            ).total_seconds()
    return None if seconds is None else min(max(seconds, 1.0), LONGEST_WAIT)
