"""`contrast`: levels moved away from middle gray, or towards it."""

from __future__ import annotations

from typing import ClassVar

from PIL.Image import Image
from pydantic import Field
from typing_extensions import override

from imgsvc.operations._base import Context, Operation
from imgsvc.raster.tone import bend, curve

#: Fixed, as in CSS: around the picture's own mean, the frames of an animation would flicker.
_MIDDLE = 127.5


class Contrast(Operation):
    """Move every level away from middle gray: 1 changes nothing, 0 is all gray."""

    positional: ClassVar[tuple[str, ...]] = ("factor",)
    example: ClassVar[str] = "contrast:1.2"

    factor: float = Field(ge=0, le=10, description="How many times as far from gray; 1 changes nothing.")

    @property
    @override
    def scales(self) -> bool:
        return True

    @override
    def apply(self, image: Image, context: Context) -> Image:
        return bend(image, curve(lambda level: (level - _MIDDLE) * self.factor + _MIDDLE))
