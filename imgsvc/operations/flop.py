"""`flop`: left becomes right."""

from __future__ import annotations

from typing import ClassVar

from PIL.Image import Image, Transpose
from typing_extensions import override

from imgsvc.operations._base import Context, Operation


class Flop(Operation):
    """Mirror left to right."""

    example: ClassVar[str] = "flop"
    geometric: ClassVar[bool] = True

    @property
    @override
    def scales(self) -> bool:
        return True

    @override
    def apply(self, image: Image, context: Context) -> Image:
        return image.transpose(Transpose.FLIP_LEFT_RIGHT)
