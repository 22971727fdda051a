"""Operations on the levels and colours of single pixels, against numpy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from tests.unit.operations.arrays import MODES, Pixels, alpha, apply, colour, half_up, pixels, source, worst

CURVES: dict[str, Callable[[Pixels], Pixels]] = {
    "invert": lambda levels: 255 - levels,
    "brightness:0": lambda levels: levels * 0,
    "brightness:0.35": lambda levels: levels * 0.35,
    "brightness:3": lambda levels: levels * 3,
    "contrast:0": lambda levels: levels * 0 + 127.5,
    "contrast:0.5": lambda levels: (levels - 127.5) * 0.5 + 127.5,
    "contrast:4": lambda levels: (levels - 127.5) * 4 + 127.5,
    "gamma:2.2": lambda levels: 255 * (levels / 255) ** (1 / 2.2),
    "gamma:0.1": lambda levels: 255 * (levels / 255) ** 10,
}
LUMA = np.array([0.299, 0.587, 0.114])
SEPIA = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("ops", CURVES)
def test_a_curve_bends_every_colour_channel_and_leaves_alpha_alone(ops: str, mode: str) -> None:
    image = source(mode)
    made = apply(ops, image)
    assert made.mode == mode
    assert worst(colour(made), half_up(CURVES[ops](colour(image)))) == 0
    assert worst(alpha(made), alpha(image)) == 0


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "ops", ["brightness:1", "contrast:1", "saturation:1", "gamma:1", "sepia:0", "sharpen:0", "invert/invert"]
)
def test_what_changes_nothing_changes_nothing(ops: str, mode: str) -> None:
    image = source(mode)
    assert apply(ops, image).convert(mode).tobytes() == image.tobytes()


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("factor", [0, 0.4, 1.7, 10])
def test_saturation_moves_colours_along_the_line_through_their_gray(factor: float, mode: str) -> None:
    image = source(mode)
    made = apply(f"saturation:{factor}", image)
    gray = (colour(image) @ LUMA)[..., None]
    assert worst(colour(made), half_up(gray + (colour(image) - gray) * factor)) <= 1
    assert worst(alpha(made), alpha(image)) == 0


def test_saturation_is_what_pillow_calls_color() -> None:
    image = source()
    assert worst(pixels(apply("saturation:0.5", image)), pixels(ImageEnhance.Color(image).enhance(0.5))) <= 2


def test_no_saturation_is_grayscale() -> None:
    image = source()
    gray = pixels(apply("grayscale", image).convert("RGB"))
    assert worst(pixels(apply("saturation:0", image)), gray) <= 1


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_a_gray_picture_has_no_saturation_to_change(mode: str) -> None:
    image = source(mode)
    made = apply("saturation:5", image)
    assert (made.mode, made.tobytes()) == (mode, image.tobytes())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("amount", [0.3, 1])
def test_sepia_is_the_matrix_of_css(amount: float, mode: str) -> None:
    image = source(mode)
    made = apply(f"sepia:{amount}", image)
    assert made.mode == ("RGBA" if mode.endswith("A") else "RGB")
    before = pixels(image.convert("RGBA"))[..., :3]
    toned = before @ (SEPIA * amount + np.eye(3) * (1 - amount)).T
    assert worst(colour(made), half_up(toned)) <= 1
    assert worst(alpha(made), alpha(image)) == 0


@pytest.mark.parametrize("cutoff", [0, 1, 12.5, 49])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_autocontrast_is_pillows(mode: str, cutoff: float) -> None:
    image = source(mode).point(lambda level: level // 3 + 40)
    made = apply(f"autocontrast:{cutoff}", image)
    assert worst(pixels(made), pixels(ImageOps.autocontrast(image, cutoff=cutoff))) == 0


def test_autocontrast_does_not_count_what_is_invisible() -> None:
    image = Image.new("RGBA", (4, 1), (100, 100, 100, 255))
    image.putpixel((0, 0), (150, 150, 150, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    image.putpixel((2, 0), (255, 255, 255, 0))
    made = apply("autocontrast", image)
    assert [made.getpixel((x, 0)) for x in (0, 3)] == [(255, 255, 255, 255), (0, 0, 0, 255)]
    assert worst(alpha(made), alpha(image)) == 0


@pytest.mark.parametrize("ground", ["white", "000000", "3366cc"])
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_a_background_shows_through_as_far_as_alpha_lets_it(mode: str, ground: str) -> None:
    image = source(mode)
    made = apply(f"background:{ground}", image)
    under = Image.new("RGBA", image.size, {"3366cc": "#3366cc", "000000": "black"}.get(ground, ground))
    want = Image.alpha_composite(under, image.convert("RGBA")).convert("RGB")
    assert not made.mode.endswith("A")
    assert worst(pixels(made.convert("RGB")), pixels(want)) <= 1


def test_a_background_under_a_solid_picture_changes_nothing() -> None:
    image = source("RGB")
    assert apply("background:red", image).tobytes() == image.tobytes()
