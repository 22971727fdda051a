"""`keep`: what the result carries over from the source besides pixels."""

from __future__ import annotations

from typing import ClassVar, Self

from PIL.Image import Image
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import override

from imgsvc.operations._base import Context, Kept, Operation
from imgsvc.raster.geometry import Size


class Keep(Operation):
    """Keep what is otherwise removed: without it a result is sRGB and carries no metadata at all."""

    example: ClassVar[str] = "keep:icc,copyright"
    geometric: ClassVar[bool] = True

    icc: bool = Field(default=False, description="Keep the colours and the ICC profile of the source.")
    copyright: bool = Field(default=False, description="Keep the EXIF fields Artist and Copyright.")

    @model_validator(mode="after")
    def _keeps_something(self) -> Self:
        if not self.keeps:
            raise PydanticCustomError("nothing", "it needs icc, copyright or both")
        return self

    @property
    @override
    def scales(self) -> bool:
        return True

    @property
    @override
    def keeps(self) -> frozenset[Kept]:
        asked: tuple[tuple[Kept, bool], ...] = (("icc", self.icc), ("copyright", self.copyright))
        return frozenset(name for name, wanted in asked if wanted)

    @override
    def idle(self, size: Size) -> bool:
        return True

    @override
    def apply(self, image: Image, context: Context) -> Image:
        return image
