"""Colour changes that know one pixel at a time; alpha stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PIL.Image import Image

from imgsvc.raster.alpha import apart, together

#: Luma of red, green and blue, ITU-R 601-2: what mode L is made with.
LUMA = (0.299, 0.587, 0.114)
#: Three rows of four, red, green, blue and a constant: what each new channel is mixed from.
Matrix = tuple[float, ...]

#: Leaves every channel as it is.
IDENTITY: Matrix = (1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0)

_UNCHANGED = tuple(range(256))


def curve(function: Callable[[float], float]) -> tuple[int, ...]:
    """A table of 256 levels from a function on levels, rounded half up and kept within 0 to 255."""
    return tuple(min(max(int(function(level) + 0.5), 0), 255) for level in range(256))


def bend(image: Image, table: Sequence[int]) -> Image:
    """The picture (L, LA, RGB, RGBA) with each colour channel sent through a table of 256 levels."""
    channels = len(image.getbands())
    with_alpha = image.mode in {"LA", "RGBA"}
    tables = [*table] * (channels - with_alpha)
    if with_alpha:
        tables += _UNCHANGED
    return image.point(tables)


def mix(image: Image, matrix: Matrix) -> Image:
    """The picture with its colour channels mixed anew; the answer is RGB or RGBA."""
    colour, alpha = apart(image)
    return together(colour.convert("RGB").convert("RGB", matrix), alpha)
