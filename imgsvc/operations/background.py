"""`background`: a ground under what is transparent."""

from __future__ import annotations

from typing import ClassVar

from PIL.Image import Image
from pydantic import Field
from typing_extensions import override

from imgsvc.operations._base import Context, Operation
from imgsvc.raster.alpha import flatten
from imgsvc.raster.colour import Colour


class Background(Operation):
    """Lay the picture on a colour, which removes its alpha; a colour with alpha lies on white."""

    positional: ClassVar[tuple[str, ...]] = ("color",)
    example: ClassVar[str] = "background:ffcc00"

    color: Colour = Field(description="The colour of the ground.")

    @property
    @override
    def scales(self) -> bool:
        return True

    @override
    def alpha_after(self, alpha: bool) -> bool:
        return False

    @override
    def apply(self, image: Image, context: Context) -> Image:
        return flatten(image, self.color)
