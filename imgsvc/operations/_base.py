"""What an operation is: a frozen value with bounds, a size and a way to change pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from PIL.Image import Image
from pydantic import BaseModel, ConfigDict

from imgsvc.raster import saliency
from imgsvc.raster.geometry import Gravity, Size
from imgsvc.raster.orientation import Orientation
from imgsvc.raster.written import Written

#: What an output may carry over from its source besides pixels.
Kept = Literal["icc", "copyright"]


@dataclass(frozen=True, slots=True)
class Context:
    """What an operation may know besides the pixels it gets.

    `size` is the size that the picture would have here on a full decode. After a reduced decode
    the pixels in hand are fewer until the first resize, which works from `size` so that a
    reduced decode never changes the size of a result.
    """

    size: Size
    #: How the pixels in hand lie; upright but for operations that turn them by themselves (`turns`).
    orientation: Orientation = Orientation.UPRIGHT
    #: Brings pixels into sRGB where they are not yet: for a `native` operation that adds a colour.
    settle: Callable[[Image], Image] = lambda image: image
    #: The gravity that was found on an animation's first frame: its later ones follow it.
    found: list[Gravity] = field(default_factory=list)
    #: Decoded pictures that operations refer to, by image id.
    images: Mapping[str, Image] = field(default_factory=dict)

    def look(self, gravity: Gravity, image: Image, part: tuple[float, float]) -> Gravity:
        """What a gravity means on this picture: one by content becomes a focal point.

        `part` is the width and height of what is to be kept, as fractions of the picture's.
        """
        if not self.found:
            self.found.append(saliency.settle(gravity, image, part, self.orientation))
        return self.found[0]


def _plain_defaults(schema: dict[str, Any], cls: type[BaseModel]) -> None:
    """Show a default in a JSON schema as callers write it: `center`, `000000`."""
    for name, field_ in cls.model_fields.items():
        if isinstance(field_.default, Written):
            schema["properties"][name]["default"] = field_.default.plain()


class Operation(BaseModel):
    """One step on pixels, with its parameters.

    A subclass is one file in this folder: the file's name (`_` for `-`) is the operation's name,
    the one public subclass of Operation in it is the operation, the fields are its parameters,
    their order is the canonical order, and the class docstring is its public description.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=_plain_defaults)

    #: Parameters that may be given without their name, in this order.
    positional: ClassVar[tuple[str, ...]] = ()
    #: Other spellings that are accepted, never canonical: {"w": "width"}.
    aliases: ClassVar[Mapping[str, str]] = {}
    #: One valid use in text form, for docs and tests.
    example: ClassVar[str]
    #: Moves pixels but never mixes or changes their colour values in a way that depends on the
    #: colour space, so that it may run before the conversion to sRGB.
    geometric: ClassVar[bool] = False
    #: Takes pixels that are not upright yet and turns them: cheapest once they are fewer.
    turns: ClassVar[bool] = False
    #: May what it gives be grey, whatever it got? (One byte a pixel instead of four.)
    takes_colour: ClassVar[bool] = False
    #: Has a meaning only as the first operation of a pipeline.
    first_only: ClassVar[bool] = False
    #: Exists only where `IMGSVC_TEST_OPERATIONS` is set.
    testing: ClassVar[bool] = False

    @property
    def scales(self) -> bool:
        """Does it give the same picture, only smaller, on a reduced decode?"""
        return False

    @property
    def native(self) -> bool:
        """May it run on pixels in the source's own colour space (CMYK too), before sRGB?"""
        return self.geometric

    @property
    def upright(self) -> bool:
        """False when the pipeline wants the source's EXIF orientation left alone."""
        return True

    @property
    def keeps(self) -> frozenset[Kept]:
        """What the output is to carry over from the source."""
        return frozenset()

    def reduction(self, size: Size) -> float:
        """How many times longer the sides of its input are than it needs them, at least 1.

        More than 1 only for an operation that makes the picture smaller by resampling: its input
        may then come from a reduced decode.
        """
        return 1.0

    def size_after(self, size: Size) -> Size:
        """The size of the picture after this operation on a picture of `size`."""
        return size

    def alpha_after(self, alpha: bool) -> bool:
        """May the picture have alpha after this operation, when before it it may or may not?"""
        return alpha

    def idle(self, size: Size) -> bool:
        """Is it known to give a picture that is displayed at `size` back as it got it?"""
        return False

    def sources(self) -> tuple[str, ...]:
        """The ids of other images that it reads; `Context.images` hands them over."""
        return ()

    def apply(self, image: Image, context: Context) -> Image:
        """The picture after this operation.

        `image` is of mode L, LA, RGB or RGBA (the decoder sees to that), or CMYK where the operation
        is `native`, and must not be changed: others may work from it too. The answer is of one of
        these modes.
        """
        raise NotImplementedError
