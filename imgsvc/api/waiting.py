"""Waiting for a job or a lane, for as long as the client waits too."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from starlette.requests import Request

from imgsvc.api import parameters
from imgsvc.api.envelope import ClientGoneError
from imgsvc.api.parameters import Reader

_Answer = TypeVar("_Answer")

#: The longest that a request may wait for a job's end, in seconds; proxies give up at 60.
MAX_WAIT = 30.0
_PREFERENCE = re.compile(
    r"\s*wait\s*(?:=\s*(?P<quote>\"?)(?P<seconds>[^\";,]*)(?P=quote))?\s*(?:;.*)?", re.IGNORECASE
)


def preferred(request: Request) -> float | None:
    """The seconds that `Prefer: wait=N` asks for, at most MAX_WAIT; None without it.

    Raises InvalidParameter for what is no number of seconds.
    """
    for header in request.headers.getlist("prefer"):
        for preference in header.split(","):
            found = _PREFERENCE.fullmatch(preference)
            if found is not None:
                return _granted(found["seconds"] or "nothing")
    return None


def _granted(wanted: str) -> float:
    # More than we wait is no fault: the answer says how long it was.
    if (longer := Reader({"wait": wanted}, ("wait",)).seconds("wait", MAX_WAIT, 1e9)) is not None:
        return min(longer, MAX_WAIT)
    reader = Reader({"wait": wanted}, ("wait",))
    seconds = reader.seconds("wait", 0, MAX_WAIT)
    reader.done()
    return seconds or 0.0


def asked(request: Request) -> float | None:
    """The seconds of `?wait=N`; None without it. Raises InvalidParameter."""
    values = parameters.query(request.scope["query_string"])
    reader = Reader({name: value for name, value in values.items() if name == "wait"}, ("wait",))
    seconds = reader.seconds("wait", 0, MAX_WAIT)
    reader.done()
    return seconds


def applied(seconds: float | None) -> dict[str, str]:
    """The header that tells which wait was granted."""
    return {} if seconds is None else {"Preference-Applied": f"wait={seconds:g}"}


async def while_connected(request: Request, work: Coroutine[Any, Any, _Answer]) -> _Answer:
    """What the work comes to; when the client goes away it is cancelled.

    The request's body must have been read. Raises ClientGoneError.
    """
    working = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGoneError
        return working.result()
    finally:
        for task in (watching, working):
            if not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass  # what a client sends after its body is nobody's business
