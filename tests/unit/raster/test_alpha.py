"""Alpha: flattening and canvases against the arithmetic of compositing."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from imgsvc.raster import alpha
from imgsvc.raster.colour import TRANSPARENT, WHITE, Colour
from imgsvc.raster.geometry import Offset, Size
from tests.photos import picture

RED = Colour(255, 0, 0)


def see_through() -> Image.Image:
    """Every alpha from nothing to all."""
    image = picture(64, 16)
    image.putalpha(Image.linear_gradient("L").resize((64, 16)))
    return image


def over(image: Image.Image, ground: Colour) -> np.ndarray:
    """The image on a ground, by the book."""
    pixels = np.asarray(image.convert("RGBA"), dtype=np.float64)
    cover = pixels[..., 3:] / 255
    mixed: np.ndarray = pixels[..., :3] * cover + np.array(ground.rgba[:3]) * (1 - cover)
    return mixed


@pytest.mark.parametrize("ground", [WHITE, RED])
def test_flattening_shows_the_ground_where_the_picture_does_not_cover_it(ground: Colour) -> None:
    flat = alpha.flatten(see_through(), ground)
    assert flat.mode == "RGB"
    assert np.abs(np.asarray(flat, dtype=np.float64) - over(see_through(), ground)).max() <= 1


def test_gray_stays_gray_on_gray_and_turns_rgb_on_a_colour() -> None:
    image = see_through().convert("LA")
    assert alpha.flatten(image, WHITE).mode == "L"
    assert alpha.flatten(image, RED).mode == "RGB"


def test_a_ground_that_is_not_opaque_lies_on_white() -> None:
    nothing = Image.new("RGBA", (2, 2))
    assert alpha.flatten(nothing, TRANSPARENT).getpixel((0, 0)) == (255, 255, 255)
    assert alpha.flatten(nothing, Colour(255, 0, 0, 128)).getpixel((0, 0)) == (255, 127, 127)


def test_without_alpha_flattening_changes_nothing() -> None:
    image = picture()
    assert alpha.flatten(image) is image


def test_a_canvas_is_transparent_for_what_has_alpha_and_white_for_what_has_none() -> None:
    size, at = Size(100, 40), Offset(10, 20)
    held = alpha.on_canvas(see_through(), size, at)
    assert held.mode == "RGBA"
    assert held.getpixel((0, 0)) == (0, 0, 0, 0)
    assert held.crop((10, 20, 74, 36)).tobytes() == see_through().tobytes()
    solid = alpha.on_canvas(picture(64, 16), size, at)
    assert solid.mode == "RGB"
    assert solid.getpixel((0, 0)) == (255, 255, 255)


def test_an_opaque_canvas_shows_through_the_picture() -> None:
    made = alpha.on_canvas(see_through(), Size(64, 16), Offset(0, 0), RED)
    assert made.mode == "RGB"
    assert np.abs(np.asarray(made, dtype=np.float64) - over(see_through(), RED)).max() <= 1


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_a_half_transparent_canvas_lies_under_the_picture(mode: str) -> None:
    ground = Colour(90, 90, 90, 128)
    image = see_through().convert(mode)
    made = alpha.on_canvas(image, Size(64, 16), Offset(0, 0), ground)
    expected = Image.alpha_composite(Image.new("RGBA", (64, 16), ground.rgba), image.convert("RGBA"))
    assert made.mode == mode
    assert made.tobytes() == expected.convert(mode).tobytes()


def test_what_lies_outside_the_canvas_is_cut_off() -> None:
    made = alpha.on_canvas(picture(64, 16), Size(10, 10), Offset(-5, -3))
    assert made.tobytes() == picture(64, 16).crop((5, 3, 15, 13)).tobytes()


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("L", WHITE, "L"),
        ("L", RED, "RGB"),
        ("L", TRANSPARENT, "LA"),
        ("LA", RED, "RGBA"),
        ("RGB", WHITE, "RGB"),
        ("RGB", TRANSPARENT, "RGBA"),
        ("RGBA", WHITE, "RGBA"),
    ],
)
def test_a_picture_and_a_colour_need_a_mode_that_holds_both(mode: str, colour: Colour, expected: str) -> None:
    assert alpha.mode_with(mode, colour) == expected


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_what_is_taken_apart_can_be_put_together(mode: str) -> None:
    image = see_through().convert(mode)
    colour, cover = alpha.apart(image)
    assert alpha.together(colour, cover).tobytes() == image.tobytes()
    assert alpha.straight(alpha.premultiplied(image)).mode == mode


def test_opaque_is_what_nothing_shows_through() -> None:
    assert alpha.opaque(picture())
    assert alpha.opaque(picture().convert("RGBA"))
    assert not alpha.opaque(see_through())
