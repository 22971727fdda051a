"""One decode, as small as the format allows, and everything that is told of a picture from it."""

from __future__ import annotations

import io
from base64 import b64encode
from dataclasses import dataclass
from functools import cached_property
from typing import BinaryIO, ClassVar

from PIL import Image

from imgsvc.formats import Picture
from imgsvc.formats.webp import Webp
from imgsvc.imaging.analysis import exif, metadata
from imgsvc.imaging.analysis.document import Analysis, Tone
from imgsvc.imaging.budget import check_decoding
from imgsvc.imaging.decode import decode
from imgsvc.imaging.facts import Facts
from imgsvc.imaging.faults import working
from imgsvc.imaging.limits import Limits
from imgsvc.imaging.source import Source, open_source
from imgsvc.imaging.steps import Clock
from imgsvc.raster import alpha, blurhash, icc, memory, palette, phash, thumbhash
from imgsvc.raster.fit import contain
from imgsvc.raster.geometry import Length, Size, SizeSpec

#: Raised whenever the same picture is told of otherwise: what is kept of older ones is made anew.
ANALYSIS_VERSION = 1

#: The longest side of what colours are counted on: an object of a hundredth of the picture has 10 pixels.
_COLOURS = 96
#: Of what hashes are made of: they hold at most seven waves along a side.
_HASHED = 32
#: Of the picture in the data URI, and how it is encoded: a quality below this shows blocks, one above bytes.
_TINY, _TINY_FORMAT = 16, Webp(quality=50, effort=6)
#: Waves of a BlurHash along the longer and the shorter side.
_LONG, _SHORT = 4, 3
#: Bytes of working memory for a pixel: a copy with alpha, one premultiplied.
_WORKING = 8


@dataclass(frozen=True)
class Analysed:
    """What was found, and of what."""

    analysis: Analysis
    facts: Facts
    media_type: ClassVar[str] = "application/json"

    @property
    def size(self) -> Size:
        """The picture's, as displayed."""
        return self.facts.size

    @property
    def frames(self) -> int:
        """The file's; only the first is looked at."""
        return self.facts.frames

    @cached_property
    def data(self) -> memoryview:
        """The analysis as JSON."""
        return memoryview(self.analysis.model_dump_json().encode())


def analyse(file: BinaryIO, limits: Limits, clock: Clock, output: str | None = None) -> Analysed:
    """Look at an image's first frame, upright and in sRGB; `output` names the steps that `clock` collects.

    Raises EmptyFile and the ImageRefused errors.
    """
    memory.keep_freed()
    source = open_source(file, limits)
    factor = max(source.facts.size) / _COLOURS
    check_decoding(source.facts, limits, factor)
    profile, block = icc.name(source.profile), exif.read(exif.block_of(source.image.info))
    with clock.step("decode") as step:
        image = next(decode(source, limits, factor=factor)).take()
        step.sees(None, source.facts.orientation.size(Size(*image.size)))
    with clock.step("analyse", output) as step, working(image.width * image.height * _WORKING):
        before = source.facts.orientation.size(Size(*image.size))
        picture = _upright(image, source)
        step.sees(before, Size(*picture.size))
        analysis = Analysis(
            icc_profile=profile,
            exif=metadata.told(block),
            gps=metadata.place(block),
            **_colours(picture),
            **_placeholders(picture),
        )
    return Analysed(analysis, source.facts)


def _upright(image: Image.Image, source: Source) -> Image.Image:
    """The picture small, upright and in sRGB, as RGBA."""
    small = icc.to_srgb(_reduced(image, _COLOURS), source.profile)
    return source.facts.orientation.upright(small).convert("RGBA")


def _reduced(image: Image.Image, side: int) -> Image.Image:
    """The picture within a square of that side, by Pillow's own code: the same on every machine.

    Averaged, for Lanczos would make colours that are not in the picture. Never larger than it was.
    """
    size = contain(Size(*image.size), SizeSpec(Length(side), Length(side)))
    if size == image.size:
        return image
    small = alpha.premultiplied(image).resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0)
    return alpha.straight(small)


def _colours(picture: Image.Image) -> dict[str, object]:
    seen = palette.visible(picture)
    tones = () if seen is None else palette.palette(seen)
    average = palette.average(picture)
    return {
        "dominant_color": f"#{tones[0].colour}" if tones else None,
        "average_color": None if average is None else f"#{average}",
        "palette": tuple(Tone(color=f"#{tone.colour}", share=round(tone.share, 4)) for tone in tones),
    }


def _placeholders(picture: Image.Image) -> dict[str, object]:
    small = _reduced(picture, _HASHED)
    size = Size(*small.size)
    # What knows no alpha is told of the picture on white, as a JPEG of it would be.
    flat = alpha.flatten(picture)
    waves = (_LONG, _SHORT) if size.width >= size.height else (_SHORT, _LONG)
    across, down = (min(count, side) for count, side in zip(waves, size, strict=True))
    square = flat.convert("L").resize((phash.SIDE, phash.SIDE), Image.Resampling.LANCZOS)
    return {
        "blurhash": blurhash.encode(_reduced(flat, _HASHED).tobytes(), size, across, down),
        "thumbhash": b64encode(thumbhash.encode(small.tobytes(), size)).decode(),
        "phash": phash.encode(square.tobytes()),
        "data_uri": _data_uri(_reduced(picture, _TINY)),
    }


def _data_uri(picture: Image.Image) -> str:
    file = io.BytesIO()
    shown = picture.convert("RGB") if alpha.opaque(picture) else picture
    _TINY_FORMAT.encode(Picture((shown,)), file)
    return f"data:{_TINY_FORMAT.media_type};base64,{b64encode(file.getvalue()).decode()}"
