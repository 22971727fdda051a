"""What is refused before a pixel is read, and in which order."""

from __future__ import annotations

import pytest

from imgsvc.errors import (
    ImageDimensionTooLarge,
    ImageTooManyFrames,
    ImageTooManyPixels,
    ImgsvcError,
    OutputTooLarge,
)
from imgsvc.imaging import Facts, Limits, check_output
from imgsvc.imaging.limits import check_source
from imgsvc.pipeline import Grammar
from imgsvc.raster.geometry import Size
from imgsvc.raster.orientation import Orientation

TIGHT = Limits(max_side=100, max_pixels=1000, max_frames=5, max_output_pixels=2000)


def still(width: int, height: int, **more: object) -> Facts:
    return Facts.model_validate(
        {"format": "jpeg", "width": width, "height": height, "frames": 1, "has_alpha": False, **more}
    )


@pytest.mark.parametrize(
    ("size", "frames", "error"),
    [
        ((101, 1000), 50, ImageDimensionTooLarge),
        ((50, 50), 50, ImageTooManyPixels),
        ((20, 20), 3, ImageTooManyPixels),
        ((5, 5), 6, ImageTooManyFrames),
    ],
)
def test_side_is_checked_before_pixels_and_pixels_before_frames(
    size: tuple[int, int], frames: int, error: type[ImgsvcError]
) -> None:
    with pytest.raises(error):
        check_source(Size(*size), frames, TIGHT)


def test_what_is_just_within_the_limits_is_taken() -> None:
    check_source(Size(100, 10), 1, TIGHT)
    check_source(Size(10, 20), 5, TIGHT)


@pytest.mark.parametrize(
    ("ops", "name"),
    [
        ("resize:50x50,enlarge", "resize"),
        ("pad:50x50", "pad"),
        ("grayscale/border:20", "border"),
        ("resize:5000x5000,enlarge/resize:10x10", "resize"),
    ],
)
def test_the_operation_that_makes_too_much_is_named(ops: str, name: str) -> None:
    with pytest.raises(OutputTooLarge, match=f"^{name} would make") as caught:
        check_output(Grammar().parse(ops), still(10, 10), TIGHT, output="hero")
    assert caught.value.problem.output == "hero"
    assert caught.value.problem.limit == 2000


def test_frames_count_where_the_result_is_an_animation() -> None:
    facts = still(20, 20, format="gif", frames=5)
    limits = TIGHT.model_copy(update={"max_output_pixels": 1999})
    with pytest.raises(OutputTooLarge, match="5 frames"):
        check_output(Grammar().parse("grayscale/webp"), facts, limits)
    check_output(Grammar().parse("grayscale/jpeg"), facts, limits)


def test_a_side_that_the_format_can_not_have_is_refused() -> None:
    limits = Limits(max_output_pixels=10**9)
    check_output(Grammar().parse("resize:20000x100,fit=fill,enlarge/png"), still(100, 100), limits)
    with pytest.raises(OutputTooLarge, match="16383"):
        check_output(Grammar().parse("resize:20000x100,fit=fill,enlarge/webp"), still(100, 100), limits)


def test_sizes_are_those_of_the_stored_picture_where_it_is_left_so() -> None:
    facts = still(10, 40, orientation=Orientation.LEFT)
    limits = Limits(max_output_pixels=450)
    check_output(Grammar().parse("resize:30x30,enlarge"), facts, limits)
    wide = Grammar().parse("orient:none/resize:40x,enlarge")
    check_output(wide, facts, limits)
    with pytest.raises(OutputTooLarge):
        check_output(Grammar().parse("resize:40x,enlarge"), facts, limits)
