"""Signed links at the door: what of a request is signed, and how long its answer may then be kept."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from starlette.requests import Request

from imgsvc.api.door import door
from imgsvc.api.openapi import Json, parameter

#: What a signature adds to a link.
PARAMETERS = ("sig", "kid", "exp")
DESCRIBED: tuple[Json, ...] = (
    parameter("query", "sig", "The signature: 32 bytes in base64url without padding (docs/signing.md)."),
    parameter("query", "kid", "The id of the key that it was made with."),
    parameter("query", "exp", "The unix second at which the link ends; it is signed too."),
)


def required(
    request: Request, given: Mapping[str, str], paths: Iterable[str | bytes], options: Mapping[str, str]
) -> int | None:
    """The unix second until which a link is signed; None where it has no end or nobody has to sign.

    `paths` all mean the same, percent-decoded, as written first: the others are only made when that is not
    what was signed. `options` are the parameters that change the answer. Raises SignatureInvalid,
    SignatureExpired.
    """
    keyring = door(request).options.signing
    return None if keyring is None else keyring.check(given, paths, now=time.time(), options=options)


def offered(request: Request, given: Mapping[str, str], path: str) -> int | None:
    """As `required` where the link says that it is signed; one that does not is open."""
    return required(request, given, [path], {}) if "sig" in given else None


def sooner(expires_at: int | None, until: int | None) -> int | None:
    """The earlier of an end in milliseconds and one in seconds since the epoch, in milliseconds."""
    ends = [end for end in (expires_at, None if until is None else until * 1000) if end is not None]
    return min(ends, default=None)
