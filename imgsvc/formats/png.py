"""PNG: graphics, and whatever must not lose a bit."""

from __future__ import annotations

from typing import BinaryIO, ClassVar

import PIL.PngImagePlugin  # noqa: F401  # so that Pillow need not import every plugin it has
from PIL import Image
from pydantic import Field
from typing_extensions import override

from imgsvc.formats._base import Format, Picture


class Png(Format):
    """PNG: lossless, with alpha; of an animation it shows the first frame."""

    positional: ClassVar[tuple[str, ...]] = ("level",)
    example: ClassVar[str] = "png:9"
    media_type: ClassVar[str] = "image/png"
    extension: ClassVar[str] = "png"
    pillow: ClassVar[tuple[str, ...]] = ("PNG",)
    signature: ClassVar[bytes] = rb"\x89PNG\r\n\x1a\n"
    alpha: ClassVar[bool] = True
    animated: ClassVar[bool] = False
    decode_bytes_per_pixel: ClassVar[float] = 4

    level: int = Field(default=3, ge=0, le=9, description="Effort of the compression: 0 is none.")
    palette: bool = Field(default=False, description="Reduce the picture to at most 256 colours.")

    @override
    def encode(self, picture: Picture, file: BinaryIO) -> None:
        image = picture.frames[0]
        if self.palette:
            image = _few_colours(image)
        image.save(
            file,
            "PNG",
            compress_level=self.level,
            icc_profile=picture.icc,
            exif=picture.exif or b"",
        )


def _few_colours(image: Image.Image) -> Image.Image:
    """At most 256 colours; gray has no more. Only the octree can look at alpha."""
    if image.mode == "L":
        return image
    if image.mode == "RGB":
        return image.quantize(256, Image.Quantize.MEDIANCUT)
    return image.convert("RGBA").quantize(256, Image.Quantize.FASTOCTREE)
