"""EXIF read within bounds: three directories at known places, few fields, short values, nothing followed.

Pillow's own reader copies whatever every field points to, and hands over binary blobs; a hostile block of 64
KB makes it copy 300 MB. What is read here is never more than a thousand entries and never fails.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

#: What the block begins with in a JPEG; elsewhere it may be missing.
_PREFIX = b"Exif\0\0"
#: The text chunk of a PNG that holds a block where no chunk of its own does.
_WRITTEN = "Raw profile type exif"
#: The byte order, by the mark at the start of a TIFF file.
_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
#: Fields whose value is the place of another directory: Exif and GPS.
_EXIF, _GPS = 0x8769, 0x8825
#: Entries of a directory that are looked at: real ones have some 60.
MOST_ENTRIES = 300
#: Numbers that a value may have, and bytes that a text may.
MOST_NUMBERS, MOST_BYTES = 16, 2000

Number = int | float
Value = str | bytes | tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """The fields of an EXIF block by tag, as far as they could be read."""

    fields: dict[int, Value]
    gps: dict[int, Value]


def read(data: bytes | None) -> Block:
    """The fields of an EXIF block; what is damaged, too long or of no type that EXIF has is left out."""
    tiff = memoryview(data or b"")
    if bytes(tiff[: len(_PREFIX)]) == _PREFIX:
        tiff = tiff[len(_PREFIX) :]
    order = _ORDERS.get(bytes(tiff[:4]))
    if order is None:
        return Block({}, {})
    directory = partial(_directory, tiff, order)
    first = directory(_number(tiff, order, 4))
    fields = dict(directory(_place(first.get(_EXIF))))
    gps = directory(_place(first.get(_GPS)))
    return Block({**fields, **first}, gps)


def block_of(info: Mapping[Any, object]) -> bytes | None:
    """The EXIF block among what Pillow has found at the head of a file."""
    found, written = info.get("exif"), info.get(_WRITTEN)
    if isinstance(found, bytes):
        return found
    try:  # ImageMagick's way in PNG before 2017: lines with the name, the length, and the bytes in hex
        return bytes.fromhex("".join(written.split("\n")[3:])) if isinstance(written, str) else None
    except ValueError:
        return None


def _place(value: Value | None) -> int | None:
    """Where a directory is, if that is what the value says."""
    return value[0] if isinstance(value, tuple) and isinstance(value[0], int) else None


def _number(tiff: memoryview, order: str, at: int, kind: str = "L") -> int | None:
    try:
        return int(struct.unpack_from(order + kind, tiff, at)[0])
    except struct.error:
        return None


def _directory(tiff: memoryview, order: str, at: int | None) -> dict[int, Value]:
    """The fields of the directory at `at`; of a tag that is there twice the first."""
    count = None if at is None else _number(tiff, order, at, "H")
    if at is None or count is None:
        return {}
    fields: dict[int, Value] = {}
    for place in range(at + 2, at + 2 + 12 * min(count, MOST_ENTRIES), 12):
        try:
            tag, kind, length = struct.unpack_from(order + "HHL", tiff, place)
        except struct.error:
            break
        if tag not in fields and (value := _value(tiff, order, place + 8, kind, length)):
            fields[tag] = value
    return fields


def _value(tiff: memoryview, order: str, place: int, kind: int, count: int) -> Value | None:
    """The value of an entry whose last four bytes are at `place`: they are the value, or tell where it is."""
    if kind not in _TYPES or not count:
        return None
    size, read_ = _TYPES[kind]
    most = MOST_BYTES if size == 1 else MOST_NUMBERS
    if count > most and kind != _ASCII:
        return None
    length = min(count, most) * size
    at = place if count * size <= 4 else _number(tiff, order, place)
    if at is None or at + length > len(tiff):
        return None
    return read_(bytes(tiff[at : at + length]), order)


def _raw(data: bytes, _: str) -> Value:
    return data


def _text(data: bytes, _: str) -> Value:
    """ASCII by the standard, in truth whatever the maker's software wrote: UTF-8, or else Latin-1."""
    data = data.partition(b"\0")[0]
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _numbers(form: str, data: bytes, order: str) -> Value | None:
    found = struct.unpack(f"{order}{len(data) // struct.calcsize('=' + form)}{form}", data)
    return found if all(math.isfinite(number) for number in found) else None


def _ratios(form: str, data: bytes, order: str) -> Value | None:
    found = tuple(_ratio(*pair) for pair in struct.iter_unpack(order + form, data))
    return None if None in found else tuple(ratio for ratio in found if ratio is not None)


def _ratio(above: int, below: int) -> Number | None:
    """A whole number stays one; nothing is divided by zero."""
    if not below:
        return None
    return above // below if above % below == 0 else above / below


_ASCII = 2
#: The size of each type, and what reads several of it.
_TYPES: dict[int, tuple[int, Callable[[bytes, str], Value | None]]] = {
    1: (1, _raw),
    _ASCII: (1, _text),
    3: (2, partial(_numbers, "H")),
    4: (4, partial(_numbers, "L")),
    5: (8, partial(_ratios, "LL")),
    6: (1, partial(_numbers, "b")),
    7: (1, _raw),
    8: (2, partial(_numbers, "h")),
    9: (4, partial(_numbers, "l")),
    10: (8, partial(_ratios, "ll")),
    11: (4, partial(_numbers, "f")),
    12: (8, partial(_numbers, "d")),
}
