"""How a picture meets an asked size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgsvc.raster import fit
from imgsvc.raster.geometry import Box, Gravity, Size, SizeSpec

PHOTO = Size(4032, 3024)

sizes = st.builds(Size, st.integers(1, 5000), st.integers(1, 5000))
specs = st.builds(lambda w, h: SizeSpec.parse(f"{w}x{h}"), st.integers(1, 5000), st.integers(1, 5000))


def spec(text: str) -> SizeSpec:
    return SizeSpec.parse(text)


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        ("256x256", (256, 192)),
        ("300x", (300, 225)),
        ("x300", (400, 300)),
        ("0.5", (2016, 1512)),
        ("5000x5000", (4032, 3024)),
        ("4032x3025", (4032, 3024)),
        ("1x1", (1, 1)),
        ("10000x1", (1, 1)),
        ("2.0", (4032, 3024)),
    ],
)
def test_contain_fits_in_the_size_and_never_enlarges(asked: str, size: tuple[int, int]) -> None:
    assert fit.contain(PHOTO, spec(asked)) == size


@pytest.mark.parametrize(
    ("asked", "size"), [("5000x5000", (5000, 3750)), ("2.0", (8064, 6048)), ("x4000", (5333, 4000))]
)
def test_contain_enlarges_where_it_may(asked: str, size: tuple[int, int]) -> None:
    assert fit.contain(PHOTO, spec(asked), enlarge=True) == size


@pytest.mark.parametrize(
    ("asked", "size"), [("256x256", (341, 256)), ("300x", (300, 225)), ("5000x100", (4032, 3024))]
)
def test_outside_fits_around_the_size(asked: str, size: tuple[int, int]) -> None:
    assert fit.outside(PHOTO, spec(asked)) == size


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        ("300x200", (300, 200)),
        ("300x", (300, 225)),
        ("5000x5000", (3024, 3024)),
        ("8000x1000", (4032, 504)),
        ("4032x4032", (3024, 3024)),
        ("0.5x1.0", (2016, 3024)),
    ],
)
def test_cover_keeps_the_asked_ratio_at_the_largest_size_the_picture_holds(
    asked: str, size: tuple[int, int]
) -> None:
    assert fit.cover(PHOTO, spec(asked)) == size


def test_cover_has_the_asked_size_where_it_may_enlarge() -> None:
    assert fit.cover(Size(10, 10), spec("300x200"), enlarge=True) == (300, 200)


@pytest.mark.parametrize(
    ("asked", "size"), [("300x200", (300, 200)), ("5000x200", (4032, 200)), ("300x", (300, 225))]
)
def test_fill_ignores_the_ratio_and_lengthens_no_side(asked: str, size: tuple[int, int]) -> None:
    assert fit.fill(PHOTO, spec(asked)) == size


@given(sizes, specs)
def test_what_may_not_enlarge_does_not(size: Size, asked: SizeSpec) -> None:
    for way in (fit.contain, fit.outside, fit.cover, fit.fill):
        assert way(size, asked).fits(size)


@given(sizes, specs)
def test_contain_lies_within_and_outside_around_the_asked_size(size: Size, asked: SizeSpec) -> None:
    wanted = asked.whole(size)
    assert fit.contain(size, asked, enlarge=True).fits(wanted)
    assert wanted.fits(fit.outside(size, asked, enlarge=True))


@given(sizes, specs, st.sampled_from(["center", "nw", "se", "0.2x0.9"]))
def test_the_covering_box_lies_in_the_picture_and_has_the_ratio(
    size: Size, asked: SizeSpec, gravity: str
) -> None:
    target = fit.cover(size, asked)
    box = fit.covering_box(size, target, Gravity.parse(gravity))
    assert box.left >= 0
    assert box.top >= 0
    assert box.right <= size.width
    assert box.bottom <= size.height
    ratio = (box.right - box.left) * target.height / ((box.bottom - box.top) * target.width)
    assert ratio == pytest.approx(1)


def test_a_focal_point_is_brought_to_the_middle() -> None:
    box = fit.covering_box(Size(400, 100), Size(100, 100), Gravity.parse("0.25x0.5"))
    assert box == Box(50, 0, 150, 100)
