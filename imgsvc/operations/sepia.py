"""`sepia`: the brown of old photographs."""

from __future__ import annotations

from typing import ClassVar

from PIL.Image import Image
from pydantic import Field
from typing_extensions import override

from imgsvc.operations._base import Context, Operation
from imgsvc.raster.tone import IDENTITY, Matrix, mix

#: The matrix of the CSS filter `sepia()`: https://drafts.fxtf.org/filter-effects/#sepiaEquivalent
_SEPIA: Matrix = (0.393, 0.769, 0.189, 0.0, 0.349, 0.686, 0.168, 0.0, 0.272, 0.534, 0.131, 0.0)


class Sepia(Operation):
    """Tone the picture in the brown of old photographs."""

    positional: ClassVar[tuple[str, ...]] = ("amount",)
    example: ClassVar[str] = "sepia:0.8"

    amount: float = Field(default=1.0, ge=0, le=1, description="How much of it; 0 changes nothing.")

    @property
    @override
    def scales(self) -> bool:
        return True

    @override
    def apply(self, image: Image, context: Context) -> Image:
        if self.amount == 0:
            return image
        part = self.amount
        mixed = (full * part + none * (1 - part) for full, none in zip(_SEPIA, IDENTITY, strict=True))
        return mix(image, tuple(mixed))
