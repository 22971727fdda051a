"""Palettes: the colours that are there, and how much of each."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from imgsvc.raster import palette
from imgsvc.raster.colour import Colour
from tests.photos import picture

RED, GREEN, BLUE = (200, 30, 30), (30, 180, 60), (20, 40, 200)


def stripes(*colours: tuple[int, ...], widths: tuple[int, ...], mode: str = "RGB") -> Image.Image:
    image = Image.new(mode, (sum(widths), 20))
    left = 0
    for colour, width in zip(colours, widths, strict=True):
        image.paste(colour, (left, 0, left + width, 20))
        left += width
    return image


def told(image: Image.Image) -> list[tuple[str, float]]:
    return [(str(each.colour), round(each.share, 4)) for each in palette.palette(image)]


def test_flat_colours_are_told_exactly_the_most_frequent_first() -> None:
    assert told(stripes(RED, GREEN, BLUE, widths=(30, 50, 20))) == [
        (str(Colour(*GREEN)), 0.5),
        (str(Colour(*RED)), 0.3),
        (str(Colour(*BLUE)), 0.2),
    ]


def test_one_pixel_is_one_colour() -> None:
    assert told(Image.new("RGB", (1, 1), RED)) == [(str(Colour(*RED)), 1.0)]


def test_colours_that_the_eye_can_not_tell_apart_are_one() -> None:
    found = palette.palette(stripes((200, 30, 30), (202, 31, 29), BLUE, widths=(40, 40, 20)))
    assert [each.share for each in found] == [0.8, 0.2]
    assert found[0].colour in {Colour(201, 30, 29), Colour(201, 31, 30), Colour(201, 30, 30)}


def test_a_speck_is_no_colour_of_its_own() -> None:
    image = Image.new("RGB", (100, 100), RED)
    image.paste(BLUE, (0, 0, 7, 7))
    assert len(told(image)) == 1
    image.paste(BLUE, (0, 0, 8, 8))
    assert len(told(image)) == 2


@pytest.mark.parametrize("seed", range(4))
def test_the_shares_add_up_and_the_colours_are_few(seed: int) -> None:
    found = palette.palette(picture(96, 72, seed=seed))
    assert 2 <= len(found) <= palette.MOST
    assert sum(each.share for each in found) == pytest.approx(1)
    assert [each.share for each in found] == sorted((each.share for each in found), reverse=True)


def test_more_than_the_most_are_joined() -> None:
    colours = [(red, green, 90) for red in (0, 90, 180, 250) for green in (0, 90, 180, 250)]
    assert len(told(stripes(*colours, widths=(10,) * 16))) == palette.MOST


def test_only_what_can_be_seen_counts() -> None:
    image = stripes((*RED, 127), (*GREEN, 128), (*BLUE, 255), widths=(60, 30, 10), mode="RGBA")
    seen = palette.visible(image)
    assert seen is not None
    assert told(seen) == [(str(Colour(*GREEN)), 0.75), (str(Colour(*BLUE)), 0.25)]


def test_of_a_picture_that_can_not_be_seen_there_is_nothing() -> None:
    hidden = Image.new("RGBA", (4, 4), (*RED, 0))
    assert palette.visible(hidden) is None
    assert palette.average(hidden) is None


def test_the_average_is_weighted_by_alpha() -> None:
    image = picture(31, 17, mode="RGBA")
    pixels = np.asarray(image, float)
    weights = pixels[..., 3:]
    mean = (pixels[..., :3] * weights).sum(axis=(0, 1)) / weights.sum()
    assert palette.average(image) == Colour(*(int(level + 0.5) for level in mean))
