"""Sizes, lengths and gravity: what callers write, and what it means on a picture."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from imgsvc.operations.resize import Resize
from imgsvc.raster.geometry import CENTER, MAX_SIDE, Gravity, Length, Offset, Size, SizeSpec, half_up


class Asked(BaseModel):
    size: SizeSpec
    gravity: Gravity = CENTER
    x: Length | None = None


@pytest.mark.parametrize(
    "text", ["300x200", "300x", "x200", "0.5", "0.5x0.5", "0.5x", "x0.25", "300x0.5", "1.0", "1x1"]
)
def test_a_size_is_written_as_it_was_read(text: str) -> None:
    assert str(SizeSpec.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "same"), [(".5", "0.5"), ("0.50", "0.5"), ("007x1", "7x1"), ("0.12345678x", "0.123457x")]
)
def test_a_size_has_one_spelling(text: str, same: str) -> None:
    assert str(SizeSpec.parse(text)) == same


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "300",
        "0x1",
        "1x0",
        "-1x2",
        "300X200",
        "1e3x",
        f"{MAX_SIDE + 1}x",
        "9" * 40 + "x",
        "0.0",
        "101.0",
        "300x200x100",
        " 300x",
        "٣x",
        "nanx",
        "inf",
        "0.0000001x",
    ],
)
def test_what_is_no_size_is_refused_with_what_is(text: str) -> None:
    with pytest.raises(ValueError, match=r"300x200|pixels"):
        SizeSpec.parse(text)
    with pytest.raises(ValidationError) as caught:
        Asked.model_validate({"size": text})
    (error,) = caught.value.errors()
    assert "300x200" in error["ctx"]["allowed"]


@pytest.mark.parametrize("value", [None, 3, True, 0.5, [1, 2], {"width": 3}])
def test_a_size_is_text(value: object) -> None:
    with pytest.raises(ValidationError):
        Asked.model_validate({"size": value})


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("300x200", (300, 200)),
        ("300x", (300, None)),
        ("x200", (None, 200)),
        ("0.5", (51, 25)),  # 50.5 is rounded half up
        ("0.001", (1, 1)),
        ("0.29x1.0", (29, 49)),  # 0.29 * 101 = 29.29
        ("2.0x", (202, None)),
    ],
)
def test_the_point_decides_between_pixels_and_fractions(
    text: str, sides: tuple[int | None, int | None]
) -> None:
    assert SizeSpec.parse(text).sides(Size(101, 49)) == sides


@given(st.integers(1, 65535), st.integers(1, 999_999))
def test_a_fraction_of_a_side_is_rounded_half_up_exactly(side: int, millionths: int) -> None:
    exact = (2 * side * millionths + 1_000_000) // 2_000_000
    assert Length(millionths / 1_000_000).of(side) == exact


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_half_up_is_at_least_one(numerator: int, denominator: int) -> None:
    assert half_up(numerator, denominator) == max(1, int(numerator / denominator + 0.5))


def test_two_sides_may_be_given_apart() -> None:
    assert str(SizeSpec.of(300, None)) == "300x"
    assert str(SizeSpec.of(None, 0.5)) == "x0.5"
    assert str(SizeSpec.of("300", "0.5")) == "300x0.5"
    with pytest.raises(ValueError, match="300x200"):
        SizeSpec.of(None, None)


def test_a_length_in_json_is_a_number_whose_point_decides() -> None:
    assert Asked(size=SizeSpec.parse("1x1"), x=Length(1.0)).model_dump(mode="json")["x"] == 1.0
    assert Asked.model_validate({"size": "1x1", "x": 1}).x == Length(1)
    assert Asked.model_validate({"size": "1x1", "x": "0.25"}).x == Length(0.25)
    for wrong in (True, -1, float("nan"), float("inf"), "ten", 10**6):
        with pytest.raises(ValidationError):
            Asked.model_validate({"size": "1x1", "x": wrong})


@pytest.mark.parametrize("text", ["center", "n", "ne", "e", "se", "s", "sw", "w", "nw", "0.3x0.7", "1.0x0.0"])
def test_gravity_is_written_as_it_was_read(text: str) -> None:
    assert str(Gravity.parse(text)) == text


@pytest.mark.parametrize("text", ["", "middle", "N", "1x1", "1.1x0.5", "-0.1x0.5", "0.5", "0.3x0.7x0.1"])
def test_what_is_no_gravity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="focal point"):
        Gravity.parse(text)


@pytest.mark.parametrize(
    ("gravity", "offset"),
    [
        ("center", (30, 15)),
        ("nw", (0, 0)),
        ("n", (30, 0)),
        ("se", (60, 30)),
        ("0.5x0.5", (30, 15)),
        ("0.0x1.0", (0, 30)),  # as near as the edges allow
        ("0.4x0.5", (20, 15)),  # the focus in the middle of the part: 0.4 * 100 - 40 / 2
    ],
)
def test_gravity_places_a_part_in_a_room(gravity: str, offset: tuple[int, int]) -> None:
    assert Gravity.parse(gravity).offset(Size(100, 50), Size(40, 20)) == Offset(*offset)


@given(
    st.builds(Size, st.integers(1, 500), st.integers(1, 500)),
    st.builds(Size, st.integers(1, 500), st.integers(1, 500)),
    st.sampled_from(["center", "n", "se", "0.3x0.7", "0.0x1.0", "1.0x1.0"]),
)
def test_a_part_that_fits_is_placed_within_the_room(room: Size, part: Size, gravity: str) -> None:
    part = Size(min(part.width, room.width), min(part.height, room.height))
    x, y = Gravity.parse(gravity).offset(room, part)
    assert 0 <= x <= room.width - part.width
    assert 0 <= y <= room.height - part.height


def test_defaults_appear_in_a_schema_as_callers_write_them() -> None:
    schema = Resize.model_json_schema()
    assert schema["properties"]["gravity"]["default"] == "center"
    assert schema["properties"]["size"]["type"] == "string"
