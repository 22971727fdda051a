"""Results from resampled masters against those from the original and from a full decode."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from imgsvc.imaging import Clock, Limits, master, render
from imgsvc.imaging.levels import Level, level
from imgsvc.imaging.render import opened_source, prepared, render_reduced
from imgsvc.pipeline import Grammar
from imgsvc.raster import resample
from tests.differential.legs import LEGS, NAMES, ours, psnr
from tests.photos import photo

LIMITS = Limits()
SIDE = 512
#: What a result may differ by from one that was made from the original (docs/decisions/0010-masters.md).
DECIBELS = 42.0
#: Before encoding there is far less between them: two Lanczos filters for one. (Where a picture is nearly
#: transparent, rounding moves the colours that nobody sees.)
PIXELS = 48.0
SOURCES = {
    "noisy": photo(1200, 900, format="PNG"),
    "portrait": photo(900, 1200, format="PNG", seed=1),
    "with alpha": photo(1200, 900, format="PNG", mode="RGBA"),
    "grey": photo(1200, 900, format="PNG", mode="L"),
}
WIDTHS = (16, 40, 64, 100, 120, 128, 170)


def from_master(source: bytes, ops: str) -> Image.Image | None:
    """None: the pipeline starts from the original."""
    opened = opened_source(source, LIMITS)
    pipeline = Grammar().parse(ops)
    its = level(opened.facts, pipeline, SIDE, LIMITS.reduce_gap)
    if its is None:
        return None
    assert its == Level(side=SIDE)
    kept = master.read(b"".join(master.written(master.make(opened, its, LIMITS, Clock()))))
    (result,) = render_reduced(kept.image, prepared(kept.origin, [("it", pipeline)], LIMITS), Clock())
    return Image.open(io.BytesIO(result.data))


@pytest.mark.parametrize("simd", LEGS, ids=NAMES)
@pytest.mark.parametrize("name", list(SOURCES))
def test_they_are_as_good_as_those_from_the_original(name: str, simd: bool) -> None:
    source, tried = SOURCES[name], 0
    for width in WIDTHS:
        ops = f"resize:{width}x"
        with resample.leg(simd=simd):
            found = from_master(source, f"{ops}/png")
        if found is not None:
            tried += 1
            assert psnr(found, ours(source, ops, simd=simd)) > PIXELS, width
    assert tried >= 5


@pytest.mark.parametrize("name", list(SOURCES))
def test_encoding_does_not_make_much_of_the_difference(name: str) -> None:
    source = SOURCES[name]
    for width in WIDTHS:
        found = from_master(source, f"resize:{width}x/jpeg:80")
        if found is None:
            continue
        (wanted,) = render(source, [("it", Grammar().parse(f"resize:{width}x/jpeg:80"))], LIMITS)
        assert psnr(found, Image.open(io.BytesIO(wanted.data))) > DECIBELS, width
