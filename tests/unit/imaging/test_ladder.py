"""One picture in several sizes: what is done once, what is made of what, and what comes out."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from imgsvc.errors import OutputTooLarge
from imgsvc.imaging import Clock, Limits, Rendered, render
from imgsvc.pipeline import Grammar
from tests import profiles
from tests.photos import photo, picture

GRAMMAR = Grammar(testing=True)
LIMITS = Limits()


def climb(
    source: bytes, specs: Sequence[str], clock: Clock | None = None, *, apart: bool = False
) -> dict[str, Rendered]:
    """Outputs called after their specs, on one ladder (or each alone, `apart`)."""
    targets = [(spec, GRAMMAR.parse(spec)) for spec in specs]
    groups = [] if apart else [specs]
    return {made.name: made for made in render(source, targets, LIMITS, groups=groups, clock=clock)}


def steps(clock: Clock) -> list[tuple[str | None, str]]:
    return [(step.output, step.op) for step in clock.steps]


def opened(result: Rendered) -> Image.Image:
    return Image.open(io.BytesIO(result.data))


WIDTHS = ["resize:800x/png", "resize:400x/png", "resize:200x/png", "resize:190x/png"]


def test_every_size_is_there_and_exact() -> None:
    found = climb(photo(1001, 667), WIDTHS)
    assert [result.size for result in found.values()] == [(800, 533), (400, 267), (200, 133), (190, 127)]
    assert [opened(result).size for result in found.values()] == [result.size for result in found.values()]


def test_a_size_is_made_of_the_smallest_picture_that_is_twice_as_wide() -> None:
    clock = Clock()
    climb(photo(1000, 500, format="PNG"), WIDTHS, clock)
    before = {step.output: step.before for step in clock.steps if step.op == "resize"}
    assert before == {
        "resize:800x/png": (1000, 500),
        "resize:400x/png": (800, 400),
        "resize:200x/png": (400, 200),
        "resize:190x/png": (400, 200),
    }


def test_what_is_kept_for_smaller_sizes_is_bounded() -> None:
    """Twenty large pictures, each kept for a small one, would need the memory of all of them."""
    widths = [*range(990, 590, -20), *range(490, 290, -10)]
    specs = [f"resize:{width}x/png" for width in widths]
    clock = Clock()
    climb(photo(1000, 500, format="PNG"), specs, clock)
    starts = {step.output: step.before for step in clock.steps if step.op == "resize"}
    made, uses = dict(zip(specs, widths, strict=True)), list(starts.values())
    for moment, spec in enumerate(specs):
        kept = {(made[each], made[each] // 2) for each in specs[: moment + 1]} & set(uses[moment + 1 :])
        assert sum(width * height for width, height in kept) <= 1000 * 500, spec
    assert [its and its[0] for its in uses].count(990) > 5, "what is kept serves as many as it can"


@pytest.mark.parametrize(
    ("before", "made_of"),
    [
        ("", 800),
        ("grayscale/", 800),
        ("resize:900x450,fit=cover/", 800),
        ("blur/", 1000),
        ("border:2/", 1004),
    ],
)
def test_a_soft_picture_needs_less_to_be_made_of_another(before: str, made_of: int) -> None:
    """A JPEG has no hard lines, unless an operation has drawn some."""
    clock = Clock()
    specs = [f"{before}resize:800x/png", f"{before}resize:640x/png", f"{before}resize:600x/png"]
    climb(photo(1000, 500, format="JPEG"), specs, clock)
    starts = [step.before for step in clock.steps if step.op == "resize" and step.output in specs[1:]]
    assert [start and start[0] for start in starts] == [made_of, made_of]


def test_outputs_that_are_no_picture_together_are_made_as_if_alone() -> None:
    """What a job's other outputs are never changes a result."""
    source = photo(1000, 500, format="PNG")
    together = climb(source, WIDTHS, apart=True)
    for spec in WIDTHS:
        assert bytes(together[spec].data) == bytes(climb(source, [spec])[spec].data)


def test_common_operations_are_done_once_for_the_first() -> None:
    clock = Clock()
    specs = [f"grayscale/blur:2/resize:{width}x/webp" for width in (80, 40, 20)]
    climb(photo(), specs, clock)
    assert steps(clock) == [
        (None, "decode"),
        *((specs[0], op) for op in ("grayscale", "blur", "resize", "encode")),
        *((specs[1], op) for op in ("resize", "encode")),
        *((specs[2], op) for op in ("resize", "encode")),
    ]


def test_formats_of_one_size_share_its_pixels() -> None:
    clock = Clock()
    found = climb(photo(), ["resize:80x/png", "resize:80x/webp:80,lossless", "resize:40x/png"], clock)
    assert [op for _, op in steps(clock)] == ["decode", "resize", "encode", "encode", "resize", "encode"]
    png, webp, _ = found.values()
    assert opened(png).tobytes() == opened(webp).convert("RGB").tobytes()


def test_a_picture_in_its_own_size_costs_no_resize() -> None:
    clock = Clock()
    found = climb(photo(), ["crop:100x100/png", "crop:100x100/resize:50x/png"], clock)
    assert [op for _, op in steps(clock)] == ["decode", "crop", "encode", "resize", "encode"]
    assert [result.size for result in found.values()] == [(100, 100), (50, 50)]


def test_nearest_neighbours_are_the_source_s_own() -> None:
    source = photo(800, 400, format="PNG")
    specs = [f"resize:{width}x,filter=nearest/png" for width in (400, 100)]
    found = climb(source, specs)
    for spec in specs:
        assert bytes(found[spec].data) == bytes(climb(source, [spec])[spec].data)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photograph_is_upright_in_every_size(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x112] = orientation
    file = io.BytesIO()
    picture(600, 400).save(file, "JPEG", quality=95, exif=exif)
    specs = ["resize:200x/png", "resize:100x/png", "resize:50x/png"]
    together, apart = climb(file.getvalue(), specs), climb(file.getvalue(), specs, apart=True)
    for spec in specs:
        one, other = (np.asarray(opened(made[spec]), dtype=float) for made in (together, apart))
        assert one.shape == other.shape
        assert np.abs(one - other).mean() < 1.5


def test_every_size_is_in_srgb() -> None:
    specs = ["resize:80x/png", "resize:40x/png", "resize:20x/png"]
    source = photo(icc_profile=profiles.wide())
    together, apart = climb(source, specs), climb(source, specs, apart=True)
    for spec in specs:
        one, other = (np.asarray(opened(made[spec]), dtype=float) for made in (together, apart))
        assert np.abs(one - other).mean() < 1.5


def test_frames_of_an_animation_climb_one_by_one() -> None:
    file = io.BytesIO()
    frames = [picture(160, 120, seed=seed) for seed in range(3)]
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:], duration=[50, 120, 200], loop=0)
    clock = Clock()
    specs = ["resize:80x/webp", "resize:80x/jpeg", "resize:40x/webp", "resize:40x/jpeg"]
    found = climb(file.getvalue(), specs, clock)
    assert [result.frames for result in found.values()] == [3, 1, 3, 1]
    assert [result.size for result in found.values()] == [(80, 60), (80, 60), (40, 30), (40, 30)]
    moving = opened(found["resize:40x/webp"])
    assert getattr(moving, "n_frames", 1) == 3
    assert [op for _, op in steps(clock)].count("resize") == 2


def test_each_of_several_pictures_climbs_alone() -> None:
    specs = ["resize:80x/png", "flip/resize:60x/png", "resize:40x/png", "flip/resize:30x/png", "invert/png"]
    targets = [(spec, GRAMMAR.parse(spec)) for spec in specs]
    clock = Clock()
    found = render(photo(), targets, LIMITS, groups=[specs[0:3:2], specs[1:4:2]], clock=clock)
    assert [made.name for made in found] == specs
    assert [op for _, op in steps(clock)].count("flip") == 1


def test_what_is_too_large_is_refused_by_its_name() -> None:
    with pytest.raises(OutputTooLarge) as caught:
        climb(photo(), ["resize:9000x9000,fit=fill,enlarge/png", "resize:40x/png"])
    assert caught.value.problem.output == "resize:9000x9000,fit=fill,enlarge/png"
