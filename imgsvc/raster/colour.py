"""Colours as callers write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Self

from PIL import ImageColor

from imgsvc.raster.written import Written

RGBA = tuple[int, int, int, int]

_NAMES = {
    **{name: text for name, text in ImageColor.colormap.items() if isinstance(text, str)},
    "transparent": "#00000000",
}


@dataclass(frozen=True, slots=True)
class Colour(Written):
    """A colour in sRGB with alpha; its canonical text is hex, 6 digits, or 8 where it is not opaque."""

    red: int
    green: int
    blue: int
    alpha: int = 255

    ALLOWED: ClassVar[str] = "3, 4, 6 or 8 hex digits without #, a CSS colour name or transparent"
    PATTERN: ClassVar[str] = r"[0-9A-Fa-f]{3,4}|[0-9A-Fa-f]{6}|[0-9A-Fa-f]{8}|[A-Za-z]+"
    EXAMPLE: ClassVar[str] = "ff8800"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read hex digits or a CSS name, in any case; raises ValueError."""
        name = text.lower()
        digits = _NAMES[name].removeprefix("#") if name in _NAMES else name
        if not re.fullmatch(r"[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8}", digits):
            raise ValueError(cls.ALLOWED)
        if len(digits) < 6:
            digits = "".join(digit * 2 for digit in digits)
        return cls(*bytes.fromhex(digits))

    @property
    def rgba(self) -> RGBA:
        """The four channels, 0 to 255."""
        return (self.red, self.green, self.blue, self.alpha)

    @property
    def opaque(self) -> bool:
        """Does nothing show through it?"""
        return self.alpha == 255

    @property
    def gray(self) -> bool:
        """Can a gray picture hold it?"""
        return self.red == self.green == self.blue

    def on(self, under: Colour) -> Colour:
        """What is seen when this colour lies on an opaque one."""
        mixed = (
            (over * self.alpha + below * (255 - self.alpha) + 127) // 255
            for over, below in zip(self.rgba[:3], under.rgba[:3], strict=True)
        )
        return Colour(*mixed)

    def pixel(self, mode: str) -> int | tuple[int, ...]:
        """This colour as a pixel of mode L, LA, RGB or RGBA; the luma is that of ITU-R 601-2."""
        luma = (self.red * 19595 + self.green * 38470 + self.blue * 7471 + 0x8000) >> 16
        match mode:
            case "L":
                return luma
            case "LA":
                return (luma, self.alpha)
            case "RGB":
                return self.rgba[:3]
        return self.rgba

    def __str__(self) -> str:
        return bytes(self.rgba if not self.opaque else self.rgba[:3]).hex()


BLACK = Colour(0, 0, 0)
WHITE = Colour(255, 255, 255)
TRANSPARENT = Colour(0, 0, 0, 0)
