"""`rotate`: by any angle, quarter turns exactly."""

from __future__ import annotations

from math import cos, radians, sin
from typing import ClassVar

from PIL import Image
from PIL.Image import Resampling, Transform, Transpose
from pydantic import Field
from typing_extensions import override

from imgsvc.operations._base import Context, Operation
from imgsvc.raster.alpha import background, flatten, mode_with, on_canvas, premultiplied, straight
from imgsvc.raster.colour import TRANSPARENT, Colour
from imgsvc.raster.geometry import CENTER, Offset, Size

_TURNS = {1: Transpose.ROTATE_270, 2: Transpose.ROTATE_180, 3: Transpose.ROTATE_90}
#: Pixels of nothing around the picture, so that its edges come out smooth: a bicubic kernel's half.
_EDGE = 2


class Rotate(Operation):
    """Turn the picture clockwise; quarter turns are exact."""

    positional: ClassVar[tuple[str, ...]] = ("degrees",)
    example: ClassVar[str] = "rotate:90"

    degrees: float = Field(ge=-360, le=360, description="The angle, clockwise.")
    background: Colour | None = Field(
        default=None, description="The new corners; by default transparent, white where there is no alpha."
    )
    expand: bool = Field(
        default=True, description="Enlarge the canvas to hold the whole picture; `expand=false` cuts it off."
    )

    @property
    def quarters(self) -> int | None:
        """How many quarter turns this is; None when it is no whole number of them."""
        return None if self.degrees % 90 else int(self.degrees // 90) % 4

    @property
    @override
    def scales(self) -> bool:
        return self.quarters is not None and (self.expand or self.quarters in (0, 2))

    @property
    @override
    def native(self) -> bool:
        return self.scales

    @override
    def size_after(self, size: Size) -> Size:
        if not self.expand or self.quarters in (0, 2):
            return size
        if self.quarters is not None:
            return size.turned
        across, down = abs(cos(radians(self.degrees))), abs(sin(radians(self.degrees)))
        return Size(
            max(1, int(size.width * across + size.height * down + 0.5)),
            max(1, int(size.width * down + size.height * across + 0.5)),
        )

    @override
    def alpha_after(self, alpha: bool) -> bool:
        if self.background is None:
            return alpha
        # By any angle the picture is laid on the colour.
        return not self.background.opaque or (alpha and self.quarters is not None)

    @override
    def apply(self, image: Image.Image, context: Context) -> Image.Image:
        if self.quarters is None:
            return self._turn(image)
        turned = image.transpose(_TURNS[self.quarters]) if self.quarters else image
        size = Size(*turned.size)
        canvas = self.size_after(Size(*image.size))
        if size == canvas:
            return turned
        return on_canvas(turned, canvas, CENTER.offset(canvas, size), self.background)

    def _turn(self, image: Image.Image) -> Image.Image:
        """By any angle: with alpha, so that the edges mix with the ground as they should."""
        size = Size(*image.size)
        ground = background(image) if self.background is None else self.background
        see_through = mode_with(image.mode, TRANSPARENT)
        frame = Size(size.width + 2 * _EDGE, size.height + 2 * _EDGE)
        edged = on_canvas(image, frame, Offset(_EDGE, _EDGE), TRANSPARENT).convert(see_through)
        target = self.size_after(size)
        turned = straight(
            premultiplied(edged).transform(
                target, Transform.AFFINE, self._back(frame, target), Resampling.BICUBIC
            )
        )
        if ground.opaque:
            return flatten(turned, ground)
        return on_canvas(turned, target, Offset(0, 0), ground)

    def _back(self, source: Size, target: Size) -> tuple[float, float, float, float, float, float]:
        """Where a pixel of the target comes from: turned back around the middle."""
        across, down = cos(radians(self.degrees)), sin(radians(self.degrees))
        x, y = target.width / 2, target.height / 2
        return (
            across,
            down,
            source.width / 2 - across * x - down * y,
            -down,
            across,
            source.height / 2 + down * x - across * y,
        )
