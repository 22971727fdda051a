"""Resize: any size, any way of meeting it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar

from PIL.Image import Image
from pydantic import Field

from imgsvc.operations._base import Context, Operation
from imgsvc.raster import alpha, fit, resample
from imgsvc.raster.colour import Colour
from imgsvc.raster.geometry import CENTER, Box, Gravity, Size, SizeSpec
from imgsvc.raster.resample import Filter


class Fit(StrEnum):
    """How a picture of another ratio meets the size."""

    CONTAIN = "contain"
    COVER = "cover"
    PAD = "pad"
    FILL = "fill"
    OUTSIDE = "outside"

    @classmethod
    def _missing_(cls, value: object) -> Fit | None:
        """What others call `contain`; accepted, never canonical."""
        return cls.CONTAIN if value == "inside" else None


class Resize(Operation):
    """Change the size of the picture.

    `contain` fits it in the size, `outside` around it; `cover` fills the size and cuts off what is
    over, by `gravity`; `pad` puts the contained picture on a canvas of the size; `fill` ignores the
    ratio. The picture never gets larger than it was unless `enlarge` is given: `cover` then keeps
    the asked ratio at the largest size the picture holds, `pad` keeps the asked canvas.
    """

    positional: ClassVar[tuple[str, ...]] = ("size",)
    aliases: ClassVar[Mapping[str, str]] = {"bg": "background"}
    example: ClassVar[str] = "resize:300x200,fit=cover"
    turns: ClassVar[bool] = True

    size: SizeSpec = Field(description="The size to meet.")
    fit: Fit = Field(Fit.CONTAIN, description="How a picture of another ratio meets it.")
    gravity: Gravity = Field(CENTER, description="What `cover` keeps, and where `pad` puts the picture.")
    enlarge: bool = Field(default=False, description="May the picture get larger than it was?")
    background: Colour | None = Field(
        None, description="The canvas of `pad`: transparent, or white where there is no alpha, by default."
    )
    filter: Filter = Field(Filter.LANCZOS, description="The resampling kernel.")

    @property
    def native(self) -> bool:
        """It only mixes neighbours, and pads what is settled."""
        return True

    def reduction(self, size: Size) -> float:
        """How many times longer the sides of its input are than it needs them."""
        if self.filter is Filter.NEAREST:
            return 1.0  # every pixel of the result is one of the source's, not of a reduced decode's
        box, inner = self._box(size), self._inner(size)
        return max(1.0, min((box.right - box.left) / inner.width, (box.bottom - box.top) / inner.height))

    def size_after(self, size: Size) -> Size:
        """The size of the result; with `pad` that of the canvas."""
        return self.size.proportional(size) if self.fit is Fit.PAD else self._inner(size)

    def alpha_after(self, alpha: bool) -> bool:
        """May it have alpha afterwards?"""
        ground = self.background if self.fit is Fit.PAD else None
        return alpha or not (ground is None or ground.opaque)

    def idle(self, size: Size) -> bool:
        """Has the picture the size already, and gets no ground?"""
        padded = self.fit is Fit.PAD and self.background is not None
        return self.size_after(size) == self._inner(size) == size and not padded

    def apply(self, image: Image, context: Context) -> Image:
        """The picture at its new size."""
        size, inner = context.size, self._inner(context.size)
        box = self._box(size)
        if self.fit is Fit.COVER and self.gravity.by_content:
            part = ((box.right - box.left) / size.width, (box.bottom - box.top) / size.height)
            box = fit.covering_box(size, inner, context.look(self.gravity, image, part))
        picture = resample.resize(
            image, inner, box=box, of=size, kernel=self.filter, orientation=context.orientation
        )
        canvas = self.size_after(size)
        if self.fit is not Fit.PAD or (canvas == inner and self.background is None):
            return picture
        picture = context.settle(picture)
        return alpha.on_canvas(picture, canvas, self.gravity.offset(canvas, inner), self.background)

    def _inner(self, size: Size) -> Size:
        """The size that the picture itself gets."""
        match self.fit:
            case Fit.COVER:
                return fit.cover(size, self.size, enlarge=self.enlarge)
            case Fit.FILL:
                return fit.fill(size, self.size, enlarge=self.enlarge)
            case Fit.OUTSIDE:
                return fit.outside(size, self.size, enlarge=self.enlarge)
        return fit.contain(size, self.size, enlarge=self.enlarge)

    def _box(self, size: Size) -> Box:
        """The part of the picture that is seen in the end."""
        if self.fit is Fit.COVER:
            return fit.covering_box(size, self._inner(size), self.gravity)
        return Box(0, 0, *size)
