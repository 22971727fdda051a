"""Stored bytes on their way out: entity tags, ranges, safe headers, and no byte that nobody asked for."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import formatdate

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from imgsvc.api import conditional, documents
from imgsvc.api.conditional import Span
from imgsvc.api.envelope import called
from imgsvc.service import Blob

#: How long a client may keep what has no end, in seconds: it can still be deleted.
_KEEP = 3600
#: What a picture may do in a browser: nothing but be looked at, from any page (`nosniff` is on every answer).
SAFE = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
}


@dataclass(frozen=True, slots=True)
class File:
    """What is known of stored bytes before they are opened."""

    size: int
    sha256: str
    content_type: str
    disposition: str
    #: When it goes, in milliseconds since the epoch.
    expires_at: int | None
    server_timing: str = ""
    #: How long who may keep it, where that does not follow from `expires_at`.
    cache_control: str | None = None
    #: Which of a request's headers decide what it is.
    vary: str | None = None
    #: The unix second in which its source was changed, where that is known.
    modified_at: int | None = None
    #: The image that it was made of, where the address does not name it.
    image: str | None = None

    def headers(self) -> dict[str, str]:
        """The headers of an answer with all of it."""
        digest = b64encode(bytes.fromhex(self.sha256)).decode()
        told = {
            "ETag": documents.etag(self.sha256),
            "Repr-Digest": f"sha-256=:{digest}:",
            "Cache-Control": self.cache_control or f"private, max-age={_max_age(self.expires_at)}",
            "Accept-Ranges": "bytes",
            "Content-Disposition": self.disposition,
            **SAFE,
        }
        more = {
            "Server-Timing": self.server_timing,
            "Vary": self.vary,
            "Last-Modified": None if self.modified_at is None else http_date(self.modified_at),
            "Imgsvc-Image": self.image,
        }
        return told | {name: value for name, value in more.items() if value}


def http_date(second: int) -> str:
    """A unix second as headers tell it."""
    return formatdate(second, usegmt=True)


def accepted(request: Request) -> str | None:
    """What the client accepts, in all its `Accept` headers together; None where it does not say."""
    return ", ".join(request.headers.getlist("accept")) or None


async def deliver(request: Request, file: File, open: Callable[[], Awaitable[Blob]]) -> Response:
    """The bytes, the part of them that was asked for, or 304; raises RangeNotSatisfiable."""
    headers, etag = file.headers(), documents.etag(file.sha256)
    if conditional.unchanged(request.headers, etag):
        return Response(None, 304, headers)
    head = called(request.scope).head
    # A range has no meaning for HEAD (RFC 9110 §14.2).
    span = None if head else conditional.wanted(request.headers, file.size, etag)
    if span is not None:
        headers["Content-Range"] = span.told(file.size)
    part = span or Span(0, file.size)
    headers["Content-Length"] = str(part.length)
    status = 200 if span is None else 206
    if head:
        return Response(None, status, headers, media_type=file.content_type)
    return Sent(await open(), part, status, headers, media_type=file.content_type)


class Sent(Response):
    """A part of a blob as an answer; the blob is closed afterwards."""

    def __init__(
        self, blob: Blob, part: Span, status: int, headers: dict[str, str], media_type: str | None
    ) -> None:
        super().__init__(None, status, headers, media_type)
        self._blob = blob
        self._part = part

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # as ASGI
        """Send it: at once when it is at hand, else piece by piece."""
        start, stop = self._part.start, self._part.start + self._part.length
        async with self._blob:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            if self._blob.data is None:
                async for piece in self._blob.chunks(start, stop):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
            else:
                await send({"type": "http.response.body", "body": self._blob.data[start:stop]})


def _max_age(expires_at: int | None) -> int:
    return _KEEP if expires_at is None else max(0, int(expires_at / 1000 - time.time()))
