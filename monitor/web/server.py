"""The web server: what is served where, and the headers that every answer carries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from monitor.config import WebSettings
from monitor.errors import ConfigError
from monitor.exporter import Exporter
from monitor.snapshot import Board

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class WebContext:
    """What the handlers read. `ready` returns what is still missing, or an empty list."""

    board: Board
    exporter: Exporter
    ready: Callable[[], list[str]]


CONTEXT: Final = web.AppKey("context", WebContext)


def build_app(context: WebContext) -> web.Application:
    """Return the web application over `context`."""
    app = web.Application(middlewares=[_security_headers], client_max_size=1024)
    app[CONTEXT] = context
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/-/healthy", healthy)
    app.router.add_get("/-/ready", ready)
    return app


@web.middleware
async def _security_headers(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        response = await handler(request)
    except web.HTTPException as answer:
        answer.headers.update(SECURITY_HEADERS)
        raise
    if not response.prepared:
        response.headers.update(SECURITY_HEADERS)
    return response


async def metrics(request: web.Request) -> web.Response:
    """Serve the metrics in the format that the scraper accepts."""
    body, content_type = request.app[CONTEXT].exporter.render(request.headers.get("Accept", ""))
    response = web.Response(body=body, headers={"Content-Type": content_type})
    response.enable_compression()
    return response


async def healthy(_request: web.Request) -> web.Response:
    """Answer as long as the event loop turns."""
    return web.Response(text="healthy\n")


async def ready(request: web.Request) -> web.Response:
    """Answer 200 when caught up and the store is writable, else 503 and what is missing."""
    missing = request.app[CONTEXT].ready()
    if missing:
        return web.Response(status=503, text="".join(f"not ready: {what}\n" for what in missing))
    return web.Response(text="ready\n")


class WebServer:
    """The server's life: an async context manager that listens while it is open."""

    def __init__(self, context: WebContext, settings: WebSettings) -> None:
        self._runner = web.AppRunner(
            build_app(context), access_log=None, shutdown_timeout=0.3, handle_signals=False
        )
        self._settings = settings
        self.url = ""

    async def __aenter__(self) -> WebServer:
        """Listen.

        Raises
        ------
        ConfigError
            If the address cannot be listened on.
        """
        await self._runner.setup()
        host, port = self._settings.host, self._settings.port
        site = web.TCPSite(self._runner, host, port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise ConfigError(
                f"cannot listen on {host}:{port}: {error.strerror}; "
                "is poolscope running already? choose another with --listen"
            ) from None
        name = self._runner.addresses[0]
        self.url = f"http://{f'[{name[0]}]' if ':' in name[0] else name[0]}:{name[1]}/"
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening and drop the connections that are left."""
        await self._runner.cleanup()
