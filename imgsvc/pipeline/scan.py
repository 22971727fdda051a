"""Text to calls: separators, escapes and offsets; knows no operation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from imgsvc.errors import Fault, InvalidOperation

#: Characters of a pipeline in either form. A URL line may have 64 KiB, the longest sensible pipeline
#: (20 operations with every argument written out) stays below 4,000 characters.
MAX_LENGTH = 16_384

_SEPARATOR = re.compile(r"[/|]")
_ESCAPE = re.compile(r"~(.{0,2})", re.DOTALL)
#: Half characters and control characters can be no part of a pipeline: no store or header takes them.
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_RESERVED = re.compile(r"[,/:=|~]")
_MEANINGS = {f"{ord(char):02X}": char for char in ",/:=|~"}


class Argument(NamedTuple):
    """One argument as it was written; `key` is None where it has none."""

    key: str | None
    value: str
    #: Characters before it in the text.
    offset: int


class Chunk(NamedTuple):
    """One operation as it was written."""

    name: str
    offset: int
    arguments: tuple[Argument, ...]


def check(text: str) -> None:
    """Refuse text that is no pipeline whatever it says: too long, control characters.

    Raises InvalidOperation.
    """
    if len(text) > MAX_LENGTH:
        detail = f"the pipeline has {len(text)} characters, at most {MAX_LENGTH} are read"
        fault = Fault(
            detail=detail, pointer="", offset=MAX_LENGTH, allowed=f"at most {MAX_LENGTH} characters"
        )
        raise InvalidOperation(detail, errors=(fault,))
    if bad := _FORBIDDEN.search(text):
        detail = f"the character U+{ord(bad[0]):04X} can't be part of a pipeline"
        raise InvalidOperation(detail, errors=(Fault(detail=detail, pointer="", offset=bad.start()),))


def chunks(text: str) -> Iterator[Chunk]:
    """The operations of a pipeline, still escaped: nothing is judged here."""
    start = 0
    for piece in _SEPARATOR.split(text):
        yield chunk(piece, start)
        start += len(piece) + 1


def chunk(text: str, start: int = 0) -> Chunk:
    """One operation, `start` characters into the text that it is part of."""
    name, colon, rest = text.partition(":")
    spaces = len(name) - len(name.lstrip())
    arguments: list[Argument] = []
    offset = start + len(name) + 1
    for part in rest.split(",") if colon else ():
        key, equals, value = part.partition("=")
        arguments.append(Argument(key.strip(), value, offset) if equals else Argument(None, part, offset))
        offset += len(part) + 1
    return Chunk(name.strip(), start + spaces, tuple(arguments))


def several(text: str) -> bool:
    """Does the text hold more than one operation?"""
    return _SEPARATOR.search(text) is not None


def unescape(text: str) -> str:
    """What an escaped value stands for; raises ValueError where a `~` stands for nothing."""
    if "~" not in text:
        return text
    return _ESCAPE.sub(_meaning, text)


def escape(text: str) -> str:
    """A value as it stands in canonical text."""
    return _RESERVED.sub(lambda found: f"~{ord(found[0]):02X}", text)


def _meaning(escaped: re.Match[str]) -> str:
    try:
        return _MEANINGS[escaped[1].upper()]
    except KeyError:
        known = ", ".join(f"~{code}" for code in _MEANINGS)
        raise ValueError(f"has a '~' that is none of the escapes {known}") from None
