"""PNG: graphics, and whatever must not lose a bit."""

from __future__ import annotations

from typing import BinaryIO, ClassVar

import PIL.PngImagePlugin  # noqa: F401  # so that Pillow need not import every plugin it has
from PIL import Image
from pydantic import Field
from typing_extensions import override

from imgsvc.formats._base import Format, Picture

#: Chunks of a file that holds nothing but a picture in sRGB.
_PLAIN = frozenset({b"IHDR", b"PLTE", b"tRNS", b"sRGB", b"IDAT", b"IEND"})


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
    def stands_in(self, data: bytes) -> bool:
        found = _chunks(data)
        if found is None or not _PLAIN.issuperset(found):
            return False
        depth, kind = data[24], data[25]
        return depth <= 8 and (not self.palette or kind == 3)

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


def _chunks(data: bytes) -> list[bytes] | None:
    """The types of a file's chunks in order; None where it does not end with the last."""
    found: list[bytes] = []
    at = 8
    while at + 12 <= len(data):
        found.append(data[at + 4 : at + 8])
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return found if at == len(data) and found[-1:] == [b"IEND"] and found[:1] == [b"IHDR"] else None
