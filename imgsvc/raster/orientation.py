"""The eight ways a picture may lie in its file, and the way back upright."""

from __future__ import annotations

from enum import IntEnum

from PIL import Image

from imgsvc.raster.geometry import Box, Size

_METHODS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
#: Orientations that count a row of the upright picture from its end, and a column.
_RIGHT_TO_LEFT = frozenset({2, 3, 6, 7})
_BOTTOM_TO_TOP = frozenset({3, 4, 7, 8})


class Orientation(IntEnum):
    """The EXIF orientation: where the first row and column of the stored picture belong."""

    UPRIGHT = 1
    MIRRORED = 2
    UPSIDE_DOWN = 3
    FLIPPED = 4
    TRANSPOSED = 5
    LEFT = 6
    TRANSVERSED = 7
    RIGHT = 8

    @classmethod
    def of(cls, value: object) -> Orientation:
        """The orientation that an EXIF value names; nonsense is upright."""
        return cls(value) if isinstance(value, int) and 1 <= value <= 8 else cls.UPRIGHT

    @property
    def sideways(self) -> bool:
        """Do width and height change places?"""
        return self >= Orientation.TRANSPOSED

    def size(self, size: Size) -> Size:
        """The upright size of a picture stored at `size`, and the other way round."""
        return size.turned if self.sideways else size

    def upright(self, image: Image.Image) -> Image.Image:
        """The stored picture turned upright."""
        return image.transpose(_METHODS[self]) if self in _METHODS else image

    def stored(self, box: Box, size: Size) -> Box:
        """Where a box of the upright picture of `size` lies in the stored one."""
        left, top, right, bottom = box
        if self in _RIGHT_TO_LEFT:
            left, right = size.width - right, size.width - left
        if self in _BOTTOM_TO_TOP:
            top, bottom = size.height - bottom, size.height - top
        return Box(top, left, bottom, right) if self.sideways else Box(left, top, right, bottom)
