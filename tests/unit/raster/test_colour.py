"""Colours as callers write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageColor

from imgsvc.raster.colour import BLACK, TRANSPARENT, WHITE, Colour

colours = st.builds(Colour, *[st.integers(0, 255)] * 4)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("fff", "ffffff"),
        ("f80", "ff8800"),
        ("f808", "ff880088"),
        ("FF8800", "ff8800"),
        ("ff8800ff", "ff8800"),
        ("red", "ff0000"),
        ("RebeccaPurple", "663399"),
        ("transparent", "00000000"),
        ("beige", "f5f5dc"),
    ],
)
def test_a_colour_has_one_spelling(text: str, canonical: str) -> None:
    assert str(Colour.parse(text)) == canonical


@pytest.mark.parametrize("text", ["", "#fff", "ff", "fffff", "fffffff", "redd", "12 34 56", "ｆｆｆ"])
def test_what_is_no_colour_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="hex digits"):
        Colour.parse(text)


@given(colours)
def test_a_colour_survives_its_text(colour: Colour) -> None:
    assert Colour.parse(str(colour)) == colour


def test_every_css_name_is_known() -> None:
    for name in ImageColor.colormap:
        assert Colour.parse(name).rgba[:3] == ImageColor.getrgb(name)


@given(colours)
def test_a_colour_on_another_is_opaque(colour: Colour) -> None:
    seen = colour.on(WHITE)
    assert seen.opaque
    expected = [round((c * colour.alpha + 255 * (255 - colour.alpha)) / 255) for c in colour.rgba[:3]]
    assert max(abs(a - b) for a, b in zip(seen.rgba, expected, strict=False)) <= 1


def test_a_colour_is_a_pixel_of_any_mode() -> None:
    orange = Colour.parse("ff880080")
    assert orange.pixel("L") == 156
    assert orange.pixel("LA") == (156, 128)
    assert orange.pixel("RGB") == (255, 136, 0)
    assert orange.pixel("RGBA") == (255, 136, 0, 128)
    assert BLACK.gray
    assert not orange.gray
    assert TRANSPARENT.alpha == 0
