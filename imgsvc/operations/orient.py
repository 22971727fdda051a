"""`orient`: whether the EXIF orientation is heeded."""

from __future__ import annotations

from typing import ClassVar, Literal

from PIL.Image import Image
from pydantic import Field
from typing_extensions import override

from imgsvc.operations._base import Context, Operation
from imgsvc.raster.geometry import Size


class Orient(Operation):
    """Say what to do with the EXIF orientation; without it the picture is turned upright first."""

    positional: ClassVar[tuple[str, ...]] = ("mode",)
    example: ClassVar[str] = "orient:none"
    geometric: ClassVar[bool] = True
    first_only: ClassVar[bool] = True

    mode: Literal["auto", "none"] = Field(
        default="auto", description="`auto` turns the picture upright, `none` leaves it as it is stored."
    )

    @property
    @override
    def scales(self) -> bool:
        return True

    @property
    @override
    def upright(self) -> bool:
        return self.mode == "auto"

    @override
    def idle(self, size: Size) -> bool:
        return True  # what is to be turned is not untouched

    @override
    def apply(self, image: Image, context: Context) -> Image:
        return image
