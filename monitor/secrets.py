"""What must never be shown, and the one way in which foreign text is shown.

Our own messages hold no secret to begin with. What others word may: libraries quote addresses,
servers repeat what they were asked. So whoever uses a secret tells it to `remember`, and all
foreign text goes through `hide` (through `foreign` where it is an exception) before anybody
sees it.
"""

from __future__ import annotations

import html
import json
import re
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Final
from urllib.parse import quote, quote_plus, unquote

from monitor.urls import HIDDEN, shown

_SHORTEST: Final = 4
"""Characters of a secret, or of a part of one, that is looked for: shorter ones are in any text."""
_LONGEST_TEXT: Final = 1 << 16
"""Characters of foreign text that are looked at; what is shown of it is far shorter."""
_LOGIN: Final = re.compile(r"://[^\n]*@")
_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>()]+")
_BREAKS: Final = re.compile(r"[/?#@:%&=+;,\s\"'\\]+")
"""Where those who read an address wrongly cut it: they quote a part of a password only."""
_NAMES: Final = frozenset({"Basic", "Bearer", "Token"})
"""Words that stand before a secret in a header."""


class _Known:
    """The secrets of this process, in all the forms in which a text may have them."""

    def __init__(self) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._lock = threading.Lock()

    def add(self, values: Iterable[str]) -> None:
        """Take note of secrets."""
        forms = {form for value in values for form in _forms(value)}
        with self._lock:
            if forms <= self._forms:
                return
            self._forms |= forms
            longest_first = sorted(self._forms, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def hide(self, text: str) -> str:
        """Return `text` without them."""
        pattern = self._pattern
        return text if pattern is None else pattern.sub(HIDDEN, text)


_KNOWN: Final = _Known()


def remember(*values: str) -> None:
    """Take note of secrets that foreign text may repeat, for as long as the process lives."""
    _KNOWN.add(values)


def hide(text: str) -> str:
    """Return foreign text without any known secret and with addresses as `shown` gives them.

    Examples
    --------
    >>> hide("Cannot reach http://ann:pa/ss@node:8332/x")
    'Cannot reach http://***@node:8332/***'
    """
    text = _KNOWN.hide(text)
    text = _LOGIN.sub(f"://{HIDDEN}@", text)
    return _ADDRESS.sub(lambda found: shown(found[0]), text)


def foreign(error: BaseException, limit: int = 160) -> str:
    """Return what a foreign exception says as one harmless line; its kind if it says nothing."""
    return one_line(str(error), limit) or type(error).__name__


def one_line(text: object, limit: int = 160) -> str:
    """Return foreign text as one harmless line of at most `limit` characters."""
    line = " ".join(hide(str(text)[:_LONGEST_TEXT])[: 4 * limit].split())
    line = "".join(char if char.isprintable() else "?" for char in line)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def hidden_traceback(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> str:
    """Return a traceback without secrets."""
    return hide("".join(traceback.format_exception(kind, error, trace)))


def guard_tracebacks() -> None:
    """Let a fault of the program, whose traceback Python prints, tell no secret."""

    def excepthook(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        sys.stderr.write(hidden_traceback(kind, error, trace))

    def in_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and args.exc_type is not SystemExit:
            excepthook(args.exc_type, args.exc_value, args.exc_traceback)

    sys.excepthook = excepthook
    threading.excepthook = in_thread


def _forms(secret: str) -> Iterator[str]:
    """Yield a secret as texts may have it: encoded, escaped, and in parts."""
    for value in {secret, unquote(secret)}:
        escaped = (
            value,
            quote(value, safe="", errors="replace"),
            quote(value, errors="replace"),
            quote_plus(value, errors="replace"),
            repr(value)[1:-1],
            json.dumps(value)[1:-1],
            html.escape(value),
            *_BREAKS.split(value),
        )
        yield from (form for form in escaped if len(form) >= _SHORTEST and form not in _NAMES)
