"""`saturation`: colours stronger or paler."""

from __future__ import annotations

from typing import ClassVar

from PIL.Image import Image
from pydantic import Field
from typing_extensions import override

from imgsvc.operations._base import Context, Operation
from imgsvc.raster.tone import LUMA, mix


class Saturation(Operation):
    """Make colours stronger: 1 changes nothing, 0 leaves grays, 2 doubles the distance from gray."""

    positional: ClassVar[tuple[str, ...]] = ("factor",)
    example: ClassVar[str] = "saturation:1.4"

    factor: float = Field(ge=0, le=10, description="How many times as far from gray; 1 changes nothing.")

    @property
    @override
    def scales(self) -> bool:
        return True

    @override
    def apply(self, image: Image, context: Context) -> Image:
        if image.mode in {"L", "LA"}:  # a gray picture has no colour to change
            return image
        red, green, blue = (weight * (1 - self.factor) for weight in LUMA)
        own = self.factor
        return mix(
            image,
            (red + own, green, blue, 0.0, red, green + own, blue, 0.0, red, green, blue + own, 0.0),
        )
