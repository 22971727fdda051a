"""The settings of pictures: which are taken, and how large one may be or become."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import NoDecode

from imgsvc.config.kinds import About, Bytes, Flag, Names, Number, Pixels, Whole
from imgsvc.config.places import Place, usual_file
from imgsvc.config.settings.group import Group
from imgsvc.config.settings.units import MIB


class Images(Group):
    """What is taken and what is made"""

    max_body: Annotated[
        int,
        Bytes(1),
        About("The most bytes of one image.", "The largest camera JPEGs have 50 MB."),
    ] = 64 * MIB
    max_pixels: Annotated[
        int,
        Pixels(1),
        About(
            "The most pixels of one image, width × height × frames.",
            "Every phone's and nearly every camera's pictures; a full decode takes up to 200 MB.",
        ),
    ] = 50_000_000
    max_side: Annotated[
        int,
        Whole(1, 65500),
        About("The longest side of an image, in pixels.", "WebP and common decoders stop near here too."),
    ] = 16384
    max_frames: Annotated[
        int,
        Whole(1),
        About("The most frames of an animation.", "Several seconds at the usual rates."),
    ] = 100
    max_scans: Annotated[
        int,
        Whole(1),
        About(
            "The most scans of a JPEG.",
            "Encoders make at most 14; each one costs a pass over all pixels, and bombs have thousands.",
        ),
    ] = 100
    max_pieces: Annotated[
        int,
        Whole(100),
        About(
            "Reads that a file may take for its chunks, segments and blocks, besides one for each 100 bytes "
            "(40 in a GIF).",
            "A photograph takes 50, a drawing of 5 MB 2,000; bombs have millions of empty ones.",
        ),
    ] = 20_000
    max_output_pixels: Annotated[
        int,
        Pixels(1),
        About("The most pixels after any operation, width × height × frames.", "As for sources."),
    ] = 50_000_000
    max_outputs: Annotated[
        int,
        Whole(1),
        About(
            "The most results of one job: its outputs, those with `widths` counted as widths × formats.",
            "Twenty widths in three formats; all of them are in memory until the last one is made.",
        ),
    ] = 60
    input_formats: Annotated[
        tuple[str, ...],
        NoDecode,
        Names(some=True),
        About("The formats that are taken, separated by commas.", "What browsers show."),
    ] = ("jpeg", "png", "webp", "gif", "avif")
    config: Annotated[
        Path | None,
        Place("a file"),
        About(
            "The file that defines presets; it is read at start.",
            "Beside the service where there is one; a file that is named must be there.",
        ),
    ] = Field(default_factory=usual_file)
    presets_only: Annotated[
        bool,
        Flag(),
        About(
            "Renders (`/r/`) take one preset and nothing else; jobs and `/v1/process` take everything.",
            "Off: renders that are signed, or that only friends can ask for, need no such fence.",
        ),
    ] = False
    reduce_gap: Annotated[
        float,
        Number(1, 16),
        About(
            "How many times larger than needed a reduced JPEG decode must stay; 1 is fastest.",
            "1.5 keeps the result within reach of a full decode (docs/performance.md has the PSNR).",
        ),
    ] = 1.5
