"""Conditional and range requests: RFC 9110 §13 and §14, as far as blobs and documents need them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from imgsvc.errors import RangeNotSatisfiable

_TAGS = re.compile(r'(?:W/)?"[^"\x00-\x1f\x7f]*"')
_RANGE = re.compile(r"bytes\s*=\s*([0-9]*)\s*-\s*([0-9]*)\s*", re.IGNORECASE)
#: Behind the end of every file; a number of more digits than it has is one as well.
_BEYOND = 10**18


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a file: where it starts, and how many bytes it has."""

    start: int
    length: int

    def told(self, size: int) -> str:
        """The Content-Range of this part of `size` bytes."""
        return f"bytes {self.start}-{self.start + self.length - 1}/{size}"


def unchanged(headers: Mapping[str, str], etag: str) -> bool:
    """Does the client have this already (If-None-Match, compared weakly)?"""
    asked = headers.get("if-none-match")
    if asked is None:
        return False
    if asked.strip() == "*":
        return True
    return _opaque(etag) in {_opaque(tag) for tag in _TAGS.findall(asked)}


def unmodified(headers: Mapping[str, str], modified_at: int) -> bool:
    """Does the client have what was changed in this very unix second (If-Modified-Since)?

    Another file of the same name may be older, so an earlier change is one too. A client that tells tags is
    asked for those only (RFC 9110 §13.2.2).
    """
    since = headers.get("if-modified-since")
    if since is None or "if-none-match" in headers:
        return False
    try:
        return modified_at == parsedate_to_datetime(since).timestamp()
    except (ValueError, OverflowError):  # no date: as if it were not there
        return False


def wanted(headers: Mapping[str, str], size: int, etag: str) -> Span | None:
    """The part that a Range asks for, None for the whole.

    What is not one byte range is ignored, as RFC 9110 allows: other units, nonsense, several ranges,
    and a Range whose If-Range is not this very file. Raises RangeNotSatisfiable.
    """
    asked = headers.get("range")
    if asked is None or headers.get("if-range", etag).strip() != etag:
        return None
    found = _RANGE.fullmatch(asked.strip())
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        length = min(_number(last), size)
        start = size - length
    else:
        start = _number(first)
        if last and _number(last) < start:
            return None
        length = min(_number(last) + 1 if last else size, size) - start
    if length <= 0:
        raise RangeNotSatisfiable(f"the file has {size} bytes", limit=size)
    return Span(start, length)


def _opaque(tag: str) -> str:
    return tag.removeprefix("W/")


def _number(digits: str) -> int:
    """At most `_BEYOND`: Python reads no number of thousands of digits."""
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) <= 18 else _BEYOND
