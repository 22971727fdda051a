"""WebP: what browsers take, small, with alpha and motion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO, ClassVar

from pydantic import Field
from typing_extensions import override

from imgsvc.formats._base import Format, Picture


class Webp(Format):
    """WebP: lossy or lossless, with alpha and animation."""

    positional: ClassVar[tuple[str, ...]] = ("quality",)
    aliases: ClassVar[Mapping[str, str]] = {"q": "quality"}
    example: ClassVar[str] = "webp:82"
    media_type: ClassVar[str] = "image/webp"
    extension: ClassVar[str] = "webp"
    pillow: ClassVar[tuple[str, ...]] = ("WEBP",)
    alpha: ClassVar[bool] = True
    animated: ClassVar[bool] = True
    max_side: ClassVar[int] = 16383
    decode_bytes_per_pixel: ClassVar[float] = 19

    quality: int = Field(default=80, ge=1, le=100, description="Of the encoder: 1 is worst, 100 largest.")
    lossless: bool = Field(default=False, description="Keep every bit; `quality` is then effort.")
    effort: int = Field(default=2, ge=0, le=6, description="Of the encoder: 0 is fastest, 6 smallest.")

    @override
    def encode(self, picture: Picture, file: BinaryIO) -> None:
        first, *others = picture.frames
        motion = (
            {
                "save_all": True,
                "append_images": others,
                "duration": list(picture.durations),
                "loop": picture.loop or 0,
                # Key frames only where they help: the encoder's own choice.
                "minimize_size": False,
            }
            if others
            else {}
        )
        first.save(
            file,
            "WEBP",
            quality=self.quality,
            lossless=self.lossless,
            method=self.effort,
            icc_profile=picture.icc or b"",
            exif=picture.exif or b"",
            **motion,
        )
