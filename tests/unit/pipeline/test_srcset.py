"""What an output with widths and formats becomes for a source of a size."""

from __future__ import annotations

import pytest

from imgsvc.formats import Format
from imgsvc.pipeline import Grammar, Srcset
from imgsvc.pipeline.srcset import SUFFIX, member, rival
from imgsvc.raster.geometry import MAX_SIDE, Size

SIZE = Size(4000, 3000)
GRAMMAR = Grammar()


def wanted(ops: str, *widths: int, formats: str = "") -> Srcset:
    kinds = [GRAMMAR.parse(text).format for text in formats.split()]
    return Srcset(GRAMMAR.parse(ops), widths, tuple(kind for kind in kinds if isinstance(kind, Format)))


def members(ops: str, *widths: int, formats: str = "", size: Size = SIZE) -> dict[str, str]:
    found = wanted(ops, *widths, formats=formats).members("hero", size, source_format="jpeg", alpha=False)
    return {name: pipeline.text for name, pipeline in found.items()}


def test_each_width_is_a_pipeline_of_its_own_the_largest_first() -> None:
    assert members("resize:1600x/webp:82", 320, 640) == {
        "hero-640.webp": "resize:640x/webp:82",
        "hero-320.webp": "resize:320x/webp:82",
    }


def test_each_width_comes_in_each_format() -> None:
    assert members("grayscale/resize:1600x", 320, 640, formats="avif webp:70 jpeg") == {
        "hero-640.avif": "grayscale/resize:640x/avif",
        "hero-640.webp": "grayscale/resize:640x/webp:70",
        "hero-640.jpg": "grayscale/resize:640x/jpeg",
        "hero-320.avif": "grayscale/resize:320x/avif",
        "hero-320.webp": "grayscale/resize:320x/webp:70",
        "hero-320.jpg": "grayscale/resize:320x/jpeg",
    }


@pytest.mark.parametrize(
    ("ops", "small"),
    [
        ("resize:1600x", "resize:640x/jpeg"),
        ("resize:1600x1000,filter=bicubic", "resize:640x,filter=bicubic/jpeg"),
        ("thumbnail:1600x1600", "thumbnail:640x/jpeg"),
        ("resize:1600x900,fit=cover", "resize:1600x900,fit=cover/resize:640x/jpeg"),
        ("resize:1600x,enlarge", "resize:1600x,enlarge/resize:640x/jpeg"),
        ("resize:1600x/blur", "resize:1600x/blur/resize:640x/jpeg"),
        ("crop:2000x2000", "crop:2000x2000/resize:640x/jpeg"),
        ("jpeg", "resize:640x/jpeg"),
    ],
)
def test_a_resize_at_the_end_that_keeps_the_ratio_is_asked_for_the_width(ops: str, small: str) -> None:
    assert members(ops, 640) == {"hero-640.jpg": small}


def test_the_width_of_the_pipeline_itself_needs_no_further_resize() -> None:
    assert members("resize:1600x900,fit=cover", 640, 1600) == {
        "hero-1600.jpg": "resize:1600x900,fit=cover/jpeg",
        "hero-640.jpg": "resize:1600x900,fit=cover/resize:640x/jpeg",
    }


def test_widths_above_that_of_the_pipeline_are_left_out() -> None:
    assert list(members("resize:1600x", 320, 1600, 1601, 4000)) == ["hero-1600.jpg", "hero-320.jpg"]
    assert list(members("resize:1600x", 320, 1600, size=Size(1599, 900))) == ["hero-320.jpg"]


def test_where_no_width_is_left_the_picture_of_the_pipeline_is_the_only_one() -> None:
    assert members("resize:1600x", 2000, 3000) == {"hero-1600.jpg": "resize:1600x/jpeg"}
    assert members("jpeg", 320, size=Size(200, 100)) == {"hero-200.jpg": "jpeg"}


def test_auto_is_what_every_client_can_show() -> None:
    def found(ops: str, *, alpha: bool = False, moves: bool = False) -> list[str]:
        members = wanted(ops, 8).members("a", SIZE, source_format="png", alpha=alpha, moves=moves)
        return list(members)

    assert found("auto") == ["a-8.avif", "a-8.webp", "a-8.jpg"]
    assert found("auto", alpha=True) == ["a-8.avif", "a-8.webp", "a-8.png"]
    assert found("background:white/auto", alpha=True) == ["a-8.avif", "a-8.webp", "a-8.jpg"]
    assert found("auto", alpha=True, moves=True) == ["a-8.webp", "a-8.gif"]
    assert wanted("auto", 8).most == 3


def test_formats_alone_give_the_picture_of_the_pipeline_in_each() -> None:
    assert members("resize:100x", formats="webp png") == {
        "hero-100.webp": "resize:100x/webp",
        "hero-100.png": "resize:100x/png",
    }


def test_a_picture_that_is_not_turned_is_always_resized() -> None:
    """How it lies is not known any more when its image was stored before."""
    assert members("orient:none", 4000) == {"hero-4000.jpg": "orient:none/resize:4000x/jpeg"}


@pytest.mark.parametrize("ops", ["resize:1600x", "resize:1111x900,fit=cover", "crop:0.7x0.4", "flip"])
def test_every_member_is_as_wide_as_its_name_says(ops: str) -> None:
    found = wanted(ops, 1, 7, 333, 640, 1111).members(
        "hero", Size(2003, 1501), source_format="jpeg", alpha=False
    )
    for name, pipeline in found.items():
        assert name == f"hero-{pipeline.sizes(Size(2003, 1501))[-1].width}.jpg"
        assert GRAMMAR.parse(pipeline.text) == pipeline


def test_how_many_results_there_are_at_most() -> None:
    assert wanted("resize:9x", 1, 2, 3, formats="webp jpeg").most == 6
    assert wanted("resize:9x", 1, 2).most == 2
    assert wanted("resize:9x", formats="webp jpeg").most == 2


def test_how_many_operations_the_longest_member_has() -> None:
    assert wanted("blur/resize:9x", 1).longest == 2
    assert wanted("resize:9x/blur", 1).longest == 3


def test_equal_wishes_mean_the_same_and_others_do_not() -> None:
    one = wanted("resize:1600x", 320, 640, formats="webp jpeg")
    assert one.meaning == wanted("resize:1600x,fit=contain", 320, 640, formats="webp:80 jpg").meaning
    assert one.meaning != wanted("resize:1600x", 320, 640, formats="jpeg webp").meaning
    assert one.meaning != wanted("resize:1600x", 320, formats="webp jpeg").meaning


@pytest.mark.parametrize(
    ("other", "rivals"),
    [
        ("hero-640.webp", True),
        ("hero-1.jpg", True),
        ("hero-640.webp.png", False),
        ("hero-wide.webp", False),
        ("hero-640", False),
        ("hero.webp", False),
        ("xhero-640.webp", False),
        ("hero-640xwebp", False),
    ],
)
def test_a_name_that_a_member_might_have_is_a_rival(other: str, *, rivals: bool) -> None:
    assert rival("hero", ["hero", other, "thumb"]) == (other if rivals else None)


def test_a_dot_in_a_name_is_a_dot() -> None:
    assert rival("h.ro", ["hero-640.webp"]) is None


def test_no_suffix_is_longer_than_is_told() -> None:
    avif = GRAMMAR.parse("avif").format
    assert isinstance(avif, Format)
    assert len(member("", MAX_SIDE, avif)) == SUFFIX
