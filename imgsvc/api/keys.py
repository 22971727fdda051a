"""`Idempotency-Key`: what was asked for once is done once, and whoever repeats it gets the same answer.

A route that takes POST stands under one of two decorators: `repeatable` where path and query say all, and
`making` where its handler calls `receipt` as soon as it knows what is meant, before it does anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import wraps
from typing import TypeVar

import orjson
from starlette.requests import Request
from starlette.responses import Response

from imgsvc.api import parameters
from imgsvc.api.conditional import Span
from imgsvc.api.delivery import Sent
from imgsvc.api.door import service
from imgsvc.api.envelope import called
from imgsvc.service import Answer, Claim, Receipt

Handler = Callable[[Request], Awaitable[Response]]
#: Answers a request from what it has made: its id.
Again = Callable[[Request, str], Awaitable[Response]]

_Room = TypeVar("_Room")

#: The header that tells a repeated answer from a first one.
REPLAYED = "Idempotent-Replayed"


class Repeated(Exception):
    """The request is the one that its key is known for: no fault, but there is nothing left to do."""

    def __init__(self, receipt: Receipt) -> None:
        super().__init__("the request was done before")
        self.receipt = receipt


def repeatable(handler: Handler) -> Handler:
    """For a call whose path and query say all that is asked for."""

    @wraps(handler)
    async def told(request: Request) -> Response:
        receipt(request, parameters.query(request.scope["query_string"]))
        return await handler(request)

    return making()(told)


def making(again: Again | None = None) -> Callable[[Handler], Handler]:
    """For a call whose handler asks for a `receipt` and makes something: a job, an image, a picture.

    `again` answers from what was made and recorded with its receipt, where the answer itself was lost with
    the server. A call that records nothing but its answer needs none.
    """

    def honoured(handler: Handler) -> Handler:
        @wraps(handler)
        async def once(request: Request) -> Response:
            notes = called(request.scope)
            if notes.key is None:
                return await handler(request)
            place = f"{request.method} {request.scope['path']}"
            async with service(request).keys.claim(notes.key, place) as notes.claim:
                return await _once(request, notes.claim, handler, again)

        return once

    return honoured


def receipt(request: Request, meaning: object = None) -> Receipt | None:
    """What is to be recorded with that which a request makes; None without a key.

    `meaning` is JSON, the same whenever the same is asked for. Raises Repeated when the request was done
    before (who called the handler answers it), IdempotencyKeyReused when another one has its key.
    """
    claim = called(request.scope).claim
    if claim is None:
        return None
    told = orjson.dumps(meaning, option=orjson.OPT_SORT_KEYS)
    before = claim.means(hashlib.blake2b(told, digest_size=16).hexdigest())
    if before is not None:
        raise Repeated(before)
    return claim.receipt


def room(request: Request, meaning: object) -> str | None:
    """As `receipt`, for a call whose answer is a picture: the blob key under which it is to be written."""
    receipt(request, meaning)
    claim = called(request.scope).claim
    return None if claim is None else claim.room()


@asynccontextmanager
async def admitted(
    request: Request, first: Callable[[], AbstractAsyncContextManager[_Room]]
) -> AsyncIterator[_Room | None]:
    """Enter it before a body is read: `first` for a request that is new; one that is known needs no room."""
    if known(request):
        async with service(request).admission.again():
            yield None
    else:
        async with first() as room:
            yield room


def known(request: Request) -> bool:
    """Is the request's key one that has been answered? Then nothing new will be made."""
    claim = called(request.scope).claim
    return claim is not None and claim.known is not None


async def _once(request: Request, claim: Claim, handler: Handler, again: Again | None) -> Response:
    try:
        response = await handler(request)
    except Repeated as repeated:
        return await _repeated(request, claim, repeated.receipt, again)
    await claim.answered(_answer(response, claim))
    return response


async def _repeated(request: Request, claim: Claim, before: Receipt, again: Again | None) -> Response:
    if before.answer is not None:
        return await _replayed(request, before.answer)
    if again is None or before.subject is None:
        raise ValueError(f"nothing is left of what was answered to {before.place}")
    # The answer was lost with the server, what it told of was not.
    response = await again(request, before.subject)
    await claim.answered(_answer(response, claim))
    response.headers[REPLAYED] = "true"
    return response


def _answer(response: Response, claim: Claim) -> Answer:
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in response.raw_headers)
    if isinstance(response, Sent):
        size = int(response.headers["content-length"])
        return Answer(response.status_code, headers, blob=claim.blob, size=size)
    return Answer(response.status_code, headers, bytes(response.body))


async def _replayed(request: Request, answer: Answer) -> Response:
    if answer.blob is None:
        response = Response(answer.body, answer.status)
    else:
        blob = await service(request).keys.open(answer)
        response = Sent(blob, Span(0, answer.size), answer.status, {}, media_type=None)
    told = [*answer.headers, (REPLAYED.lower(), "true")]
    response.raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in told]
    return response
