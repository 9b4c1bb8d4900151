"""Telling systemd how the agent is: the protocol of sd_notify(3).

Datagrams of ``NAME=value`` lines to the socket that ``NOTIFY_SOCKET`` names. The bindings on
PyPI are left unkept or need libsystemd to compile, and it is one socket call.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

log = logging.getLogger(__name__)

TELL_EVERY: Final = 10.0
"""Seconds between looks at the status, if the watchdog does not ask for more."""


@dataclass(frozen=True, slots=True)
class Supervisor:
    """Who started the agent and wants to hear from it, if anybody does.

    `address` is empty where nobody listens. `watchdog` is the seconds of silence after which
    the supervisor takes the agent for hung and restarts it, None where it does not watch.
    """

    address: str = ""
    watchdog: float | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Supervisor:
        """Return the supervisor that the environment tells of."""
        meant = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        usec = environ.get("WATCHDOG_USEC", "")
        watchdog = int(usec) / 1e6 if meant and usec.isdecimal() and int(usec) else None
        return cls(environ.get("NOTIFY_SOCKET", ""), watchdog)

    def tell(self, *lines: str) -> None:
        """Send `lines` in one datagram; a supervisor that cannot be reached is no error."""
        if not self.address:
            return
        # A leading @ stands for the zero byte of Linux's abstract sockets.
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.setblocking(False)
            try:
                channel.connect(address)
                channel.send("\n".join(lines).encode())
            except OSError as error:
                log.debug("NOTIFY_SOCKET %s: %s", self.address, error)

    async def keep_informed(self, status: Callable[[], str]) -> None:
        """Tell the status when it changes, and for ever that the event loop still turns."""
        if not self.address:
            return
        told = ""
        pause = min(TELL_EVERY, self.watchdog / 3) if self.watchdog else TELL_EVERY
        while True:
            now = status()
            self.tell("WATCHDOG=1", *([f"STATUS={now}"] if now != told else []))
            told = now
            await asyncio.sleep(pause)
