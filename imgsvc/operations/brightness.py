"""`brightness`: all levels times a factor."""

from __future__ import annotations

from typing import ClassVar

from PIL.Image import Image
from pydantic import Field
from typing_extensions import override

from imgsvc.operations._base import Context, Operation
from imgsvc.raster.tone import bend, curve


class Brightness(Operation):
    """Multiply every level by `factor`: 1 changes nothing, 0 is black, 2 is twice as bright."""

    positional: ClassVar[tuple[str, ...]] = ("factor",)
    example: ClassVar[str] = "brightness:1.2"

    factor: float = Field(ge=0, le=10, description="How many times as bright; 1 changes nothing.")

    @property
    @override
    def scales(self) -> bool:
        return True

    @override
    def apply(self, image: Image, context: Context) -> Image:
        return bend(image, curve(lambda level: level * self.factor))
