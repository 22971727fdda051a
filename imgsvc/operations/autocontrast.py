"""`autocontrast`: the levels stretched over the whole range."""

from __future__ import annotations

from typing import ClassVar

from PIL import ImageOps
from PIL.Image import Image
from pydantic import Field
from typing_extensions import override

from imgsvc.operations._base import Context, Operation
from imgsvc.raster.alpha import apart, together


class Autocontrast(Operation):
    """Stretch each colour channel so that its darkest level becomes 0 and its lightest 255.

    Invisible pixels don't count. The frames of an animation are stretched one by one.
    """

    positional: ClassVar[tuple[str, ...]] = ("cutoff",)
    example: ClassVar[str] = "autocontrast:1"

    cutoff: float = Field(
        default=0.0, ge=0, le=49, description="Percent of the pixels to ignore at either end."
    )

    @override
    def apply(self, image: Image, context: Context) -> Image:
        colour, alpha = apart(image)
        visible = None if alpha is None else alpha.point([0] + [255] * 255)
        return together(ImageOps.autocontrast(colour, cutoff=self.cutoff, mask=visible), alpha)
