"""`border`: a frame around the picture."""

from __future__ import annotations

from typing import ClassVar

from PIL import Image
from pydantic import Field
from typing_extensions import override

from imgsvc.operations._base import Context, Operation
from imgsvc.raster.alpha import mode_with
from imgsvc.raster.colour import BLACK, Colour
from imgsvc.raster.geometry import Size


class Border(Operation):
    """Put a border around the picture, which gets larger by `width` on every side."""

    positional: ClassVar[tuple[str, ...]] = ("width", "color")
    example: ClassVar[str] = "border:10,ff8800"

    width: int = Field(ge=1, le=2000, description="Pixels on every side.")
    color: Colour = Field(default=BLACK, description="The border's colour.")

    @override
    def size_after(self, size: Size) -> Size:
        return Size(size.width + 2 * self.width, size.height + 2 * self.width)

    @override
    def alpha_after(self, alpha: bool) -> bool:
        return alpha or not self.color.opaque

    @override
    def apply(self, image: Image.Image, context: Context) -> Image.Image:
        mode = mode_with(image.mode, self.color)
        framed = Image.new(mode, self.size_after(Size(*image.size)), self.color.pixel(mode))
        framed.paste(image.convert(mode), (self.width, self.width))
        return framed
