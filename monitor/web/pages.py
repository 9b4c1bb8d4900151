"""The page: static files, held in memory, and the addresses that show them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from string import Template
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from monitor.web.bodies import Body, send
from monitor.web.errors import ApiError

_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_HTML: Final = "text/html; charset=utf-8"
_IMPORT: Final = re.compile(r'from "\./([a-z]+\.js)"')


@dataclass(frozen=True, slots=True)
class Shell:
    """A page: its address, and what the layout is filled with."""

    path: str
    name: str
    title: str


SHELLS: Final = (
    Shell("/", "index", "poolscope: who mines Bitcoin"),
    Shell("/blocks", "blocks", "Blocks · poolscope"),
    Shell("/claims", "claims", "Claims · poolscope"),
    Shell("/pool/{slug:[a-z0-9._-]{1,64}}", "pool", "Pool · poolscope"),
    Shell("/block/{block:[0-9a-f]{64}|[0-9]{1,8}}", "block", "Block · poolscope"),
)
"""The pages; their scripts read the rest of the address."""
_MISSING: Final = Shell("", "missing", "Not found · poolscope")


class Pages:
    """Serves the files that ship in ``assets``: they are few, so all are kept, compressed."""

    def __init__(self) -> None:
        texts = {file.name: file.read_text("utf-8") for file in _assets()}
        self._assets = {
            name: Body(text.encode(), _TYPES[kind])
            for name, text in texts.items()
            if (kind := name.rpartition(".")[2]) in _TYPES
        }
        self._shells = {shell: Body(_fill(shell, texts).encode(), _HTML) for shell in SHELLS}
        self._missing = _fill(_MISSING, texts)

    def add_routes(self, app: web.Application) -> None:
        """Add the page's addresses and its files to `app`."""
        for shell, body in self._shells.items():
            app.router.add_get(shell.path, _shower(body))
        app.router.add_get("/assets/{name}", self._asset)

    @web.middleware
    async def missing(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a person who took a wrong turn with a page; a program gets the plain error."""
        try:
            return await handler(request)
        except web.HTTPNotFound:
            if request.path.startswith("/api/") or "text/html" not in request.headers.get(
                "Accept", ""
            ):
                raise
            return web.Response(status=404, text=self._missing, content_type="text/html")

    async def _asset(self, request: web.Request) -> web.Response:
        body = self._assets.get(request.match_info["name"])
        if body is None:
            raise ApiError(404, f"no file {request.path[:100]!r}")
        return send(request, body)


def _assets() -> Iterator[Traversable]:
    return files("monitor.web").joinpath("assets").iterdir()


def _fill(shell: Shell, texts: Mapping[str, str]) -> str:
    script = f"{shell.name}.js"
    # Modules are named in the head, so that all load at once and not one after the other.
    preload = "\n".join(
        f'<link rel="modulepreload" href="/assets/{name}">' for name in _imported(script, texts)
    )
    return Template(texts["layout.html"]).substitute(
        title=shell.title, preload=preload, script=script, main=texts[f"{shell.name}.html"]
    )


def _imported(script: str, texts: Mapping[str, str]) -> list[str]:
    """Return the modules that `script` imports, and those that these do."""
    found: list[str] = []
    waiting = [script]
    while waiting:
        fresh = [name for name in _IMPORT.findall(texts[waiting.pop()]) if name not in found]
        found += fresh
        waiting += fresh
    return sorted(set(found))


def _shower(body: Body) -> Handler:
    async def show(request: web.Request) -> web.Response:
        return send(request, body)

    return show
