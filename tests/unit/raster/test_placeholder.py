"""Pictures of one colour."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from imgsvc.raster.colour import Colour
from imgsvc.raster.geometry import Size
from imgsvc.raster.placeholder import MAX_SIDE, png


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (8, 8), (9, 1), (300, 200), (MAX_SIDE, 1)])
@pytest.mark.parametrize("colour", ["ff8800", "00000000", "12345678", "white"])
def test_every_pixel_is_of_the_colour(size: tuple[int, int], colour: str) -> None:
    wanted = Colour.parse(colour)
    with Image.open(io.BytesIO(png(Size(*size), wanted))) as found:
        assert found.format == "PNG"
        assert found.size == size
        assert found.convert("RGBA").getcolors() == [(size[0] * size[1], wanted.rgba)]


def test_what_is_too_long_keeps_its_ratio() -> None:
    with Image.open(io.BytesIO(png(Size(2 * MAX_SIDE, 100), Colour(0, 0, 0)))) as found:
        assert found.size == (MAX_SIDE, 50)
    with Image.open(io.BytesIO(png(Size(1, 10 * MAX_SIDE), Colour(0, 0, 0)))) as found:
        assert found.size == (1, MAX_SIDE)


def test_a_large_one_is_small() -> None:
    assert len(png(Size(MAX_SIDE, MAX_SIDE), Colour(1, 2, 3))) < 4000
