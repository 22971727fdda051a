"""Results that are equally good: how that is measured, and how the quality for it is found."""

from __future__ import annotations

import io

import pytest
from PIL import Image, ImageFilter

from benchmarks import photos
from benchmarks.kernel.quality import blurred, decibels, psnr, shown
from benchmarks.peers.calibration import HIGHEST, LOWEST, calibrate, equal
from tests import profiles


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def test_the_quality_is_found_that_comes_nearest() -> None:
    found = calibrate(36.04, lambda quality: 20 + quality / 5)
    assert (found.quality, found.reached) == (80, True)
    assert found.db == pytest.approx(36.0)


def test_half_a_decibel_is_near_enough_and_more_is_marked() -> None:
    steps = {quality: 30.0 if quality < 50 else 31.02 for quality in range(LOWEST, HIGHEST + 1)}
    assert calibrate(30.5, steps.__getitem__).reached
    assert not calibrate(30.51, steps.__getitem__).reached
    assert equal(30.0, 30.5)
    assert not equal(30.0, 30.51)


@pytest.mark.parametrize(("target", "quality"), [(10.0, LOWEST), (90.0, HIGHEST)])
def test_what_is_out_of_reach_is_marked_and_as_near_as_it_goes(target: float, quality: int) -> None:
    found = calibrate(target, lambda quality: 20 + quality / 5)
    assert (found.quality, found.reached) == (quality, False)


def test_at_most_eight_results_are_looked_at_and_none_twice() -> None:
    for target in range(20, 42):
        asked: list[int] = []

        def measure(quality: int, asked: list[int] = asked) -> float:
            asked.append(quality)
            return 20 + quality / 5

        calibrate(target, measure)
        assert len(asked) == len(set(asked)) <= 8


def test_a_better_encoding_is_nearer_to_the_reference() -> None:
    source = photos.scene((320, 240))
    data, small = encoded(source, "PNG"), source.resize((80, 60), Image.Resampling.LANCZOS)
    assert (
        decibels(data, encoded(small, "JPEG", quality=95))
        > decibels(data, encoded(small, "JPEG", quality=50)) + 3
    )
    assert decibels(data, encoded(small, "PNG")) > 90


def test_a_transparent_result_is_seen_on_white() -> None:
    assert shown(encoded(Image.new("RGBA", (2, 2), (255, 0, 0, 0)), "PNG")).getpixel((0, 0)) == (
        255,
        255,
        255,
    )


def test_a_result_with_a_profile_of_its_own_is_seen_in_srgb() -> None:
    red = encoded(Image.new("RGB", (2, 2), (200, 60, 60)), "PNG", icc_profile=profiles.wide())
    seen = shown(red).getpixel((0, 0))
    assert isinstance(seen, tuple)
    assert seen[0] > 210  # what is 200 in a wider space


def test_a_blur_is_what_the_library_comes_near_to() -> None:
    picture = photos.scene((96, 64))
    found = blurred(picture, 3)
    assert found.size == picture.size
    assert psnr(found, picture.filter(ImageFilter.GaussianBlur(3))) > 45
    assert psnr(found, picture) < 30


def test_a_blur_leaves_what_is_even_as_it_is() -> None:
    even = Image.new("RGB", (20, 10), (10, 200, 90))
    assert psnr(blurred(even, 5), even) > 90
