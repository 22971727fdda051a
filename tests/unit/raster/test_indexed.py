"""Pictures of few colours."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from imgsvc.raster.indexed import exact, few
from imgsvc.raster.likeness import Likeness
from tests.photos import picture


def of_colours(count: int, mode: str, size: tuple[int, int] = (40, 30)) -> Image.Image:
    """A picture that has exactly so many colours."""
    colours = np.random.default_rng(count).permutation(2**24)[:count].astype(np.uint32)
    rgba = np.stack([colours & 255, colours >> 8 & 255, colours >> 16 & 255, colours * 7 & 255], 1).astype(
        np.uint8
    )
    numbers = np.resize(np.arange(count), size[0] * size[1]).reshape(size[1], size[0])
    channels = {"RGB": slice(0, 3), "RGBA": slice(0, 4)}[mode]
    return Image.fromarray(rgba[numbers][..., channels], mode)


def drawing(size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Lines with soft edges on flat ground."""
    large = Image.new("RGB", (size[0] * 4, size[1] * 4), "ivory")
    draw = ImageDraw.Draw(large)
    for number, colour in enumerate(("navy", "crimson", "seagreen", "orange")):
        draw.line((0, number * 200, large.width, large.height - number * 150), fill=colour, width=30)
    return large.reduce(4)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("count", [1, 2, 3, 16, 17, 255, 256])
def test_no_colour_is_lost_where_there_are_few(mode: str, count: int) -> None:
    image = of_colours(count, mode)
    made = exact(image)
    assert made is not None
    assert made.mode == "P"
    assert made.convert(mode).tobytes() == image.tobytes()
    assert made.getextrema() == (0, count - 1)


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_grey_counts_too(mode: str) -> None:
    image = Image.new(mode, (9, 9))
    image.paste(Image.new(mode, (4, 4), 200 if mode == "L" else (200, 100)))
    made = exact(image, 2)
    assert made is not None
    assert made.convert("RGBA").tobytes() == image.convert("RGBA").tobytes()


@pytest.mark.parametrize(("count", "most"), [(257, 256), (17, 16), (2, 1)])
def test_more_can_not_be_had_exactly(count: int, most: int) -> None:
    assert exact(of_colours(count, "RGB"), most) is None
    assert exact(of_colours(count - 1, "RGB"), most) is not None


@pytest.mark.parametrize("most", [256, 255, 16])
def test_of_many_colours_so_many_are_left(most: int) -> None:
    for image in (picture(320, 240), drawing()):
        colours = few(image, most).convert("RGB").getcolors(most)
        assert colours is not None


def test_a_photograph_is_dithered_and_looks_better_for_it() -> None:
    image = picture(320, 240)
    plain = image.quantize(256, Image.Quantize.FASTOCTREE)
    likeness = Likeness(image)
    assert likeness.difference(few(image).convert("RGB")) < likeness.difference(plain.convert("RGB")) / 1.5


def test_the_flat_parts_of_a_drawing_stay_flat() -> None:
    image = drawing()
    made = few(image).convert("RGB")
    flat = made.crop((150, 0, 170, 8))
    assert image.crop((150, 0, 170, 8)).getcolors(1) is not None
    assert flat.getcolors(1) is not None
