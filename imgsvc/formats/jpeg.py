"""JPEG: photographs for everybody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, BinaryIO, ClassVar, Literal, Self

import PIL.JpegImagePlugin  # noqa: F401  # so that Pillow need not import every plugin it has
from PIL.ImageFile import ImageFile
from pydantic import BeforeValidator, Field
from typing_extensions import override

from imgsvc.formats._base import Format, Picture
from imgsvc.formats._quality import MaxBytes, Quality, Scale, write
from imgsvc.raster import alpha

#: How much less of the colour than of the light is kept, horizontally and vertically.
Subsampling = Annotated[Literal["420", "422", "444"], BeforeValidator(str)]

_SCALE = Scale(usual=70, least=40, most=95, power=1.25)


class Jpeg(Format):
    """JPEG: lossy, for photographs; no alpha (it is flattened on white) and no animation."""

    positional: ClassVar[tuple[str, ...]] = ("quality",)
    aliases: ClassVar[Mapping[str, str]] = {"q": "quality"}
    other_names: ClassVar[tuple[str, ...]] = ("jpg",)
    example: ClassVar[str] = "jpeg:85,progressive"
    media_type: ClassVar[str] = "image/jpeg"
    extension: ClassVar[str] = "jpg"
    pillow: ClassVar[tuple[str, ...]] = ("JPEG", "MPO")
    signature: ClassVar[bytes] = rb"\xff\xd8\xff"
    alpha: ClassVar[bool] = False
    animated: ClassVar[bool] = False
    shrinks: ClassVar[bool] = True
    decode_bytes_per_pixel: ClassVar[float] = 7  # a progressive one keeps all its coefficients

    quality: Quality = Field(
        default=80,
        description="Of the encoder: 1 is worst, 100 largest; `auto` is the least that looks the same.",
    )
    progressive: bool = Field(default=False, description="Come into view from coarse to fine.")
    subsampling: Subsampling = Field(default="420", description="Of colour: `444` keeps all of it.")
    max_bytes: MaxBytes = Field(
        default=None, description="The most bytes: they get the largest quality, up to `quality`, that fits."
    )

    @classmethod
    @override
    def wished(cls, quality: Quality | None, max_bytes: int | None) -> Self:
        return cls(max_bytes=max_bytes) if quality is None else cls(quality=quality, max_bytes=max_bytes)

    @classmethod
    @override
    def open(cls, file: BinaryIO) -> ImageFile:
        image = super().open(file)
        image.decodermaxblock = 1 << 20  # fewer, larger reads
        return image

    @override
    def encode_least(self, pixel_bytes: int) -> float:
        # A progressive one is written when all of its coefficients are there.
        return 2 if self.progressive else 0

    @override
    def encode(self, picture: Picture, file: BinaryIO) -> int | None:
        return write(picture, file, self._write, _SCALE, self.quality, self.max_bytes)

    def _write(self, picture: Picture, file: BinaryIO, quality: int) -> None:
        # Optimised Huffman tables would save 1 % of the bytes and cost 2.6 times the encoding; a
        # progressive file has them anyway.
        alpha.flatten(picture.frames[0]).save(
            file,
            "JPEG",
            quality=quality,
            progressive=self.progressive,
            subsampling=":".join(self.subsampling),
            icc_profile=picture.icc,
            exif=picture.exif or b"",
            comment=b"",
        )
