"""`sharpen`: an unsharp mask."""

from __future__ import annotations

from typing import ClassVar

from PIL import Image, ImageFilter
from pydantic import Field
from typing_extensions import override

from imgsvc.operations._base import Context, Operation
from imgsvc.raster.alpha import apart, has_alpha, premultiplied, straight, together


class Sharpen(Operation):
    """Sharpen with an unsharp mask: add `amount` times what a blur of `sigma` pixels takes away."""

    positional: ClassVar[tuple[str, ...]] = ("amount",)
    example: ClassVar[str] = "sharpen:1.5,sigma=0.8"

    amount: float = Field(default=1.0, ge=0, le=10, description="How strong; 0 changes nothing.")
    sigma: float = Field(default=1.0, ge=0.3, le=20, description="Standard deviation in pixels.")
    threshold: int = Field(
        default=2, ge=0, le=255, description="Differences of up to this many levels, noise mostly, stay."
    )

    @override
    def apply(self, image: Image.Image, context: Context) -> Image.Image:
        mask = ImageFilter.UnsharpMask(self.sigma, round(self.amount * 100), self.threshold)
        if not has_alpha(image):
            return image.filter(mask)
        colour, alpha = apart(self._without_hidden_colours(image))
        return together(colour.filter(mask), alpha)

    def _without_hidden_colours(self, image: Image.Image) -> Image.Image:
        """Invisible pixels take the colours of visible ones near by, or they would show at the edges."""
        near = straight(premultiplied(image).filter(ImageFilter.GaussianBlur(self.sigma)))
        near.putalpha(0)
        near.paste(image, mask=image.getchannel("A").point([0] + [255] * 255))
        return near
