"""`pixelate`: square blocks of one colour."""

from __future__ import annotations

from typing import ClassVar

from PIL.Image import Image, Resampling
from pydantic import Field
from typing_extensions import override

from imgsvc.operations._base import Context, Operation
from imgsvc.raster.alpha import premultiplied, straight


class Pixelate(Operation):
    """Fill square blocks with their mean colour; the blocks begin at the left and the top."""

    positional: ClassVar[tuple[str, ...]] = ("block",)
    example: ClassVar[str] = "pixelate:16"

    block: int = Field(default=10, ge=2, le=1000, description="Side of a block in pixels.")

    @override
    def apply(self, image: Image, context: Context) -> Image:
        width, height = image.size
        means = premultiplied(image).reduce(self.block)
        blocks = means.resize((means.width * self.block, means.height * self.block), Resampling.NEAREST)
        return straight(blocks.crop((0, 0, width, height)))
