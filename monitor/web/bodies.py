"""Bodies that are made once and sent often: compressed, tagged, revalidated."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from aiohttp import web

from monitor.answers import Answer

JSON: Final = "application/json"
LEAST_COMPRESSED: Final = 600
"""Bytes below which compression is not worth its header."""
_NEVER: Final = re.compile(r"q\s*=\s*0(\.0*)?")


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


def send(request: web.Request, body: Body) -> web.Response:
    """Answer with `body`, or with 304 where the client has it already."""
    headers = {"ETag": body.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if _has(request, body.etag):
        return web.Response(status=304, headers=headers)
    headers["Content-Type"] = body.content_type
    if len(body.raw) < LEAST_COMPRESSED or not unpacks(request):
        return web.Response(body=body.raw, headers=headers)
    headers["Content-Encoding"] = "gzip"
    return web.Response(body=body.compressed, headers=headers)


def unpacks(request: web.Request) -> bool:
    """Say whether Accept-Encoding names gzip, and not to refuse it (RFC 9110)."""
    for part in request.headers.get("Accept-Encoding", "").lower().split(","):
        coding, _, weight = part.partition(";")
        if coding.strip() in ("gzip", "x-gzip"):
            return not _NEVER.fullmatch(weight.strip())
    return False


def _has(request: web.Request, etag: str) -> bool:
    """Say whether If-None-Match names `etag` (weak comparison, RFC 9110)."""
    named = request.headers.get("If-None-Match", "")
    opaque = etag.removeprefix("W/")
    return named.strip() == "*" or opaque in (
        tag.strip().removeprefix("W/") for tag in named.split(",")
    )
