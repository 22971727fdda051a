"""Cross-origin access, for the origins that the settings name and nobody else."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Headers that scripts of another origin may read besides the few that they always may.
_EXPOSED = (
    b"Location, Retry-After, ETag, Link, Server-Timing, Repr-Digest, Content-Disposition, Content-Range, "
    b"Preference-Applied, Idempotent-Replayed, X-Request-ID"
)
#: Seconds that a browser may remember a preflight's answer; two hours is the most that any does.
_MAX_AGE = b"7200"


class Cors:
    """Answers preflights and marks answers; without a named origin it changes nothing."""

    def __init__(self, app: ASGIApp, origins: Iterable[str]) -> None:
        self._app = app
        self._origins = frozenset(origin.rstrip("/").lower().encode() for origin in origins)
        self._all = b"*" in self._origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speak ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = dict(scope["headers"])
        origin = given.get(b"origin", b"")
        allowed = self._allowed(origin)

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *allowed]}
            await send(message)

        if scope["method"] == "OPTIONS" and b"access-control-request-method" in given and len(allowed) > 1:
            await _preflight(given, marked)
        else:
            await self._app(scope, receive, marked)

    def _allowed(self, origin: bytes) -> list[tuple[bytes, bytes]]:
        """The headers of an answer to this origin."""
        vary = [] if self._all else [(b"vary", b"Origin")]
        if not origin or not (self._all or origin.lower() in self._origins):
            return vary
        # Never with credentials: there are none here.
        shown = b"*" if self._all else origin
        return [
            *vary,
            (b"access-control-allow-origin", shown),
            (b"access-control-expose-headers", _EXPOSED),
            (b"timing-allow-origin", shown),
        ]


async def _preflight(given: dict[bytes, bytes], send: Send) -> None:
    headers = [
        (b"access-control-allow-methods", b"GET, HEAD, POST, DELETE"),
        (b"access-control-allow-headers", given.get(b"access-control-request-headers", b"*")),
        (b"access-control-max-age", _MAX_AGE),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
