"""Signed links at the door: what of a request is signed, and how long its answer may then be kept."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from starlette.requests import Request

from imgsvc.api.door import door
from imgsvc.api.openapi import Json, parameter
from imgsvc.errors import InvalidOperation

#: Spellings of one path, percent-decoded.
Paths = Iterable[str | bytes]
#: What a signature adds to a link.
DESCRIBED: tuple[Json, ...] = (
    parameter("query", "sig", "The signature: 32 bytes in base64url without padding (docs/signing.md)."),
    parameter("query", "kid", "The id of the key that it was made with."),
    parameter("query", "exp", "The unix second at which the link ends; it is signed too."),
)


#: Where a picture's meaning can't change: the image is named by its content, the pipeline is written out.
_FOR_EVER = 31_536_000
#: The parameters of a render that change its answer.
_OPTIONS = ("fallback",)


def of_render(request: Request, given: Mapping[str, str], paths: Paths) -> int | None:
    """The unix second until which a render's link is signed; None where it has no end or nobody has to sign.

    `paths` are spellings of its path. Raises SignatureInvalid, SignatureExpired.
    """
    options = {name: given[name] for name in _OPTIONS if name in given}
    return _checked(request, given, paths, options)


def spellings(request: Request, image: str, written: str) -> Iterator[str]:
    """The path of a render as it is written and, when that is not what was signed, as it is meant."""
    yield f"/r/{image}/{written}"
    with suppress(InvalidOperation):
        pipeline = door(request).grammar.load(written)
        for text in dict.fromkeys((pipeline.written, pipeline.text)):
            yield f"/r/{image}/{text}"


def of_result(request: Request, given: Mapping[str, str], path: str) -> int | None:
    """As `of_render` for a result's link; one that does not say that it is signed is open, unless the service
    asks for signatures (`IMGSVC_SIGNED_RESULTS`).
    """
    needed = door(request).options.signed_results or "sig" in given
    return _checked(request, given, [path], {}) if needed else None


def sooner(expires_at: int | None, until: int | None) -> int | None:
    """The earlier of an end in milliseconds and one in seconds since the epoch, in milliseconds."""
    ends = [end for end in (expires_at, None if until is None else until * 1000) if end is not None]
    return min(ends, default=None)


def shared_until(until: int | None, seconds: int | None = None) -> str:
    """The Cache-Control of a picture that may be kept for so many seconds (None: for ever) by everybody.

    Never longer than its link is valid: whoever comes later with the same link is refused.
    """
    if until is None and seconds is None:
        return f"public, max-age={_FOR_EVER}, immutable"
    most = _FOR_EVER if seconds is None else seconds
    left = most if until is None else max(0, int(until - time.time()))
    return f"public, max-age={min(most, left)}"


def _checked(
    request: Request, given: Mapping[str, str], paths: Paths, options: Mapping[str, str]
) -> int | None:
    keyring = door(request).options.signing
    return None if keyring is None else keyring.check(given, paths, now=time.time(), options=options)
