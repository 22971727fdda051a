"""The eight orientations against Pillow's own."""

from __future__ import annotations

import pytest
from PIL import Image, ImageOps

from imgsvc.raster.geometry import Box, Size
from imgsvc.raster.orientation import Orientation
from tests.photos import picture


@pytest.mark.parametrize("orientation", Orientation)
def test_a_stored_picture_is_turned_as_pillow_turns_it(orientation: Orientation) -> None:
    image = picture(31, 17)
    image.getexif()[0x0112] = int(orientation)
    upright = orientation.upright(image)
    assert upright.tobytes() == ImageOps.exif_transpose(image).tobytes()
    assert orientation.size(Size(31, 17)) == upright.size
    assert orientation.size(Size(*upright.size)) == (31, 17)


@pytest.mark.parametrize("orientation", Orientation)
def test_a_box_of_the_upright_picture_is_found_in_the_stored_one(orientation: Orientation) -> None:
    image = picture(31, 17)
    upright = orientation.upright(image)
    size = Size(*upright.size)
    box = Box(2, 3, size.width - 5, size.height - 1)
    stored = image.crop(orientation.stored(box, size))
    assert orientation.upright(stored).tobytes() == upright.crop(box).tobytes()


@pytest.mark.parametrize("value", [None, 0, 9, -1, 99, "6", 6.0, (6,), b"6"])
def test_nonsense_is_upright(value: object) -> None:
    assert Orientation.of(value) is Orientation.UPRIGHT


def test_an_upright_picture_is_not_copied() -> None:
    image = Image.new("L", (2, 2))
    assert Orientation.UPRIGHT.upright(image) is image
