"""Logging to stderr: one line a message, quiet unless something is worth saying."""

from __future__ import annotations

import logging
import sys
import time
from types import TracebackType

from monitor.secrets import hidden_traceback, hide

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class _Formatter(logging.Formatter):
    """Formats a record; what others log, and the traceback of a fault, may quote a secret."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the line of a record."""
        line = super().formatMessage(record)
        return line if record.name.startswith("monitor") else hide(line)

    def formatException(self, ei: ExcInfo) -> str:  # noqa: N802 - logging's name
        """Return the traceback without secrets."""
        return "" if ei[0] is None else hidden_traceback(*ei).rstrip("\n")


def setup_logging(level: str) -> None:
    """Send the agent's messages of `level` and above to stderr.

    Lines carry UTC times.
    """
    handler = logging.StreamHandler(sys.stderr)
    formatter = _Formatter("%(asctime)s %(levelname)-7s %(message)s", datefmt="%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("monitor").setLevel(level.upper())
