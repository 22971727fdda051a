"""Grayscale: only the light, not the colour."""

from __future__ import annotations

from typing import ClassVar

from PIL.Image import Image

from imgsvc.operations._base import Context, Operation


class Grayscale(Operation):
    """Take the colour out of the picture, by luma (ITU-R 601-2); alpha stays."""

    example: ClassVar[str] = "grayscale"
    takes_colour: ClassVar[bool] = True

    @property
    def scales(self) -> bool:
        """It looks at one pixel at a time."""
        return True

    def apply(self, image: Image, context: Context) -> Image:  # noqa: ARG002  # the size does not matter
        """The picture as L or LA."""
        return image.convert("LA" if image.mode in {"LA", "RGBA"} else "L")
