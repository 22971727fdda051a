"""What a header tells of an image."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Facts(BaseModel):
    """What is known of an image from its header, no pixel decoded."""

    model_config = ConfigDict(frozen=True)

    #: A name of our `formats` room.
    format: str
    #: As displayed, EXIF orientation applied.
    width: int
    height: int
    #: Frames of an animation; 1 for a still picture (an MPO counts 1).
    frames: int
    has_alpha: bool
