"""Every operation before a resize, with the reduced decode of JPEG and WebP on and off."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from imgsvc import operations
from imgsvc.imaging import Facts, Limits
from imgsvc.imaging.decode import reduction
from imgsvc.pipeline import Grammar
from tests.differential.legs import LEGS, ours, psnr, worst
from tests.photos import photo

ON, OFF = Limits(), Limits(reduce_gap=1e9)
#: A photograph large enough to be decoded at a quarter, compressed as phones do.
SOURCE = photo(1600, 1200, quality=90)
FACTS = Facts(format="jpeg", width=1600, height=1200, frames=1, has_alpha=False)
WEBP = photo(1600, 1200, format="WEBP", quality=90)
SHRINK = "resize:200x200"
#: A reduced decode averages blocks and then resamples with Lanczos; the two differ as two good filters do.
DECIBELS = 32.0

BEFORE = sorted(
    {cls.example for cls in operations.registry().values() if not cls.first_only}
    | {
        "orient",
        "rotate:180",
        "rotate:270",
        "rotate:30",
        "crop:0.5",
        "flip/flop/grayscale/invert",
        "gamma:2.2",
    }
    | {
        "resize:1500x1500",
        "border:40",
        "pad:2000x2000",
        "blur:8",
        "pixelate:50",
        "sharpen:3",
        "brightness:1.5",
    }
)


@pytest.mark.parametrize("source", [SOURCE, WEBP], ids=["jpeg", "webp"])
@pytest.mark.parametrize("before", BEFORE)
def test_the_picture_is_the_same(before: str, source: bytes) -> None:
    ops = f"{before}/{SHRINK}"
    reduced, full = ours(source, ops, simd=False, limits=ON), ours(source, ops, simd=False, limits=OFF)
    assert reduced.size == full.size
    if reduction(FACTS, [Grammar().parse(ops)]) / ON.reduce_gap < 2:
        assert worst(reduced, full) == 0, "nothing may differ where nothing was reduced"
    else:
        assert psnr(reduced, full) >= DECIBELS


WAYS = [
    "thumbnail:200x200",
    "thumbnail:199x",
    "resize:300x300,fit=cover,gravity=se",
    "resize:0.125",
    "resize:90x90,fit=pad,gravity=n",
    "resize:200x50,fit=fill",
    "resize:100x100,fit=outside",
    "resize:201x151,filter=box",
]


@pytest.mark.parametrize("source", [SOURCE, WEBP], ids=["jpeg", "webp"])
@pytest.mark.parametrize("ops", WAYS)
def test_every_way_of_shrinking_gives_the_same_picture(ops: str, source: bytes) -> None:
    reduced, full = ours(source, ops, simd=False, limits=ON), ours(source, ops, simd=False, limits=OFF)
    assert reduction(FACTS, [Grammar().parse(ops)]) >= 3
    assert psnr(reduced, full) >= DECIBELS


def test_a_focal_point_is_the_same_place_on_a_reduced_decode() -> None:
    ops = "resize:120x300,fit=cover,gravity=0.8x0.5"
    assert (
        psnr(ours(SOURCE, ops, simd=False, limits=ON), ours(SOURCE, ops, simd=False, limits=OFF)) >= DECIBELS
    )


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(301, 203), (3000, 1999)])
@pytest.mark.parametrize("ops", ["resize:x30", "resize:320x", "resize:200x200,fit=cover", "resize:0.1"])
def test_no_orientation_spoils_a_reduced_decode(orientation: int, size: tuple[int, int], ops: str) -> None:
    """Sides that are no multiple of eight: the scale between the two pictures is no round number."""
    exif = Image.Exif()
    exif[0x112] = orientation
    source = io.BytesIO()
    Image.new("RGB", size, (200, 40, 40)).save(source, "JPEG", exif=exif)
    for simd in LEGS:
        assert (
            ours(source.getvalue(), ops, simd=simd).size
            == ours(source.getvalue(), ops, simd=simd, limits=OFF).size
        )
