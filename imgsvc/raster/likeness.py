"""How much alike two pictures look: SSIM of their light, at half their size."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import Any

from PIL import Image, ImageMath

from imgsvc.raster.alpha import flatten

#: Sides of the squares that are compared, in pixels of the picture at half its size.
_SQUARE = 4
#: They do not begin where an encoder's blocks do, whose edges would be seen by none of them.
_SHIFT = 2
#: The constants of Wang et al., Image quality assessment (2004), for 8 bits.
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
#: What one step of a histogram of differences is worth; its 256 reach up to 0.51.
_STEP = 0.002
#: Which part of the squares is looked at, the worst: before a clear sky a blurred face is a blurred face.
_PART = 4

#: The shortest side of what can be compared.
SMALLEST = 4 * _SQUARE


class Likeness:
    """A picture of any of our modes, at least SMALLEST pixels wide and high, to compare others with.

    What is transparent is white.
    """

    def __init__(self, picture: Image.Image) -> None:
        self._light = _half(luma(picture))
        self._mean = self._light.reduce(_SQUARE)
        self._square = _product(self._light, self._light).reduce(_SQUARE)

    def difference(self, other: Image.Image) -> float:
        """1 - SSIM, in the mean of the worst quarter of all squares: 0 for what is the same, at most 0.51.

        `other` is of the same size.
        """
        light = _half(luma(other))
        means = {
            "a": self._mean,
            "b": light.reduce(_SQUARE),
            "aa": self._square,
            "bb": _product(light, light).reduce(_SQUARE),
            "ab": _product(self._light, light).reduce(_SQUARE),
        }
        return _worst(ImageMath.lambda_eval(_steps, **means).histogram())


def luma(picture: Image.Image) -> Image.Image:
    """The light of a picture, as L."""
    return flatten(picture).convert("L")


def _half(light: Image.Image) -> Image.Image:
    half = light.reduce(2)
    return half.crop((_SHIFT, _SHIFT, *half.size)).convert("F")


def _product(a: Image.Image, b: Image.Image) -> Image.Image:
    made: Image.Image = ImageMath.lambda_eval(lambda given: given["a"] * given["b"], a=a, b=b)
    return made


def _steps(given: Mapping[str, Any]) -> Any:  # noqa: ANN401  # Pillow has no name for its operands
    """The difference of each square, in steps, as L: from means, and means of squares and products."""
    a, b = given["a"], given["b"]
    spread = given["aa"] - a * a + given["bb"] - b * b
    together = given["ab"] - a * b
    alike = ((a * b * 2 + _C1) * (together * 2 + _C2)) / ((a * a + b * b + _C1) * (spread + _C2))
    return given["convert"]((1 - alike) * (1 / _STEP) + 0.5, "L")


def _worst(histogram: list[int]) -> float:
    """The mean of the largest quarter of what a histogram counts."""
    wanted = -(-sum(histogram) // _PART)
    taken = [min(wanted, count) for count in accumulate(reversed(histogram))]
    total = sum(
        (upto - before) * step
        for step, upto, before in zip(range(255, -1, -1), taken, [0, *taken], strict=False)
    )
    return total * _STEP / wanted
