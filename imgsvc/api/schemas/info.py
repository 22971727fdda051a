"""The shape of what is told of an image."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from imgsvc.api.schemas.shape import Shape, Time

Color = Annotated[str, Field(pattern="^#[0-9a-f]{6}$", examples=["#6d2663"])]


class ToneShape(Shape):
    """A colour, and how much of the picture it stands for."""

    color: Color
    share: float = Field(ge=0, le=1, description="Of the visible pixels.")


class GpsShape(Shape):
    """Where a photograph was taken."""

    latitude: float = Field(ge=-90, le=90, description="Degrees; north is positive.")
    longitude: float = Field(ge=-180, le=180, description="Degrees; east is positive.")
    altitude: float | None = Field(description="Metres above sea level.")
    direction: float | None = Field(description="Where the camera looked: degrees from north, clockwise.")
    time: Time | None


class InfoLinksShape(Shape):
    """Where to go from here."""

    self: str
    image: str


class InfoShape(Shape):
    """What an image is, what it says of itself, and what it looks like; colours are sRGB."""

    id: str
    format: str
    content_type: str
    width: int = Field(description="As displayed, EXIF orientation applied.")
    height: int
    frames: int = Field(description="Of an animation only the first one is looked at.")
    bytes: int
    sha256: str
    has_alpha: bool
    icc_profile: str | None = Field(description="Its name; null where there is none, or a damaged one.")
    exif: dict[str, str | int | float | list[int | float]] = Field(
        description="Fields of the EXIF block by the standard's names; never the place, thumbnails or blobs."
    )
    gps: GpsShape | None = Field(description="With `gps=1`, where the file says it.")
    dominant_color: Color | None = Field(
        description="The first of the palette; null where nothing is visible."
    )
    average_color: Color | None = Field(description="The mean of all pixels, weighted by their alpha.")
    palette: list[ToneShape] = Field(
        description="The most frequent first, at most 8; their shares add up to 1."
    )
    blurhash: str = Field(description="On white where something shows through.")
    thumbhash: str = Field(description="In base64.")
    phash: str = Field(
        pattern="^[0-9a-f]{16}$", description="64 bits: pictures that look alike differ in few."
    )
    data_uri: str = Field(description="The picture at 16 pixels, as WebP, for `src`.")
    links: InfoLinksShape
