"""Failures that last: exponential back-off of the tries, and a limit on log lines."""

from __future__ import annotations

import logging
import math
import time
from typing import Final

RETRY_FIRST: Final = 1.0
"""Seconds until the first new try; the next ones take twice as long each."""
RETRY_LAST: Final = 60.0
COMPLAIN_EVERY: Final = 60.0
"""Seconds between lines about a failure that lasts."""
COMPLAIN_BESIDE: Final = 3600.0
"""The same where another one does the work meanwhile."""


class Trouble:
    """Back-off and throttled log lines for one thing that may fail for long."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._text = ""
        self._said = 0.0
        self._due = 0.0
        self._delay = RETRY_FIRST

    def failed(
        self,
        text: str,
        *,
        at_least: float | None = None,
        at_most: float = math.inf,
        every: float = COMPLAIN_EVERY,
    ) -> None:
        """Note a failure: log it, and set when the next try is due.

        The delay doubles with each failure, up to `at_most` seconds; `at_least` sets the shortest.
        The same text is logged once in `every` seconds.
        """
        now = time.monotonic()
        if text != self._text or now - self._said >= every:
            self._text, self._said = text, now
            self._log.warning("%s", text)
        self._due = now + max(self._delay, at_least or 0)
        self._delay = min(2 * self._delay, RETRY_LAST, at_most)

    def recovered(self, message: str) -> None:
        """Note that it works; log `message` if it failed before."""
        if self._text:
            self._log.info("%s", message)
            self._text, self._due, self._delay = "", 0.0, RETRY_FIRST

    def seconds_left(self) -> float:
        """Return the seconds until the next try."""
        return max(0.0, self._due - time.monotonic())


class Standing:
    """A condition that is logged twice: when it begins and when it ends."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._stands = False

    def began(self, message: str) -> None:
        """Note that it holds; log `message` if it did not before."""
        if not self._stands:
            self._stands = True
            self._log.warning("%s", message)

    def ended(self, message: str) -> None:
        """Note that it does not hold; log `message` if it did before."""
        if self._stands:
            self._stands = False
            self._log.info("%s", message)
