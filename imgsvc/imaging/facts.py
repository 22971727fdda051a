"""What a header tells of an image."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from imgsvc.raster.geometry import Size
from imgsvc.raster.orientation import Orientation


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
    #: Bytes that a decoded pixel takes at least: 1 where it may be grey or nobody has looked, else 4.
    pixel_bytes: int = 1
    #: How the picture lies in its file.
    orientation: Orientation = Orientation.UPRIGHT

    @property
    def size(self) -> Size:
        """As displayed."""
        return Size(self.width, self.height)

    @property
    def stored(self) -> Size:
        """As it lies in its file."""
        return self.orientation.size(self.size)
