"""PNG: graphics, and whatever must not lose a bit."""

from __future__ import annotations

from typing import BinaryIO, ClassVar

import PIL.PngImagePlugin  # noqa: F401  # so that Pillow need not import every plugin it has
from PIL import Image
from pydantic import Field
from typing_extensions import override

from imgsvc.formats._base import Format, Picture
from imgsvc.raster import indexed
from imgsvc.raster.alpha import apart

#: Chunks of a file that holds nothing but a picture in sRGB.
_PLAIN = frozenset({b"IHDR", b"PLTE", b"tRNS", b"sRGB", b"IDAT", b"IEND"})
#: Colours up to which a grey picture takes less than a byte a pixel.
_NIBBLE = 16
#: The palette entry of pixels that are not shown.
_HOLE = 255


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
    palette: bool = Field(default=False, description="At most 256 colours; a photograph is dithered.")

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
    """At most 256 colours, of which pixels that are not shown take one."""
    if image.mode == "L":
        return indexed.exact(image, _NIBBLE) or image
    colour, opacity = apart(image)
    if opacity is None:
        return indexed.exact(image) or indexed.few(image)
    image = image.copy()
    image.paste((0,) * len(image.getbands()), mask=opacity.point([255] + [0] * 255))
    drawing = indexed.exact(image)
    if drawing is not None:
        return drawing
    if any(opacity.histogram()[1:255]):
        # Only the octree can look at alpha that is more than on or off.
        return image.convert("RGBA").quantize(256, Image.Quantize.FASTOCTREE)
    return _with_hole(colour, opacity)


def _with_hole(colour: Image.Image, shown: Image.Image) -> Image.Image:
    """A picture of 255 colours where it is shown, else of the last one, which is none."""
    ground = Image.new("RGB", colour.size)
    ground.paste(colour, mask=shown)
    made = indexed.few(ground, _HOLE)
    colours = (made.getpalette() or [])[: 3 * _HOLE]
    colours += [0] * (3 * _HOLE - len(colours))
    opaque = [part for at in range(0, len(colours), 3) for part in (*colours[at : at + 3], 255)]
    made.putpalette([*opaque, 0, 0, 0, 0], "RGBA")
    made.paste(_HOLE, mask=shown.point([255] + [0] * 255))
    return made


def _chunks(data: bytes) -> list[bytes] | None:
    """The types of a file's chunks in order; None where it does not end with the last."""
    found: list[bytes] = []
    at = 8
    while at + 12 <= len(data):
        found.append(data[at + 4 : at + 8])
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return found if at == len(data) and found[-1:] == [b"IEND"] and found[:1] == [b"IHDR"] else None
