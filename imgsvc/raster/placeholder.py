"""A picture of one colour, made without a decoder or an encoder: it stands in for one that can't be shown."""

from __future__ import annotations

import struct
import zlib

from imgsvc.raster.colour import Colour
from imgsvc.raster.geometry import Size

#: The longest side of a placeholder, in pixels: a page scales it anyway.
MAX_SIDE = 4096


def png(size: Size, colour: Colour) -> bytes:
    """A PNG of one colour (https://www.w3.org/TR/png-3/): one bit a pixel, and a palette of one entry.

    What is longer than `MAX_SIDE` is made smaller, in proportion.
    """
    longest = max(size)
    if longest > MAX_SIDE:
        size = Size(max(1, size.width * MAX_SIDE // longest), max(1, size.height * MAX_SIDE // longest))
    red, green, blue, alpha = colour.rgba
    rows = zlib.compress(bytes((1 + (size.width + 7) // 8) * size.height), 9)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", struct.pack(">IIBBBBB", size.width, size.height, 1, 3, 0, 0, 0)),
            _chunk(b"PLTE", bytes((red, green, blue))),
            _chunk(b"tRNS", bytes((alpha,))) if alpha < 255 else b"",
            _chunk(b"IDAT", rows),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
