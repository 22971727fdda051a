"""`flip`: upside down."""

from __future__ import annotations

from typing import ClassVar

from PIL.Image import Image, Transpose
from typing_extensions import override

from imgsvc.operations._base import Context, Operation


class Flip(Operation):
    """Mirror top to bottom."""

    example: ClassVar[str] = "flip"
    geometric: ClassVar[bool] = True

    @property
    @override
    def scales(self) -> bool:
        return True

    @override
    def apply(self, image: Image, context: Context) -> Image:
        return image.transpose(Transpose.FLIP_TOP_BOTTOM)
