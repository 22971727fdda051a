"""WebP: what browsers take, small, with alpha and motion."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import suppress
from typing import BinaryIO, ClassVar, Self

import PIL.WebPImagePlugin  # noqa: F401  # so that Pillow need not import every plugin it has
from PIL.ImageFile import ImageFile
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import override

from imgsvc.formats._base import Format, Picture
from imgsvc.formats._quality import MaxBytes, Quality, Scale, write
from imgsvc.raster import libwebp
from imgsvc.raster.alpha import opaque
from imgsvc.raster.geometry import Size
from imgsvc.raster.webp_file import StillWebp

#: The flag "alpha" in the header of an extended file.
_ALPHA = 0x10
#: Chunks of a file that holds nothing but a picture or an animation.
_PLAIN = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF"})
_SCALE = Scale(usual=79, least=40, most=95, power=1.25)


class Webp(Format):
    """WebP: lossy or lossless, with alpha and animation."""

    positional: ClassVar[tuple[str, ...]] = ("quality",)
    aliases: ClassVar[Mapping[str, str]] = {"q": "quality"}
    example: ClassVar[str] = "webp:82"
    media_type: ClassVar[str] = "image/webp"
    extension: ClassVar[str] = "webp"
    pillow: ClassVar[tuple[str, ...]] = ("WEBP",)
    signature: ClassVar[bytes] = rb"RIFF....WEBP"
    alpha: ClassVar[bool] = True
    animated: ClassVar[bool] = True
    max_side: ClassVar[int] = 16383
    shrinks: ClassVar[bool] = True
    #: Where Pillow decodes it: animations.
    decode_bytes_per_pixel: ClassVar[float] = 19
    #: Measured on 9-16 MP: 9 as usual, 17 at effort 6, 32 lossless.
    encode_bytes_per_pixel: ClassVar[float] = 32
    decode_least: ClassVar[float] = 4

    quality: Quality = Field(
        default=80,
        description="Of the encoder: 1 is worst, 100 largest; `auto` is the least that looks the same.",
    )
    lossless: bool = Field(default=False, description="Keep every bit; `quality` is then effort.")
    effort: int = Field(default=2, ge=0, le=6, description="Of the encoder: 0 is fastest, 6 smallest.")
    max_bytes: MaxBytes = Field(
        default=None, description="The most bytes: they get the largest quality, up to `quality`, that fits."
    )

    @model_validator(mode="after")
    def _every_bit(self) -> Self:
        if self.lossless and (self.quality == "auto" or self.max_bytes is not None):
            field = "quality" if self.quality == "auto" else "max_bytes"
            raise PydanticCustomError(
                "lossless",
                "lossless keeps every bit: it takes no quality=auto and no max_bytes",
                {"field": field},
            )
        return self

    @classmethod
    @override
    def canvas(cls, head: bytes) -> Size | None:
        # https://developers.google.com/speed/webp/docs/riff_container
        if head[12:16] == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
            return Size(
                int.from_bytes(head[26:28], "little") & 0x3FFF,
                int.from_bytes(head[28:30], "little") & 0x3FFF,
            )
        if head[12:16] == b"VP8L" and head[20:21] == b"\x2f":
            bits = int.from_bytes(head[21:25], "little")
            return Size((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        if head[12:16] == b"VP8X" and len(head) >= 30:
            return Size(int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1)
        return None

    @classmethod
    @override
    def wished(cls, quality: Quality | None, max_bytes: int | None) -> Self:
        return cls(max_bytes=max_bytes) if quality is None else cls(quality=quality, max_bytes=max_bytes)

    @classmethod
    @override
    def open(cls, file: BinaryIO) -> ImageFile:
        if libwebp.there():
            with suppress(SyntaxError):  # it moves, or is none
                return StillWebp(file)
        file.seek(0)
        return super().open(file)

    @override
    def encode_least(self, pixel_bytes: int) -> float:
        return 11 if self.lossless else 5

    @override
    def stands_in(self, data: bytes) -> bool:
        found = _chunks(data)
        return found is not None and _PLAIN.issuperset(found) and (not self.lossless or b"VP8L" in found)

    @override
    def encode(self, picture: Picture, file: BinaryIO) -> int | None:
        return write(picture, file, self._write, _SCALE, self.quality, self.max_bytes)

    def _write(self, picture: Picture, file: BinaryIO, quality: int) -> None:
        first, *others = picture.frames
        motion = (
            {
                "save_all": True,
                "append_images": others,
                "duration": list(picture.durations),
                "loop": 1 if picture.loop is None else picture.loop,
                # Key frames only where they help: the encoder's own choice.
                "minimize_size": False,
            }
            if others
            else {}
        )
        shows_through = bool(others) and not all(opaque(frame) for frame in picture.frames)
        buffer = io.BytesIO() if shows_through else None
        first.save(
            file if buffer is None else buffer,
            "WEBP",
            quality=quality,
            lossless=self.lossless,
            method=self.effort,
            icc_profile=picture.icc or b"",
            exif=picture.exif or b"",
            **motion,
        )
        if buffer is not None:
            file.write(_with_alpha_flag(buffer.getbuffer()))


def _with_alpha_flag(data: memoryview) -> memoryview:
    """An animation that says that it has alpha, also where every frame is a solid part of the canvas.

    libwebp cuts off what is transparent around a frame, and then looks for alpha in the rest alone.
    """
    if bytes(data[12:16]) == b"VP8X":
        data[20] |= _ALPHA
    return data


def _chunks(data: bytes) -> list[bytes] | None:
    """The types of a file's chunks in order; None where it does not end with the last."""
    found: list[bytes] = []
    at = 12
    while at + 8 <= len(data):
        found.append(data[at : at + 4])
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + length + length % 2
    ends = at == len(data) == 8 + int.from_bytes(data[4:8], "little")
    return found if ends else None
