"""Which master a pipeline starts from, at every border."""

from __future__ import annotations

import pytest

from imgsvc.imaging import Facts
from imgsvc.imaging.levels import Level, level, levels
from imgsvc.pipeline import Grammar
from imgsvc.raster.geometry import Size

SIDE, GAP = 2048, 1.5


def facts(
    width: int = 4000,
    height: int = 3000,
    format: str = "jpeg",
    frames: int = 1,
    *,
    has_alpha: bool = False,
) -> Facts:
    return Facts(format=format, width=width, height=height, frames=frames, has_alpha=has_alpha)


def chosen(ops: str, its: Facts, *, side: int = SIDE, gap: float = GAP) -> str | None:
    found = level(its, Grammar().parse(ops), side, gap)
    return None if found is None else str(found)


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (1, "8"),
        (333, "8"),  # 4000 / 8 is 1.5 times 333 and a bit more
        (334, "4"),
        (666, "4"),
        (667, "2"),
        (1333, "2"),
        (1334, None),
        (4000, None),
    ],
)
@pytest.mark.parametrize("format", ["jpeg", "webp"])
def test_what_its_decoder_reduces_starts_from_the_reduction_that_would_be_decoded(
    format: str, width: int, expected: str | None
) -> None:
    assert chosen(f"resize:{width}x", facts(format=format)) == expected


@pytest.mark.parametrize(("width", "expected"), [(500, "8"), (501, "4"), (2000, "2"), (2001, None)])
def test_the_gap_of_reduced_decodes_is_the_operators(width: int, expected: str | None) -> None:
    assert chosen(f"resize:{width}x", facts(), gap=1) == expected


@pytest.mark.parametrize(("width", "expected"), [(1, "m2048"), (682, "m2048"), (683, None), (4000, None)])
@pytest.mark.parametrize(("format", "has_alpha"), [("png", False), ("webp", True), ("avif", False)])
def test_whatever_else_starts_from_a_picture_three_times_as_large_as_needed(
    format: str, width: int, expected: str | None, *, has_alpha: bool
) -> None:
    its = facts(format=format, has_alpha=has_alpha)
    assert chosen(f"resize:{width}x", its) == expected


@pytest.mark.parametrize(("longer", "some"), [(2047, False), (2048, False), (2049, True)])
@pytest.mark.parametrize("format", ["jpeg", "png"])
def test_only_what_is_larger_than_masters_has_any(format: str, longer: int, some: bool) -> None:
    for size in ((longer, 100), (100, longer)):
        assert bool(levels(facts(*size, format=format), SIDE)) is some
        assert (chosen("resize:10x", facts(*size, format=format)) is not None) is some


@pytest.mark.parametrize(
    ("longer", "expected"),
    [(2049, "248"), (6144, "248"), (6145, "48"), (12288, "48"), (12289, "8"), (24576, "8"), (24577, "")],
)
def test_a_decoders_own_reductions_may_be_half_as_large_again(longer: int, expected: str) -> None:
    assert "".join(map(str, levels(facts(longer, 100), SIDE))) == expected


def test_a_reduction_that_is_too_large_to_be_kept_is_decoded_each_time() -> None:
    assert chosen("resize:2000x", facts(8000, 6000)) is None
    assert chosen("resize:1000x", facts(8000, 6000)) == "4"


def test_what_is_not_reduced_by_its_decoder_has_one_master() -> None:
    assert [str(its) for its in levels(facts(format="png"), SIDE)] == ["m2048"]


@pytest.mark.parametrize("format", ["jpeg", "png"])
@pytest.mark.parametrize(
    "ops",
    [
        "",
        "grayscale",
        "crop:1000x1000/resize:100x",
        "blur/resize:100x",
        "pixelate/resize:100x",
        "resize:100x,filter=nearest",
        "orient:none/resize:100x",
        "resize:8000x,enlarge/resize:100x",
    ],
)
def test_pipelines_that_need_all_pixels_start_from_the_original(ops: str, format: str) -> None:
    assert chosen(ops, facts(format=format)) is None


@pytest.mark.parametrize(
    "ops",
    [
        "thumbnail",
        "resize:200x200,fit=cover",
        "grayscale/flip/resize:200x",
        "keep:icc,copyright/resize:200x",
        "orient/resize:200x/blur",
    ],
)
def test_pipelines_that_look_the_same_on_fewer_pixels_start_from_a_master(ops: str) -> None:
    assert chosen(ops, facts()) == "8"
    assert chosen(ops, facts(format="png")) == "m2048"


def test_animations_have_no_masters() -> None:
    its = facts(format="webp", frames=2)
    assert (levels(its, SIDE), chosen("resize:100x", its)) == ((), None)


def test_a_side_of_0_means_that_there_are_no_masters() -> None:
    assert (levels(facts(), 0), chosen("resize:100x", facts(), side=0)) == ((), None)


@pytest.mark.parametrize("its", [Level(2), Level(4), Level(8), Level(side=2048), Level(side=1)])
def test_a_level_is_told_apart_by_its_text(its: Level) -> None:
    assert Level.parse(str(its)) == its


@pytest.mark.parametrize("text", ["", "m", "half", "m2048x"])
def test_what_is_no_level_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        Level.parse(text)


def test_results_from_a_decoders_own_reduction_go_by_the_name_of_those_from_the_original() -> None:
    assert [Level(8).path, Level(side=2048).path, Level(side=1024).path] == ["direct", "m2048", "m1024"]


@pytest.mark.parametrize(
    ("its", "stored", "expected"),
    [
        (Level(8), (4001, 3000), (501, 375)),
        (Level(2), (3, 1), (2, 1)),
        (Level(side=2048), (4000, 3000), (2048, 1536)),
        (Level(side=2048), (3000, 4000), (1536, 2048)),
        (Level(side=2048), (16000, 1), (2048, 1)),
    ],
)
def test_a_masters_size_follows_from_its_pictures(
    its: Level, stored: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert its.size(Size(*stored)) == expected
