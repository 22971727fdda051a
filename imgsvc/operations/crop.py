"""`crop`: a part of the picture."""

from __future__ import annotations

from typing import ClassVar, Self

from PIL.Image import Image
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import override

from imgsvc.operations._base import Context, Operation
from imgsvc.raster.geometry import CENTER, Gravity, Length, Offset, Size, SizeSpec


class Crop(Operation):
    """Cut out a part of `size`, at `x` and `y` or where `gravity` says.

    A part that is larger than the picture, or that reaches over its edge, is made smaller or
    moved until it lies within.
    """

    positional: ClassVar[tuple[str, ...]] = ("size",)
    example: ClassVar[str] = "crop:300x200,gravity=ne"
    geometric: ClassVar[bool] = True

    size: SizeSpec = Field(description="What to keep; a side that is not given stays as it is.")
    x: Length | None = Field(default=None, description="Its left edge, from the picture's left.")
    y: Length | None = Field(default=None, description="Its top edge, from the picture's top.")
    gravity: Gravity = Field(default=CENTER, description="Which part to keep, in place of `x` and `y`.")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if "gravity" in self.model_fields_set and not (self.x is None and self.y is None):
            raise PydanticCustomError("place", "it takes x and y, or gravity, not both", {"field": "gravity"})
        return self

    @override
    def size_after(self, size: Size) -> Size:
        asked = self.size.whole(size)
        return Size(min(asked.width, size.width), min(asked.height, size.height))

    @override
    def idle(self, size: Size) -> bool:
        return self.size_after(size) == size

    @override
    def apply(self, image: Image, context: Context) -> Image:
        size = Size(*image.size)
        part = self.size_after(size)
        if part == size:
            return image
        shares = (part.width / size.width, part.height / size.height)
        left, top = self._corner(size, part, context.look(self.gravity, image, shares))
        return image.crop((left, top, left + part.width, top + part.height))

    def _corner(self, size: Size, part: Size, gravity: Gravity) -> Offset:
        if self.x is None and self.y is None:
            return gravity.offset(size, part)
        return Offset(
            min(0 if self.x is None else self.x.of(size.width), size.width - part.width),
            min(0 if self.y is None else self.y.of(size.height), size.height - part.height),
        )
