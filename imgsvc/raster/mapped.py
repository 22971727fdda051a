"""Pixels that lie in a buffer of ours, as a picture: nothing is copied."""

from __future__ import annotations

import ctypes

from PIL import Image
from typing_extensions import Buffer

#: Bytes a pixel of the modes whose pixels Pillow can use where they lie.
BYTES = {"L": 1, "RGB": 4, "RGBA": 4, "CMYK": 4}

#: Makes a bytearray; without something to copy nobody has written to it (which `bytearray(size)` has).
_bytearray = ctypes.pythonapi.PyByteArray_FromStringAndSize
_bytearray.restype, _bytearray.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.c_ssize_t)


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


def unwritten(mode: str, size: tuple[int, int]) -> Image.Image:
    """A picture of whatever other pictures have left in memory: for who writes every pixel, or fails.

    Pillow clears every new picture, also for its decoders, which takes 10 of the 85 ms that 24 MP of JPEG are
    decoded in. Raises MemoryError.
    """
    image = mapped(mode, size, _bytearray(None, size[0] * size[1] * BYTES[mode]))
    image.readonly = 0  # nobody else has its buffer
    return image
