"""The one table from errors to HTTP, and how a problem looks (RFC 9457)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from inspect import cleandoc
from types import MappingProxyType
from typing import Any

import orjson
from starlette.responses import Response

from imgsvc import errors
from imgsvc.errors import ERRORS, Fault, ImgsvcError, Problem

MEDIA_TYPE = "application/problem+json"

#: The status of every error.
STATUS: Mapping[type[ImgsvcError], int] = MappingProxyType(
    {
        errors.EmptyFile: 400,
        errors.MalformedMultipart: 400,
        errors.MalformedRequest: 400,
        errors.SignatureInvalid: 403,
        errors.SignatureExpired: 403,
        errors.NotFound: 404,
        errors.MethodNotAllowed: 405,
        errors.RequestTimeout: 408,
        errors.JobNotFinished: 409,
        errors.JobCanceled: 409,
        errors.ImageInUse: 409,
        errors.IdempotencyKeyInUse: 409,
        errors.ResultExpired: 410,
        errors.BodyTooLarge: 413,
        errors.UnsupportedMediaType: 415,
        errors.RangeNotSatisfiable: 416,
        errors.MissingFile: 422,
        errors.TooManyFiles: 422,
        errors.InvalidOperation: 422,
        errors.InvalidParameter: 422,
        errors.IdempotencyKeyReused: 422,
        errors.ImageCorrupt: 422,
        errors.ImageTooManyPixels: 422,
        errors.ImageDimensionTooLarge: 422,
        errors.ImageTooManyFrames: 422,
        errors.ImageTooComplex: 422,
        errors.ImageTooLargeForMemory: 422,
        errors.OutputTooLarge: 422,
        errors.ProcessingTimeout: 422,
        errors.WorkerCrashed: 422,
        errors.HeadersTooLarge: 431,
        errors.InternalError: 500,
        errors.QueueFull: 503,
        errors.QueueTimeout: 503,
        errors.Draining: 503,
        errors.StorageBusy: 503,
        errors.StorageUnavailable: 503,
        errors.InsufficientStorage: 507,
    }
)

#: Seconds told to those who should come back when the error itself doesn't say; the bounds are those
#: of the contract.
_RETRY_AFTER, _SOONEST, _LATEST = 1, 1, 300
#: What is over by itself before long.
_PASSING = (errors.Unavailable, errors.JobNotFinished, errors.IdempotencyKeyInUse)


def status_of(code: str) -> int:
    """The status of an error's code; a code that is not ours (any more) is a 500."""
    cls = ERRORS.get(code)
    return 500 if cls is None else STATUS[cls]


def title_of(code: str) -> str:
    """What the error is in a few words: the first line of its docstring."""
    return about(ERRORS.get(code, errors.InternalError))[0]


def about(cls: type[ImgsvcError]) -> tuple[str, str]:
    """An error's title and the rest of what its docstring says."""
    title, _, rest = cleandoc(cls.__doc__ or cls.code).partition("\n\n")
    return " ".join(title.split()).rstrip("."), rest


def document(problem: Problem, request_id: str | None = None) -> dict[str, Any]:
    """A problem as JSON; members without a meaning here are left out."""
    code = problem.code if problem.code in ERRORS else errors.InternalError.code
    shown: dict[str, Any] = {
        "type": f"/problems/{code}",
        "title": title_of(code),
        "status": status_of(code),
        "detail": problem.detail,
        "code": code,
    }
    if request_id is not None:
        shown["request_id"] = request_id
    if problem.output is not None:
        shown["output"] = problem.output
    if problem.errors:
        shown["errors"] = [_fault(fault) for fault in problem.errors]
    for name in ("limit", "actual"):
        value = getattr(problem, name)
        if value is not None:
            shown[name] = value
    if problem.supported:
        shown["supported"] = list(problem.supported)
    return shown


def headers(error: ImgsvcError) -> dict[str, str]:
    """The headers that an error brings along."""
    retry_after = error.retry_after
    if retry_after is None and isinstance(error, _PASSING):
        retry_after = _RETRY_AFTER
    found = {"Cache-Control": "no-store"}
    if retry_after is not None:
        found["Retry-After"] = str(min(max(math.ceil(retry_after), _SOONEST), _LATEST))
    if isinstance(error, errors.BodyTooLarge | errors.RequestTimeout | errors.HeadersTooLarge):
        found["Connection"] = "close"
    if isinstance(error, errors.RangeNotSatisfiable) and error.problem.limit is not None:
        found["Content-Range"] = f"bytes */{error.problem.limit}"
    return found


def answer(
    error: ImgsvcError, request_id: str | None, more: Mapping[str, Any] | None = None, **extra: str
) -> Response:
    """The answer that an error becomes; `more` are further members of the document."""
    shown = document(error.problem, request_id) | dict(more or {})
    return Response(
        orjson.dumps(shown),
        shown["status"],
        headers(error) | {name.title(): value for name, value in extra.items()},
        media_type=MEDIA_TYPE,
    )


def raw(error: ImgsvcError, request_id: str, more: Iterable[tuple[bytes, bytes]] = ()) -> bytes:
    """A whole HTTP/1.1 answer, for what is refused before there is a request; it ends the connection."""
    shown = document(error.problem, request_id)
    body = orjson.dumps(shown)
    lines = [
        b"HTTP/1.1 %d %s" % (shown["status"], _REASON.get(shown["status"], b"Error")),
        b"content-type: " + MEDIA_TYPE.encode(),
        b"content-length: %d" % len(body),
        b"cache-control: no-store",
        b"x-request-id: " + request_id.encode(),
        b"connection: close",
        *(name + b": " + value for name, value in more),
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


_REASON = {
    400: b"Bad Request",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    431: b"Request Header Fields Too Large",
}


def _fault(fault: Fault) -> dict[str, Any]:
    return fault.model_dump(exclude_none=True)
