"""`blur`: a Gaussian blur."""

from __future__ import annotations

from typing import ClassVar

from PIL import ImageFilter
from PIL.Image import Image
from pydantic import Field
from typing_extensions import override

from imgsvc.operations._base import Context, Operation
from imgsvc.raster.alpha import premultiplied, straight


class Blur(Operation):
    """Blur with a Gaussian of `sigma` pixels."""

    positional: ClassVar[tuple[str, ...]] = ("sigma",)
    example: ClassVar[str] = "blur:4"

    sigma: float = Field(default=2.0, ge=0.3, le=100, description="Standard deviation in pixels.")

    @override
    def apply(self, image: Image, context: Context) -> Image:
        return straight(premultiplied(image).filter(ImageFilter.GaussianBlur(self.sigma)))
