"""Sizes that are made of each other, against each one made of the decoded picture."""

from __future__ import annotations

import io

import pytest
from PIL import Image, ImageDraw

from imgsvc.imaging import Limits, render
from imgsvc.pipeline import Grammar
from imgsvc.raster import resample
from tests.differential.legs import LEGS, NAMES, psnr
from tests.photos import photo

GRAMMAR = Grammar()
WIDTHS = (960, 800, 640, 480, 320, 240, 160, 80)
#: Photographs have 54 and more (docs/srcset.md), these pictures are noise to the last pixel.
DECIBELS = 44.0


def drawing() -> bytes:
    """Hard lines without a soft edge: what resampling twice is worst at."""
    made = Image.new("RGB", (1920, 1080), "white")
    draw = ImageDraw.Draw(made)
    for place in range(0, 1920, 24):
        draw.line([place, 0, 1920 - place, 1080], fill=(place % 256, 40, 90), width=2)
        draw.text((place, place % 1080), "cascade", fill="black")
    file = io.BytesIO()
    made.save(file, "PNG")
    return file.getvalue()


def sizes(source: bytes, *, cascade: bool, mode: str = "RGB") -> list[Image.Image]:
    specs = [f"resize:{width}x/png" for width in WIDTHS]
    targets = [(spec, GRAMMAR.parse(spec)) for spec in specs]
    found = render(source, targets, Limits(), groups=[specs] if cascade else [])
    return [Image.open(io.BytesIO(made.data)).convert(mode) for made in found]


@pytest.mark.parametrize("simd", LEGS, ids=NAMES)
@pytest.mark.parametrize(
    "source",
    [
        photo(1920, 1440, quality=90),
        photo(1500, 2000, format="PNG"),
        photo(1300, 800, format="PNG", mode="RGBA"),
    ],
    ids=["jpeg", "png", "alpha"],
)
def test_photographs_are_as_if_resized_at_once(source: bytes, *, simd: bool) -> None:
    with resample.leg(simd=simd):
        pairs = list(zip(sizes(source, cascade=True), sizes(source, cascade=False), strict=True))
    assert min(psnr(one, other) for one, other in pairs) >= DECIBELS
    assert any(one.tobytes() != other.tobytes() for one, other in pairs), "nothing was made of another"


@pytest.mark.parametrize("simd", LEGS, ids=NAMES)
def test_hard_lines_stay_close(*, simd: bool) -> None:
    with resample.leg(simd=simd):
        pairs = zip(sizes(drawing(), cascade=True), sizes(drawing(), cascade=False), strict=True)
    assert min(psnr(one, other) for one, other in pairs) >= 33
