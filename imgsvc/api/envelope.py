"""What every answer has in common: a request id, safe headers, HEAD, a problem for whatever goes wrong."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from imgsvc import logs
from imgsvc.api import problems
from imgsvc.errors import ImgsvcError, InternalError
from imgsvc.jobs import new_id
from imgsvc.service import Claim

log = logging.getLogger("imgsvc.api")

_SANE = re.compile(rb"[A-Za-z0-9_-]{1,64}")
#: On every answer: no guessing of types, and no address of ours told to other sites.
_ALWAYS = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]
#: What a client that has gone away would get; nobody sees it, logs may.
CLIENT_GONE = 499


class ClientGoneError(Exception):
    """The client went away before its request was read, or before it was answered."""


#: Is told the code of every problem that is answered.
Counted = Callable[[str], None]


def uncounted(_: str) -> None:
    """Nobody counts."""


@dataclass(slots=True)
class Called:
    """What the door knows of a request besides its scope."""

    request_id: str
    #: Does the client want the headers only?
    head: bool
    #: Its Idempotency-Key, and who holds that while the request is answered.
    key: str | None = None
    claim: Claim | None = None
    #: The code of the problem that it was answered with.
    problem: str | None = None


def called(scope: Scope) -> Called:
    """The door's notes on a request."""
    notes: Called = scope["imgsvc"]
    return notes


def refusal(
    scope: Scope, error: ImgsvcError, more: Mapping[str, object] | None = None, **extra: str
) -> Response:
    """The answer that an error becomes; it is counted once the request is over."""
    notes = called(scope)
    notes.problem = error.code
    return problems.answer(error, notes.request_id, more, **extra)


def request_id_of(headers: list[tuple[bytes, bytes]]) -> str:
    """The client's X-Request-ID when it is sane, else a new one."""
    for name, value in headers:
        if name == b"x-request-id" and _SANE.fullmatch(value):
            return value.decode()
    return new_id("req")


class Envelope:
    """The outermost ASGI application."""

    def __init__(self, app: ASGIApp, counted: Counted = uncounted) -> None:
        self._app = app
        self._counted = counted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speak ASGI."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        notes = Called(request_id_of(scope["headers"]), head=scope["method"] == "HEAD")
        # HEAD is GET without the body, everywhere: routes need not know it.
        scope = {**scope, "imgsvc": notes, "method": "GET" if notes.head else scope["method"]}
        token = logs.request_id.set(notes.request_id)
        try:
            await _Answer(self._app, notes, send).run(scope, receive)
        finally:
            logs.request_id.reset(token)
            if notes.problem is not None:
                self._counted(notes.problem)


class _Answer:
    """One request being answered."""

    def __init__(self, app: ASGIApp, notes: Called, send: Send) -> None:
        self._app = app
        self._notes = notes
        self._send = send
        self._started = False

    async def run(self, scope: Scope, receive: Receive) -> None:
        try:
            await self._app(scope, receive, self._pass)
        except ClientGoneError:
            await self._refuse(scope, receive, InternalError("the client has gone away"))
            self._notes.problem = None  # nobody saw it
        except ImgsvcError as error:
            await self._refuse(scope, receive, error)
        except Exception:
            log.exception("unhandled error")
            await self._refuse(scope, receive, unexpected())

    async def _refuse(self, scope: Scope, receive: Receive, error: ImgsvcError) -> None:
        # Once an answer has begun it is too late for another: the server cuts one that is not whole.
        if not self._started:
            await refusal(scope, error)(scope, receive, self._pass)

    async def _pass(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            headers = [*message.get("headers", ()), *_ALWAYS]
            headers.append((b"x-request-id", self._notes.request_id.encode()))
            message = {**message, "headers": headers}
        elif message["type"] == "http.response.body":
            more = message.get("more_body", False)
            if self._notes.head:
                message = {"type": "http.response.body", "body": b"", "more_body": more}
        await self._send(message)


def unexpected() -> InternalError:
    """What a caller is told of an error that is not his."""
    return InternalError("Something went wrong inside the service; it has been logged under this request id.")
