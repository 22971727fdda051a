"""The byte gate: nothing larger, slower or stranger than allowed gets past it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from imgsvc.api.envelope import ClientGoneError, called, refusal
from imgsvc.api.multipart import MAX_FIELD_BYTES, MAX_FIELDS
from imgsvc.errors import BodyTooLarge, HeadersTooLarge, ImgsvcError, MalformedRequest, RequestTimeout

#: Bytes of all header fields of a request together (as nginx), and their number (as Apache).
MAX_HEADER_BYTES, MAX_HEADERS = 32 * 1024, 100
#: What a form may hold besides its file: every field at its longest, and their headers.
FORM_ALLOWANCE = MAX_FIELDS * (MAX_FIELD_BYTES + 1024) + 64 * 1024
#: A body that comes more slowly than this, in bytes a second, is an attack or hopeless.
MIN_RATE = 1024
#: The longest Idempotency-Key, its quotes not counted.
_MAX_KEY = 255


class Gate:
    """Counts and times what comes in.

    The body is only read when somebody inside asks for it, so a refusal of the headers costs the client
    that waits for `100 Continue` nothing.
    """

    def __init__(
        self, app: ASGIApp, *, max_body: int, body_timeout: float, most: Mapping[str, int] | None = None
    ) -> None:
        """`most` tells how many bytes a form may have at paths that take several images of `max_body`."""
        self._app = app
        self._max_body = max_body
        self._most = most or {}
        self._body_timeout = body_timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speak ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            body = self._admit(scope, receive)
        except ImgsvcError as error:
            await refusal(scope, error, connection="close")(scope, receive, send)
            return

        async def closing(message: Message) -> None:
            # What was not read must not be taken for the next request, nor be read for nothing.
            if message["type"] == "http.response.start" and not body.complete:
                kept = [pair for pair in message.get("headers", ()) if pair[0].lower() != b"connection"]
                message = {**message, "headers": [*kept, (b"connection", b"close")]}
            await send(message)

        try:
            await self._app(scope, body.receive, closing)
        finally:
            body.close()

    def _admit(self, scope: Scope, receive: Receive) -> Body:
        """The body of a request whose headers are in order."""
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        check_headers(len(headers), sum(len(name) + len(value) for name, value in headers))
        given = dict(headers)
        if scope["method"] == "POST" and b"idempotency-key" in given:
            called(scope).key = check_key(*(value for name, value in headers if name == b"idempotency-key"))
        return Body(receive, given, self._most.get(scope["path"], self._max_body), self._body_timeout)


def check_headers(fields: int, size: int) -> None:
    """Raises HeadersTooLarge."""
    if size > MAX_HEADER_BYTES:
        raise HeadersTooLarge(
            f"the headers have more than {MAX_HEADER_BYTES} bytes", limit=MAX_HEADER_BYTES, actual=size
        )
    if fields > MAX_HEADERS:
        raise HeadersTooLarge(f"there are more than {MAX_HEADERS} headers", limit=MAX_HEADERS, actual=fields)


def check_key(value: bytes, *more: bytes) -> str:
    """An Idempotency-Key, quoted or bare; raises MalformedRequest, also for more than one."""
    if more:
        raise MalformedRequest("there is more than one Idempotency-Key")
    key = value.strip()
    if len(key) >= 2 and key[:1] == key[-1:] == b'"':
        key = key[1:-1]
    if not key.strip():
        raise MalformedRequest("the Idempotency-Key is blank")
    if len(key) > _MAX_KEY:
        raise MalformedRequest(f"the Idempotency-Key has more than {_MAX_KEY} characters")
    if b'"' in key or not all(0x20 <= byte < 0x7F for byte in key):
        raise MalformedRequest("the Idempotency-Key is not a string of printable ASCII")
    return key.decode("ascii")


class Body:
    """A request's body as it comes in."""

    def __init__(self, receive: Receive, headers: dict[bytes, bytes], max_body: int, timeout: float) -> None:
        self._receive = receive
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        multipart = headers.get(b"content-type", b"").strip().lower().startswith(b"multipart/")
        #: What the answer names as the limit is that of an image; a form has room around it.
        self._limit, self._most = max_body, max_body + (FORM_ALLOWANCE if multipart else 0)
        declared = headers.get(b"content-length")
        length = int(declared) if declared is not None and declared.isdigit() else None
        if length is not None and length > self._most:
            raise self._too_large(length)
        #: Has all of it been read?
        self.complete = not length and b"transfer-encoding" not in headers
        self._count = 0
        self._pace = _Pace(self._loop, timeout)

    async def receive(self) -> Message:
        """The next message; raises BodyTooLarge, RequestTimeout, ClientGoneError (only within the body)."""
        if self.complete:
            return await self._receive()
        with self._pace:
            message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        self._count += len(message.get("body", b""))
        self._pace.count = self._count
        if self._count > self._most:
            raise self._too_large(None)
        self.complete = not message.get("more_body", False)
        return message

    def close(self) -> None:
        """Nobody waits any more."""
        self._pace.close()

    def _too_large(self, actual: int | None) -> BodyTooLarge:
        return BodyTooLarge(f"the body has more than {self._limit} bytes", limit=self._limit, actual=actual)


class _Pace:
    """Watches the waiting for a body: how long at a time, and how much comes in all.

    One timer for a whole body, set again only when it fires: a body is hundreds of chunks.
    Only time spent waiting counts, so that a slow disk of ours is no fault of the client's.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, timeout: float) -> None:
        self._loop = loop
        self._timeout = timeout
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[object] | None = None
        self._since = 0.0
        self._waited = 0.0
        self._expired = False
        self.count = 0

    def __enter__(self) -> None:
        self._since = self._loop.time()
        self._task = asyncio.current_task()
        if self._timer is None:
            self._timer = self._loop.call_later(self._timeout, self._check)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        task, self._task = self._task, None
        self._waited += self._loop.time() - self._since
        if self._expired and task is not None and kind is asyncio.CancelledError:
            task.uncancel()
            raise RequestTimeout("the body stopped arriving, or came too slowly") from None

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _check(self) -> None:
        """The timer has fired: is it time?"""
        now = self._loop.time()
        left = self._timeout
        if self._task is not None:
            waiting = now - self._since
            waited = self._waited + waiting
            if waiting >= self._timeout or (waited >= self._timeout and self.count < MIN_RATE * waited):
                self._expired = True
                self._task.cancel()
                return
            left = self._timeout - waiting
        self._timer = self._loop.call_later(max(left, 0.01), self._check)
