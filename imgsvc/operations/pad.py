"""`pad`: a larger canvas around the picture."""

from __future__ import annotations

from typing import ClassVar

from PIL.Image import Image
from pydantic import Field
from typing_extensions import override

from imgsvc.operations._base import Context, Operation
from imgsvc.raster.alpha import on_canvas
from imgsvc.raster.colour import Colour
from imgsvc.raster.geometry import CENTER, Gravity, Size, SizeSpec


class Pad(Operation):
    """Lay the picture, unscaled, on a canvas of `size`; a side that is longer already stays."""

    positional: ClassVar[tuple[str, ...]] = ("size",)
    example: ClassVar[str] = "pad:800x600,background=white"

    size: SizeSpec = Field(description="The canvas; fractions are of the picture's sides.")
    gravity: Gravity = Field(default=CENTER, description="Where on the canvas the picture lies.")
    background: Colour | None = Field(
        default=None, description="The canvas; by default transparent, white where there is no alpha."
    )

    @override
    def size_after(self, size: Size) -> Size:
        asked = self.size.whole(size)
        return Size(max(asked.width, size.width), max(asked.height, size.height))

    @override
    def alpha_after(self, alpha: bool) -> bool:
        return alpha or not (self.background is None or self.background.opaque)

    @override
    def apply(self, image: Image, context: Context) -> Image:
        size = Size(*image.size)
        canvas = self.size_after(size)
        return on_canvas(image, canvas, self.gravity.offset(canvas, size), self.background)
