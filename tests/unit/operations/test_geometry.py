"""Operations that move pixels, against slices of arrays and Pillow's own."""

from __future__ import annotations

from math import cos, pi, radians, sin

import numpy as np
import pytest
from PIL import Image

from imgsvc.operations.rotate import Rotate
from imgsvc.pipeline import Grammar
from imgsvc.raster.geometry import Size
from tests.unit.operations.arrays import MODES, alpha, apply, pixels, source, worst

SIZE = Size(100, 80)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("ops", "turned"),
    [
        ("flip", lambda array: array[::-1]),
        ("flop", lambda array: array[:, ::-1]),
        ("rotate:90", lambda array: np.rot90(array, -1)),
        ("rotate:-90", lambda array: np.rot90(array, 1)),
        ("rotate:180", lambda array: array[::-1, ::-1]),
        ("rotate:270", lambda array: np.rot90(array, 1)),
        ("rotate:-360", lambda array: array),
        ("rotate:180,expand=false", lambda array: array[::-1, ::-1]),
    ],
)
def test_mirrors_and_quarter_turns_are_exact(mode: str, ops: str, turned: object) -> None:
    image = source(mode)
    made = apply(ops, image)
    assert made.mode == mode
    assert worst(pixels(made), turned(pixels(image))) == 0  # type: ignore[operator]  # a lambda of the table


@pytest.mark.parametrize(
    ("ops", "box"),
    [
        ("crop:30x20", (35, 30, 65, 50)),
        ("crop:30x20,gravity=nw", (0, 0, 30, 20)),
        ("crop:30x20,gravity=e", (70, 30, 100, 50)),
        ("crop:30x20,gravity=s", (35, 60, 65, 80)),
        ("crop:30x20,x=5", (5, 0, 35, 20)),
        ("crop:30x20,y=7", (0, 7, 30, 27)),
        ("crop:30x20,x=5,y=7", (5, 7, 35, 27)),
        ("crop:30x20,x=0.5,y=0.25", (50, 20, 80, 40)),
        ("crop:30x20,x=90,y=75", (70, 60, 100, 80)),
        ("crop:30x20,x=1.0,y=1.0", (70, 60, 100, 80)),
        ("crop:30x", (35, 0, 65, 80)),
        ("crop:x20", (0, 30, 100, 50)),
        ("crop:0.5x0.25", (25, 30, 75, 50)),
        ("crop:0.5", (25, 20, 75, 60)),
        ("crop:500x20", (0, 30, 100, 50)),
        ("crop:500x500", (0, 0, 100, 80)),
        ("crop:20x20,gravity=0.0x0.0", (0, 0, 20, 20)),
        ("crop:20x20,gravity=0.3x0.5", (20, 30, 40, 50)),
        ("crop:20x20,gravity=1.0x1.0", (80, 60, 100, 80)),
    ],
)
def test_a_crop_is_the_part_it_names(ops: str, box: tuple[int, int, int, int]) -> None:
    image = source("RGBA", *SIZE)
    made = apply(ops, image)
    assert made.size == Grammar().parse(ops).sizes(SIZE)[0]
    assert worst(pixels(made), pixels(image.crop(box))) == 0


@pytest.mark.parametrize(
    ("ops", "size", "at"),
    [
        ("pad:120x100", (120, 100), (10, 10)),
        ("pad:120x100,gravity=nw", (120, 100), (0, 0)),
        ("pad:120x100,gravity=se", (120, 100), (20, 20)),
        ("pad:120x", (120, 80), (10, 0)),
        ("pad:50x100", (100, 100), (0, 10)),
        ("pad:1.5", (150, 120), (25, 20)),
        ("pad:10x10", (100, 80), (0, 0)),
    ],
)
def test_a_pad_lays_the_picture_on_a_canvas(ops: str, size: tuple[int, int], at: tuple[int, int]) -> None:
    image = source("RGB", *SIZE)
    want = Image.new("RGB", size, "white")
    want.paste(image, at)
    assert apply(ops, image).tobytes() == want.tobytes()


def test_a_pad_is_transparent_where_the_picture_has_alpha_and_a_colour_where_asked() -> None:
    image = source("RGBA", 10, 10)
    clear = apply("pad:20x10", image)
    assert clear.getpixel((0, 0)) == (0, 0, 0, 0)
    assert worst(alpha(clear)[:, 5:15], alpha(image)) == 0
    assert apply("pad:20x10,background=red", image).getpixel((0, 0)) == (255, 0, 0)
    assert apply("pad:20x10,background=transparent", source("RGB", 10, 10)).getpixel((0, 0)) == (0, 0, 0, 0)
    assert apply("pad:20x10,background=red", source("L", 10, 10)).getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize(
    ("mode", "color", "made", "pixel"),
    [
        ("RGB", "black", "RGB", (0, 0, 0)),
        ("RGB", "ff880080", "RGBA", (255, 136, 0, 128)),
        ("RGBA", "red", "RGBA", (255, 0, 0, 255)),
        ("L", "808080", "L", 128),
        ("L", "red", "RGB", (255, 0, 0)),
        ("LA", "white", "LA", (255, 255)),
    ],
)
def test_a_border_surrounds_the_picture_and_leaves_it_alone(
    mode: str, color: str, made: str, pixel: object
) -> None:
    image = source(mode, 9, 7)
    framed = apply(f"border:3,{color}", image)
    assert framed.mode == made
    assert framed.size == (15, 13)
    assert {framed.getpixel(at) for at in ((0, 0), (14, 0), (0, 12), (14, 12), (2, 6), (12, 6))} == {pixel}
    assert worst(pixels(framed.crop((3, 3, 12, 10))), pixels(image.convert(made))) == 0


@pytest.mark.parametrize("degrees", [10, 33.3, 45, 91, 135, -20, 359])
def test_the_canvas_grows_to_hold_the_turned_picture(degrees: float) -> None:
    size = Rotate(degrees=degrees).size_after(SIZE)
    across, down = abs(cos(radians(degrees))), abs(sin(radians(degrees)))
    assert size == (int(100 * across + 80 * down + 0.5), int(100 * down + 80 * across + 0.5))
    assert Rotate(degrees=degrees, expand=False).size_after(SIZE) == SIZE


@pytest.mark.parametrize("degrees", [15, -40, 100, 200])
def test_a_turn_puts_every_place_where_geometry_says(degrees: float) -> None:
    """A soft spot is followed: its centre of mass in the result is the turned one."""
    at = np.array([30.0, 55.0])
    y, x = np.mgrid[0:81, 0:101]
    spot = 255 * np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / 18)
    made = apply(f"rotate:{degrees},background=black", Image.fromarray(spot.astype(np.uint8)))
    weights = pixels(made)[..., 0]
    rows, columns = np.mgrid[0 : made.height, 0 : made.width]
    found = np.array([(columns * weights).sum(), (rows * weights).sum()]) / weights.sum()
    angle = degrees * pi / 180
    turn = np.array([[cos(angle), -sin(angle)], [sin(angle), cos(angle)]])
    want = turn @ (at - [50, 40]) + [(made.width - 1) / 2, (made.height - 1) / 2]
    assert np.abs(found - want).max() < 0.1


@pytest.mark.parametrize("mode", MODES)
def test_a_turn_there_and_back_is_nearly_the_picture(mode: str) -> None:
    y, x = np.mgrid[0:80, 0:100]
    soft = np.stack([x * 2, y * 3, 255 - x, 128 + y], -1).astype(np.uint8)
    image = Image.fromarray(soft, "RGBA").convert(mode if mode.endswith("A") else "RGB").convert(mode)
    back = apply("rotate:25,expand=false/rotate:-25,expand=false/crop:40x40", image)
    # Two levels a turn, and where alpha halves the steps of the colours twice that.
    assert worst(pixels(back), pixels(apply("crop:40x40", image))) <= (8 if mode.endswith("A") else 4)


def test_what_a_turn_lays_bare_is_the_background() -> None:
    assert apply("rotate:45", source("RGB")).getpixel((0, 0)) == (255, 255, 255)
    assert apply("rotate:45", source("RGBA")).getpixel((0, 0)) == (0, 0, 0, 0)
    assert apply("rotate:45,background=red", source("RGB")).getpixel((0, 0)) == (255, 0, 0)
    assert apply("rotate:45,background=red", source("RGBA")).getpixel((0, 0)) == (255, 0, 0)
    assert apply("rotate:45,background=ff000080", source("L")).getpixel((0, 0)) == (255, 0, 0, 128)


def test_the_edges_of_a_turned_picture_are_smooth() -> None:
    made = apply("rotate:30,background=black", Image.new("L", (60, 60), 255))
    levels = set(np.unique(pixels(made)))
    assert {0.0, 255.0} <= levels
    assert len(levels) > 20


def test_a_quarter_turn_on_the_same_canvas_is_cut_and_filled() -> None:
    image = source("RGB", 40, 20)
    made = apply("rotate:90,expand=false,background=red", image)
    assert made.size == (40, 20)
    assert made.getpixel((0, 0)) == (255, 0, 0)
    assert worst(pixels(made)[:, 10:30], np.rot90(pixels(image), -1)[10:30]) == 0


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("ops", ["orient", "orient:none", "keep:icc", "keep:icc,copyright"])
def test_what_only_says_something_changes_no_pixel(ops: str, mode: str) -> None:
    image = source(mode)
    assert apply(ops, image).tobytes() == image.tobytes()
