"""`invert`: the negative."""

from __future__ import annotations

from typing import ClassVar

from PIL.Image import Image
from typing_extensions import override

from imgsvc.operations._base import Context, Operation
from imgsvc.raster.tone import bend, curve

_NEGATIVE = curve(lambda level: 255 - level)


class Invert(Operation):
    """Make the negative: white becomes black."""

    example: ClassVar[str] = "invert"

    @property
    @override
    def scales(self) -> bool:
        return True

    @override
    def apply(self, image: Image, context: Context) -> Image:
        return bend(image, _NEGATIVE)
