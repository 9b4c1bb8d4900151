"""Bodies that are made once and sent often: compressed, tagged, revalidated."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from aiohttp import web

from monitor.web.answers import Answer

JSON: Final = "application/json"
LEAST_COMPRESSED: Final = 600
"""Bytes below which compression is not worth its header."""


@dataclass(frozen=True)
class Body:
    """Bytes of a content type, with their ETag."""

    raw: bytes
    content_type: str

    @cached_property
    def etag(self) -> str:
        """A weak tag of the content: the same whether compressed or not."""
        return f'W/"{hashlib.sha256(self.raw).hexdigest()[:20]}"'

    @cached_property
    def compressed(self) -> bytes:
        """The bytes as gzip."""
        return gzip.compress(self.raw, 6, mtime=0)

    @classmethod
    def of(cls, answer: Answer) -> Body:
        """Return `answer` as JSON."""
        return cls(answer.model_dump_json().encode(), JSON)


def send(request: web.Request, body: Body, *, status: int = 200) -> web.Response:
    """Answer with `body`, or with 304 where the client has it already."""
    headers = {"ETag": body.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if status == 200 and _has(request, body.etag):
        return web.Response(status=304, headers=headers)
    headers["Content-Type"] = body.content_type
    if len(body.raw) < LEAST_COMPRESSED or "gzip" not in request.headers.get("Accept-Encoding", ""):
        return web.Response(body=body.raw, status=status, headers=headers)
    headers["Content-Encoding"] = "gzip"
    return web.Response(body=body.compressed, status=status, headers=headers)


def _has(request: web.Request, etag: str) -> bool:
    """Say whether If-None-Match names `etag` (weak comparison, RFC 9110)."""
    named = request.headers.get("If-None-Match", "")
    opaque = etag.removeprefix("W/")
    return named.strip() == "*" or opaque in (
        tag.strip().removeprefix("W/") for tag in named.split(",")
    )
