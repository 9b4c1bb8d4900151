"""Failures that last: when to try again, and how often to say so."""

from __future__ import annotations

import logging
import time
from typing import Final

RETRY_FIRST: Final = 1.0
"""Seconds until the first new try; the next ones take twice as long each."""
RETRY_LAST: Final = 60.0
COMPLAIN_EVERY: Final = 60.0
"""Seconds between lines about a failure that lasts."""


class Trouble:
    """A failure that lasts: said once a minute, tried again later each time."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._text = ""
        self._said = 0.0
        self._due = 0.0
        self._delay = RETRY_FIRST

    def again(self, text: str, at_least: float | None = None) -> None:
        """Note a failure; the next try is due after `at_least` seconds or more."""
        now = time.monotonic()
        if text != self._text or now - self._said >= COMPLAIN_EVERY:
            self._text, self._said = text, now
            self._log.warning("%s", text)
        self._due = now + max(self._delay, at_least or 0)
        self._delay = min(2 * self._delay, RETRY_LAST)

    def over(self, message: str) -> None:
        """Note that it works; `message` says so if it did not before."""
        if self._text:
            self._log.info("%s", message)
            self._text, self._due, self._delay = "", 0.0, RETRY_FIRST

    def left(self) -> float:
        """Return the seconds until the next try."""
        return max(0.0, self._due - time.monotonic())
