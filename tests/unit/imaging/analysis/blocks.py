"""EXIF blocks written by hand, so that they may lie."""

from __future__ import annotations

import struct

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, SRATIONAL, DOUBLE = 1, 2, 3, 4, 5, 7, 10, 12
EXIF, GPS = 0x8769, 0x8825

#: Tag, type, count, the value's bytes (or, of more than four, where they are to lie).
Entry = tuple[int, int, int, bytes]


def block(*entries: Entry, exif: tuple[Entry, ...] = (), gps: tuple[Entry, ...] = ()) -> bytes:
    """A block in little-endian order, with the directories that have entries."""
    linked = [(tag, below) for tag, below in ((EXIF, exif), (GPS, gps)) if below]
    head = 8
    sizes = [_size(entries, len(linked)), *(_size(below) for _, below in linked)]
    starts = [head + sum(sizes[:index]) for index in range(len(sizes))]
    pointers = [
        (tag, LONG, 1, struct.pack("<L", at)) for (tag, _), at in zip(linked, starts[1:], strict=True)
    ]
    parts = [_directory((*entries, *pointers), starts[0])]
    parts += [_directory(below, at) for (_, below), at in zip(linked, starts[1:], strict=True)]
    return b"Exif\0\0II*\0" + struct.pack("<L", head) + b"".join(parts)


def text(tag: int, value: str) -> Entry:
    data = value.encode() + b"\0"
    return (tag, ASCII, len(data), data)


def ratios(tag: int, *pairs: tuple[int, int], signed: bool = False) -> Entry:
    form = "<ll" if signed else "<LL"
    return (
        tag,
        SRATIONAL if signed else RATIONAL,
        len(pairs),
        b"".join(struct.pack(form, *pair) for pair in pairs),
    )


def short(tag: int, value: int) -> Entry:
    return (tag, SHORT, 1, struct.pack("<H", value))


def entries(*raw: tuple[int, int, int, int], count: int | None = None) -> bytes:
    """A block of one directory whose entries say what they like."""
    head = struct.pack("<H", len(raw) if count is None else count)
    return b"Exif\0\0II*\0\x08\0\0\0" + head + b"".join(struct.pack("<HHLL", *each) for each in raw)


def _size(entries: tuple[Entry, ...], more: int = 0) -> int:
    return 2 + 12 * (len(entries) + more) + 4 + sum(len(data) for *_, data in entries if len(data) > 4)


def _directory(entries: tuple[Entry, ...], at: int) -> bytes:
    made, behind = struct.pack("<H", len(entries)), b""
    start = at + 2 + 12 * len(entries) + 4
    for tag, kind, count, data in entries:
        made += struct.pack("<HHL", tag, kind, count)
        if len(data) > 4:
            made += struct.pack("<L", start + len(behind))
            behind += data
        else:
            made += data.ljust(4, b"\0")
    return made + bytes(4) + behind
