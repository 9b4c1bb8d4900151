"""Server-sent events: each state is put into words once, however many listen."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from monitor.answers import Answer
from monitor.snapshot import Snapshot
from monitor.web.context import WebContext
from monitor.web.errors import ApiError
from monitor.web.overview import overview
from monitor.web.status import status

BEAT: Final = 10.0
"""Seconds after which the agent's status is sent if no block came."""
WRITE_TIMEOUT: Final = 30.0
"""Seconds that a reader may let the agent wait before it is dropped."""
MAX_READERS: Final = 1000


class Events:
    """The event stream. Slow readers skip states; the agent never waits for one."""

    def __init__(self, context: WebContext) -> None:
        self._context = context
        self._readers: set[asyncio.Task[object]] = set()
        self._overview: tuple[Snapshot | None, bytes] = (None, b"")
        self._status: tuple[float, bytes] = (-BEAT, b"")

    async def stop(self, _app: web.Application) -> None:
        """End all streams, so that the server can close at once."""
        for reader in self._readers:
            reader.cancel()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Stream until the reader goes away."""
        if request.query:
            raise ApiError(400, f"{request.path} takes no parameters")
        if len(self._readers) >= MAX_READERS:
            raise ApiError(503, "too many readers of events; ask /api/v1/overview instead")
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",
            }
        )
        task = asyncio.current_task()
        if task is not None:
            self._readers.add(task)
        try:
            await response.prepare(request)
            if request.method != "HEAD":
                await self._stream(response)
        except (ConnectionError, TimeoutError):
            pass  # the reader is gone, or hangs
        finally:
            if task is not None:
                self._readers.discard(task)
        return response

    async def _stream(self, response: web.StreamResponse) -> None:
        states = self._context.board.follow()
        await _write(response, self._status_frame())
        following = asyncio.ensure_future(anext(states))
        try:
            while True:
                await asyncio.wait({following}, timeout=BEAT)
                if following.done():
                    await _write(response, self._overview_frame())
                    following = asyncio.ensure_future(anext(states))
                else:
                    await _write(response, self._status_frame())
        finally:
            following.cancel()

    def _overview_frame(self) -> bytes:
        snapshot = self._context.board.snapshot
        if self._overview[0] is not snapshot:
            self._overview = (snapshot, _frame("overview", overview(self._context)))
        return self._overview[1]

    def _status_frame(self) -> bytes:
        now = asyncio.get_running_loop().time()
        if now - self._status[0] > 1:
            self._status = (now, _frame("status", status(self._context)))
        return self._status[1]


async def _write(response: web.StreamResponse, frame: bytes) -> None:
    """Send `frame`; while a slow reader takes it, states that come are skipped."""
    async with asyncio.timeout(WRITE_TIMEOUT):
        await response.write(frame)


def _frame(event: str, answer: Answer) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (event.encode(), answer.model_dump_json().encode())
