"""Logging to stderr: one line a message, quiet unless something is worth saying."""

from __future__ import annotations

import logging
import sys
import time


def setup_logging(level: str) -> None:
    """Send the agent's messages of `level` and above to stderr.

    Lines carry UTC times.
    """
    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter(
        "%(asctime)s %(levelname)-7s %(message)s", datefmt="%Y-%m-%dT%H:%M:%SZ"
    )
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("monitor").setLevel(level.upper())
