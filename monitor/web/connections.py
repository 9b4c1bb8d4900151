"""How many connections may be open at once: the agent needs files for its store and sources."""

from __future__ import annotations

import asyncio
import logging
import resource
from typing import Final

from aiohttp import web

from monitor.trouble import Trouble

log = logging.getLogger(__name__)

MOST: Final = 1500
"""Connections at once: the readers of events, and half as many besides."""
RESERVE: Final = 256
"""Files that stay for the agent; as many connections as come in one turn may pass over `MOST`."""


def room() -> int:
    """Return how many connections may be open; let the process have the files for it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST + RESERVE
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return MOST
    soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, soft - RESERVE)


class Gate:
    """Makes the protocol of each new connection; beyond `most`, one that hangs up."""

    def __init__(self, server: web.Server, most: int) -> None:
        self._server = server
        self._most = most
        self._trouble = Trouble(log)

    def __call__(self) -> asyncio.Protocol:
        """Return what serves the next connection."""
        if len(self._server.connections) < self._most:
            return self._server()
        self._trouble.failed(f"{self._most} connections are open; no more are taken")
        return _HangUp()


class _HangUp(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
