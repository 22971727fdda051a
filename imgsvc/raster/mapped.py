"""Pixels that lie in a buffer of ours, as a picture: nothing is copied."""

from __future__ import annotations

from PIL import Image
from typing_extensions import Buffer

#: Bytes a pixel of the modes whose pixels Pillow can use where they lie.
BYTES = {"L": 1, "RGB": 4, "RGBA": 4, "CMYK": 4}


def mapped(mode: str, size: tuple[int, int], data: Buffer, offset: int = 0) -> Image.Image:
    """A picture whose pixels are the bytes from `offset` on, row by row, as Pillow has them in memory.

    RGB takes four bytes a pixel, the last of no meaning. The picture keeps the buffer, which must not be
    changed any more. Raises ValueError for a buffer that is too small.
    """
    # What Image.frombuffer does, which does not do RGB.
    core = Image.core.map_buffer(  # type: ignore[attr-defined]  # Pillow's own plugins use it
        data, size, "raw", offset, (mode, 0, 1)
    )
    image = Image.Image()._new(core)  # noqa: SLF001  # there is no public way from a core to a picture
    image.readonly = 1
    return image
