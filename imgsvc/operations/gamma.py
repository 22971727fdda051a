"""`gamma`: the middle levels brighter or darker, black and white unchanged."""

from __future__ import annotations

from typing import ClassVar

from PIL.Image import Image
from pydantic import Field
from typing_extensions import override

from imgsvc.operations._base import Context, Operation
from imgsvc.raster.tone import bend, curve


class Gamma(Operation):
    """Bend the levels by a gamma curve: above 1 brightens, below 1 darkens, black and white stay."""

    positional: ClassVar[tuple[str, ...]] = ("value",)
    example: ClassVar[str] = "gamma:1.5"

    value: float = Field(ge=0.1, le=10, description="The exponent is 1 / value; 1 changes nothing.")

    @property
    @override
    def scales(self) -> bool:
        return True

    @override
    def apply(self, image: Image, context: Context) -> Image:
        return bend(image, curve(lambda level: 255 * (level / 255) ** (1 / self.value)))
