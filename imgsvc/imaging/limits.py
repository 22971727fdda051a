"""What the service refuses to decode or to make, and the bounds it checks before any pixel."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Limits(BaseModel):
    """Bounds on what is decoded and made; the defaults are those of the settings.

    Checked in this order: side, pixels, frames (design/api.md).
    """

    model_config = ConfigDict(frozen=True)

    #: The longest side of a source, in pixels; libvips loaders and browsers stop near here too.
    max_side: int = 16384
    #: width x height x frames of a source.
    max_pixels: int = 50_000_000
    #: Frames of a source animation.
    max_frames: int = 100
    #: width x height x frames after any operation.
    max_output_pixels: int = 50_000_000
    #: SOS markers in a JPEG: real photographs have at most 14, bombs thousands.
    max_scans: int = 100
    #: Input formats by the names of our `formats` room.
    input_formats: tuple[str, ...] = ("jpeg", "png", "webp", "gif", "avif")
    #: How many times larger than needed a reduced JPEG decode must stay (1 = like sharp's fast
    #: shrink-on-load; 1.5 keeps PSNR within reach of a full decode).
    reduce_gap: float = 1.5
