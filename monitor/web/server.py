"""The web server: what is served where, and the headers that every answer carries."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler, Middleware

from monitor.answers import ErrorAnswer, Problem
from monitor.config import WebSettings
from monitor.errors import ConfigError, StoreError
from monitor.web.api import Api
from monitor.web.bodies import JSON, unpacks
from monitor.web.connections import Gate, room
from monitor.web.context import CONTEXT, WebContext
from monitor.web.endpoints import PREFIX
from monitor.web.errors import ApiError
from monitor.web.events import Events
from monitor.web.hosts import is_own, names_of
from monitor.web.pages import Pages

__all__ = ["WebContext", "WebServer", "build_app"]

log = logging.getLogger(__name__)


def _is_ours(record: logging.LogRecord) -> bool:
    """Return False for log records of malformed requests: these were answered with 400."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


protocol_log = log.getChild("http")
protocol_log.addFilter(_is_ours)

SECURITY_HEADERS: Final = {
    # The page's scripts make nodes and text only; the browser holds them to it (trusted types).
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Server": "poolscope",  # the library would name its version, and Python's
}
IDLE: Final = 75.0
"""Seconds that a connection may stay open with no request, or with a part of one."""


def build_app(context: WebContext, names: Collection[str] = ()) -> web.Application:
    """Return the web application over `context`, also asked by the public `names`."""
    pages = Pages()
    middlewares = [_errors, _asked_by(names), pages.missing]
    app = web.Application(middlewares=middlewares, client_max_size=1024)
    app[CONTEXT] = context
    app.on_response_prepare.append(_headers)
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/-/healthy", healthy)
    app.router.add_get("/-/ready", ready)
    events = Events(context)
    app.router.add_get(f"{PREFIX}/events", events.handle)
    app.on_shutdown.append(events.stop)
    Api(context).add_routes(app)
    pages.add_routes(app)
    return app


async def _headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Give an answer the headers of all; what says nothing of caches is for none."""
    response.headers.update(SECURITY_HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn errors into answers: JSON below ``/api/``, plain text elsewhere."""
    headers: dict[str, str] = {}
    try:
        return await handler(request)
    except ApiError as error:
        status, message = error.status, error.message
    except StoreError as error:
        log.warning("%s: %s", request.path, error)
        status, message = 503, "the store cannot be read now; the agent's log says why"
    except web.HTTPException as error:
        status, message = error.status, _explain(request, error)
        headers = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
    except Exception:
        log.exception("%s failed", request.path)
        status, message = 500, "a fault in poolscope; the agent's log has the details"
    if not f"{request.path}/".startswith("/api/"):
        return web.Response(status=status, text=f"{message}\n", headers=headers)
    problem = ErrorAnswer(error=Problem(status=status, message=message))
    headers["Content-Type"] = JSON
    return web.Response(body=problem.model_dump_json().encode(), status=status, headers=headers)


def _asked_by(names: Collection[str]) -> Middleware:
    """Refuse requests that were meant for a name of somebody else's."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        host = request.headers.get("Host", "")
        if not is_own(host, names):
            raise ApiError(
                421, f"this agent is not known as {host[:100]!r}; if it is yours, see web.names"
            )
        return await handler(request)

    return check


def _explain(request: web.Request, error: web.HTTPException) -> str:
    if error.status == web.HTTPNotFound.status_code:
        return f"nothing is at {request.path[:100]!r}; {PREFIX}/openapi.json lists what there is"
    if isinstance(error, web.HTTPMethodNotAllowed):
        return (
            f"{request.method} is not served here; use {', '.join(sorted(error.allowed_methods))}"
        )
    return error.reason


async def metrics(request: web.Request) -> web.Response:
    """Serve the metrics in the format that the scraper accepts."""
    body, content_type = request.app[CONTEXT].exporter.render(request.headers.get("Accept", ""))
    response = web.Response(body=body, headers={"Content-Type": content_type})
    if unpacks(request):
        response.enable_compression(web.ContentCoding.gzip)
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
            build_app(context, names_of(settings.host, settings.names)),
            access_log=None,
            logger=protocol_log,
            shutdown_timeout=0.3,
            keepalive_timeout=IDLE,
            handle_signals=False,
        )
        self._settings = settings
        self._listening: asyncio.Server | None = None
        self.url = ""

    async def __aenter__(self) -> WebServer:
        """Listen.

        Raises
        ------
        ConfigError
            If the address cannot be listened on.
        """
        await self._runner.setup()
        server = self._runner.server
        assert server is not None, "it was set up"
        host, port = self._settings.host, self._settings.port
        gate = Gate(server, room())
        try:
            self._listening = await asyncio.get_running_loop().create_server(gate, host, port)
        except OSError as error:
            await self._runner.cleanup()
            raise ConfigError(
                f"cannot listen on {host}:{port}: {error.strerror}; "
                "is poolscope running already? choose another with --port"
            ) from None
        name = self._listening.sockets[0].getsockname()
        self.url = f"http://{f'[{name[0]}]' if ':' in name[0] else name[0]}:{name[1]}/"
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening and drop the connections that are left."""
        if self._listening is not None:
            self._listening.close()
        await self._runner.cleanup()
