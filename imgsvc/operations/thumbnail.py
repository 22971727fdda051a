"""Thumbnail: the fastest way to a small picture."""

from __future__ import annotations

from typing import ClassVar

from PIL.Image import Image
from pydantic import Field

from imgsvc.operations._base import Context, Operation
from imgsvc.raster import fit, resample
from imgsvc.raster.geometry import Size, SizeSpec


class Thumbnail(Operation):
    """Shrink the picture to fit in a size, keeping its ratio; a smaller picture stays as it is."""

    positional: ClassVar[tuple[str, ...]] = ("size",)
    example: ClassVar[str] = "thumbnail:256x256"
    turns: ClassVar[bool] = True

    size: SizeSpec = Field(SizeSpec.parse("256x256"), description="The size that it is to fit in.")

    @property
    def native(self) -> bool:
        """It only shrinks."""
        return True

    def reduction(self, size: Size) -> float:
        """How many times longer the sides of its input are than it needs them."""
        after = self.size_after(size)
        return min(size.width / after.width, size.height / after.height)

    def size_after(self, size: Size) -> Size:
        """The largest size that fits, never larger than the picture."""
        return fit.contain(size, self.size)

    def idle(self, size: Size) -> bool:
        """It never enlarges."""
        return self.size_after(size) == size

    def apply(self, image: Image, context: Context) -> Image:
        """The smaller picture."""
        return resample.resize(image, self.size_after(context.size), orientation=context.orientation)
