"""What the service refuses to decode or to make, and the bounds it checks before any pixel."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from imgsvc.errors import (
    ImageDimensionTooLarge,
    ImageTooManyFrames,
    ImageTooManyPixels,
    OutputTooLarge,
)
from imgsvc.imaging.facts import Facts
from imgsvc.pipeline import Pipeline
from imgsvc.raster.geometry import Size


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
    #: Reads that opening and decoding a file may take, besides one for each 100 bytes (40 in a GIF).
    max_pieces: int = 20_000
    #: Address space of a worker process, in bytes; None: as much as there is.
    max_memory: int | None = 1536 * 2**20
    #: Input formats by the names of our `formats` room.
    input_formats: tuple[str, ...] = ("jpeg", "png", "webp", "gif", "avif")
    #: How many times larger than needed a reduced JPEG decode must stay (1 = like sharp's fast
    #: shrink-on-load; 1.5 keeps PSNR within reach of a full decode).
    reduce_gap: float = 1.5


def check_source(size: Size, frames: int, limits: Limits) -> None:
    """Refuse a source by its side, then by its pixels in all frames, then by its frames."""
    if max(size) > limits.max_side:
        raise ImageDimensionTooLarge(
            f"the image is {size} pixels, a side may have {limits.max_side}",
            limit=limits.max_side,
            actual=max(size),
        )
    pixels = size.pixels * frames
    if pixels > limits.max_pixels:
        raise ImageTooManyPixels(
            f"the image has {pixels} pixels in all, {limits.max_pixels} are decoded",
            limit=limits.max_pixels,
            actual=pixels,
        )
    if frames > limits.max_frames:
        raise ImageTooManyFrames(
            f"the animation has more than the {limits.max_frames} frames that are decoded",
            limit=limits.max_frames,
        )


def check_output(pipeline: Pipeline, facts: Facts, limits: Limits, *, output: str | None = None) -> None:
    """Refuse a pipeline some operation of which would make too large a picture of this source.

    Raises OutputTooLarge naming the operation, before any pixel is read.
    """
    result = pipeline.encoder(facts.format)
    frames = facts.frames if result.animated else 1
    size = facts.size if pipeline.upright else facts.stored
    for name, after in zip(pipeline.names(), pipeline.sizes(size), strict=True):
        size = after
        pixels = size.pixels * frames
        if pixels > limits.max_output_pixels:
            raise OutputTooLarge(
                f"{name} would make {size} pixels"
                + (f" in {frames} frames" if frames > 1 else "")
                + f", {limits.max_output_pixels} are made",
                limit=limits.max_output_pixels,
                actual=pixels,
                output=output,
            )
    if max(size) > result.max_side:
        raise OutputTooLarge(
            f"the result would be {size} pixels, a side of its format has at most {result.max_side}",
            limit=result.max_side,
            actual=max(size),
            output=output,
        )
