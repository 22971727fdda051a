"""JPEG: photographs for everybody."""

from __future__ import annotations

import re
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
#: Segments of a file that holds nothing but a picture in grey or YCbCr of 8 bits: tables, frames of which
#: everybody shows, scans, JFIF's and Adobe's own.
_PROGRESSIVE = 0xC2
_PLAIN = frozenset({0xC0, 0xC1, _PROGRESSIVE, 0xC4, 0xDA, 0xDB, 0xDD, 0xE0, 0xEE})
#: Behind a scan's pixels comes a marker: no stuffed byte, no restart, no filling.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


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
    writes_all: ClassVar[bool] = True  # it ends when libjpeg has given the last line
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
        image.decodermaxblock = 1 << 22  # of most photographs: one read, and no copy of it
        return image

    @override
    def encode_least(self, pixel_bytes: int) -> float:
        # A progressive one is written when all of its coefficients are there.
        return 2 if self.progressive else 0

    @override
    def stands_in(self, data: bytes) -> bool:
        found = _segments(data)
        if found is None or not _PLAIN.issuperset(found):
            return False
        return not self.progressive or _PROGRESSIVE in found

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


def _segments(data: bytes) -> list[int] | None:
    """The markers of a file's segments in order (ITU T.81, annex B); None where it is not plain and whole."""
    found: list[int] = []
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + length]
        found.append(marker)
        if not _plain(marker, body):
            return None
        at += 2 + length
        if marker == 0xDA:
            following = _MARKER.search(data, at)
            if following is None:
                return None
            at = following.start()
            if data[at:] == b"\xff\xd9":
                return found
    return None


def _plain(marker: int, body: bytes) -> bool:
    """Is there nothing in a segment that a result would not have?"""
    match marker:
        case 0xE0:  # without a small picture beside it
            return body[:5] == b"JFIF\0" and len(body) == 14
        case 0xEE:  # YCbCr
            return body[:5] == b"Adobe" and body[-1:] == b"\1"
        case 0xC0 | 0xC1 | 0xC2:
            return len(body) > 5 and body[0] == 8 and body[5] in (1, 3)
    return True
