"""AVIF: the smallest photographs, for new browsers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import BinaryIO, ClassVar, Self

import PIL.AvifImagePlugin  # noqa: F401  # so that Pillow need not import every plugin it has
from pydantic import Field
from typing_extensions import override

from imgsvc.formats._base import Format, Picture
from imgsvc.formats._quality import MaxBytes, Quality, Scale, write

#: The quality that a JPEG has by default; ours by default looks like it.
_USUAL_JPEG = 80
_SCALE = Scale(usual=58, least=30, most=90, power=2.5)

#: What a file's description has if there is more than a picture in sRGB: EXIF, XMP, a profile, other colours,
#: something to be turned or cut, more than 8 bits a channel (AV1 ISOBMFF 2.3.3).
_MORE = re.compile(
    rb"Exif|mime|uri |colr(?!nclx\x00[\x01\x02]\x00[\x01\x02\x0d])|irot|imir|clap|av1C..[\x40-\x7f\xc0-\xff]",
    re.DOTALL,
)


class Avif(Format):
    """AVIF: lossy and smaller than any other, slower to make, with alpha and animation."""

    positional: ClassVar[tuple[str, ...]] = ("quality",)
    aliases: ClassVar[Mapping[str, str]] = {"q": "quality"}
    example: ClassVar[str] = "avif:60,speed=6"
    media_type: ClassVar[str] = "image/avif"
    extension: ClassVar[str] = "avif"
    pillow: ClassVar[tuple[str, ...]] = ("AVIF",)
    signature: ClassVar[bytes] = rb"....ftyp(avi[fs]|(mif1|msf1).{4,}avi[fs])"
    alpha: ClassVar[bool] = True
    animated: ClassVar[bool] = True
    #: libavif reads no longer one (AVIF_DEFAULT_IMAGE_DIMENSION_LIMIT).
    max_side: ClassVar[int] = 32768
    decode_bytes_per_pixel: ClassVar[float] = 13
    #: Measured on 4-49 MP: 29 at speed 8, 33 at 4, 46 at 0.
    encode_bytes_per_pixel: ClassVar[float] = 46
    decode_least: ClassVar[float] = 9

    quality: Quality = Field(
        default=55,
        description="Of the encoder: 1 is worst, 100 largest; `auto` is the least that looks the same.",
    )
    speed: int = Field(default=8, ge=0, le=10, description="Of the encoder: 10 is fastest, 0 smallest.")
    max_bytes: MaxBytes = Field(
        default=None, description="The most bytes: they get the largest quality, up to `quality`, that fits."
    )

    @classmethod
    @override
    def wished(cls, quality: Quality | None, max_bytes: int | None) -> Self:
        if quality is None:
            return cls(max_bytes=max_bytes)
        return cls(quality=_alike(quality) if isinstance(quality, int) else quality, max_bytes=max_bytes)

    @override
    def encode_least(self, pixel_bytes: int) -> float:
        return 21 if pixel_bytes == 1 else 27

    @override
    def stands_in(self, data: bytes) -> bool:
        found = _boxes(data)
        plain = found is not None and set(found) - {b"free"} == {b"ftyp", b"meta", b"mdat"}
        return found is not None and plain and _MORE.search(found[b"meta"]) is None

    @override
    def encode(self, picture: Picture, file: BinaryIO) -> int | None:
        return write(picture, file, self._write, _SCALE, self.quality, self.max_bytes)

    def _write(self, picture: Picture, file: BinaryIO, quality: int) -> None:
        frames = [frame.convert("RGBA") if frame.mode == "LA" else frame for frame in picture.frames]
        first, *others = frames
        motion = (
            {"save_all": True, "append_images": others, "duration": list(picture.durations)} if others else {}
        )
        first.save(
            file,
            "AVIF",
            quality=quality,
            speed=self.speed,
            # The CPUs are shared out among workers already; one thread also makes the same bytes anywhere.
            max_threads=1,
            icc_profile=picture.icc or b"",
            exif=picture.exif or b"",
            **motion,
        )


def _alike(quality: int) -> int:
    """The quality here that looks like `quality` of a JPEG: the defaults, and the ends, look alike."""
    usual: int = Avif.model_fields["quality"].default
    if quality <= _USUAL_JPEG:
        return max(1, round(quality * usual / _USUAL_JPEG))
    return round(100 - (100 - quality) * (100 - usual) / (100 - _USUAL_JPEG))


def _boxes(data: bytes) -> dict[bytes, bytes] | None:
    """The outermost boxes of a file by their types; None where one comes twice or they are not all of it."""
    found: dict[bytes, bytes] = {}
    at = 0
    while at + 8 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if length < 8 or kind in found:
            return None
        found[kind] = data[at + 8 : at + length]
        at += length
    return found if at == len(data) else None
