"""What an analysis comes to: plain values, which are kept as JSON."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from imgsvc.imaging.analysis.metadata import Place, Plain


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class Tone(_Value):
    """A colour of the palette."""

    #: `#rrggbb`.
    color: str
    #: The part of the visible pixels that it stands for, 0 to 1.
    share: float


class Analysis(_Value):
    """What a picture looks like and what it says of itself; colours are sRGB."""

    #: The name of its ICC profile; None without a usable one.
    icc_profile: str | None
    #: Fields of its EXIF block by the standard's names, without its place.
    exif: dict[str, Plain]
    #: Where it was taken.
    gps: Place | None
    #: The colour that most of it has, the first of the palette; None where nothing is visible.
    dominant_color: str | None
    #: The mean of its visible pixels, weighted by their alpha.
    average_color: str | None
    palette: tuple[Tone, ...]
    blurhash: str
    #: Base64 of the bytes.
    thumbhash: str
    #: 64 bits in hex.
    phash: str
    #: A tiny WebP.
    data_uri: str
