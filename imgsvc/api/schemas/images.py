"""The shapes of images."""

from __future__ import annotations

from pydantic import Field

from imgsvc.api.schemas.shape import Shape, Time


class ImageLinksShape(Shape):
    """Where to go from an image."""

    self: str
    content: str
    info: str


class ImageShape(Shape):
    """A stored image."""

    id: str
    format: str
    content_type: str
    width: int = Field(description="As displayed, EXIF orientation applied.")
    height: int
    frames: int
    bytes: int
    sha256: str
    has_alpha: bool
    created_at: Time
    kept: bool = Field(
        description="For its own sake (`POST /v1/images`); else it goes with the last of its jobs."
    )
    expires_at: Time | None = Field(
        description="When an image that is kept goes by itself; null: only when it is deleted."
    )
    links: ImageLinksShape


class ImageListShape(Shape):
    """Images, newest first."""

    items: list[ImageShape]
    next_cursor: str | None
