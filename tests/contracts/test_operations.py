"""What every operation promises; a new file in the room is picked up by itself."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from imgsvc import formats, operations
from imgsvc.operations import Context, Operation
from imgsvc.raster.geometry import Size
from tests.contracts.declarations import check_declaration
from tests.contracts.uses import example, variations
from tests.photos import picture

ALL = operations.registry(testing=True)
#: Those that may be run here; the others are lethal.
HARMLESS = operations.registry()
MODES = ("L", "LA", "RGB", "RGBA")
SIZES = (Size(1, 1), Size(1, 37), Size(53, 1), Size(7, 5), Size(64, 48))
#: Kept small: some of the largest arguments make large pictures of it.
SMALL = Size(7, 5)

every = pytest.mark.parametrize("name", HARMLESS)
in_every_mode = pytest.mark.parametrize("mode", MODES)


def used(name: str) -> Operation:
    """The operation's own example."""
    made = example(HARMLESS[name])
    assert isinstance(made, Operation)
    return made


def source(size: Size, mode: str, seed: int = 0) -> Image.Image:
    """A picture with, where the mode has alpha, a hole, a solid part and everything between."""
    made = picture(*size, mode="RGBA", seed=seed)
    across = np.linspace(-100, 355, size.width)[None, :].clip(0, 255).astype(np.uint8)
    made.putalpha(Image.fromarray(np.repeat(across, size.height, 0)))
    return made.convert(mode) if mode.endswith("A") else made.convert("RGB").convert(mode)


def run(operation: Operation, image: Image.Image) -> Image.Image:
    return operation.apply(image, Context(size=Size(*image.size)))


def seen(image: Image.Image) -> np.ndarray:
    """The picture as a viewer has it: premultiplied, four channels."""
    return np.asarray(image.convert("RGBA").convert("RGBa"), np.int16)


@pytest.mark.parametrize("name", ALL)
def test_it_declares_what_grammar_docs_and_callers_need(name: str) -> None:
    check_declaration(ALL[name])


def test_no_operation_has_the_name_of_a_format() -> None:
    assert not set(ALL) & set(formats.registry())


@every
@in_every_mode
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_it_works_on_every_mode_and_size_and_tells_the_size_beforehand(
    name: str, mode: str, size: Size
) -> None:
    made = run(used(name), source(size, mode))
    assert made.size == used(name).size_after(size)
    assert made.mode in MODES


@every
def test_it_works_at_the_ends_of_what_it_allows(name: str) -> None:
    for operation in variations(HARMLESS[name]):
        assert isinstance(operation, Operation)
        for mode in ("L", "RGBA"):
            made = run(operation, source(SMALL, mode))
            assert made.size == operation.size_after(SMALL), operation
            assert made.mode in MODES, operation


@every
@in_every_mode
def test_it_does_the_same_twice(name: str, mode: str) -> None:
    image = source(Size(64, 48), mode)
    first, second = run(used(name), image), run(used(name), image)
    assert (first.mode, first.tobytes()) == (second.mode, second.tobytes())


@every
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_the_colours_of_invisible_pixels_are_never_seen(name: str, mode: str) -> None:
    image = source(Size(64, 48), mode)
    other = picture(64, 48, mode="RGB", seed=9).convert(mode[:-1]).convert(mode)
    other.putalpha(image.getchannel("A"))
    other.paste(image, mask=image.getchannel("A").point([0] + [255] * 255))
    assert image.tobytes() != other.tobytes()
    for operation in variations(HARMLESS[name]):
        assert isinstance(operation, Operation)
        small = operation.size_after(Size(64, 48)).pixels < 1_000_000
        if small:
            difference = np.abs(seen(run(operation, image)) - seen(run(operation, other)))
            assert difference.max() == 0, operation


@every
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_it_keeps_alpha_unless_it_lays_the_picture_on_a_colour(name: str, mode: str) -> None:
    operation = used(name)
    grounds = {getattr(operation, field, None) for field in ("background", "color")} - {None}
    if not grounds:
        assert run(operation, source(Size(64, 48), mode)).mode.endswith("A")


@every
@in_every_mode
def test_frames_that_are_alike_stay_alike(name: str, mode: str) -> None:
    frames = [run(used(name), source(Size(64, 48), mode, seed)) for seed in range(3)]
    blank = run(used(name), Image.new(mode, (64, 48)))
    assert {(frame.mode, frame.size) for frame in [*frames, blank]} == {(blank.mode, blank.size)}


@every
def test_it_says_truly_whether_it_looks_the_same_on_a_smaller_picture(name: str) -> None:
    size, half = Size(128, 96), Size(64, 48)
    full = source(size, "RGB").resize(half, Image.Resampling.BOX).resize(size, Image.Resampling.BICUBIC)
    for operation in variations(HARMLESS[name]):
        assert isinstance(operation, Operation)
        if not operation.scales:
            continue
        after = operation.size_after(size)
        assert operation.size_after(half) == (after.width // 2, after.height // 2), operation
        large, small = run(operation, full), run(operation, full.reduce(2))
        error = np.abs(seen(large.reduce(2)) - seen(small))
        assert error.mean() < 1.5, operation


@every
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_it_needs_no_more_pixels_than_it_says(name: str, size: Size) -> None:
    for operation in variations(HARMLESS[name]):
        assert isinstance(operation, Operation)
        factor, after = operation.reduction(size), operation.size_after(size)
        assert factor >= 1
        if factor > 1:
            assert factor <= max(size.width / after.width, size.height / after.height) + 1e-9


@every
def test_in_the_colours_of_the_source_it_takes_cmyk_and_gives_cmyk(name: str) -> None:
    operation = used(name)
    if operation.native and operation.reduction(Size(64, 48)) == 1:
        made = run(operation, picture(64, 48).convert("CMYK"))
        assert made.mode == "CMYK"


@every
def test_it_is_a_value(name: str) -> None:
    assert used(name) == used(name)
    assert hash(used(name)) == hash(used(name))
    assert isinstance(used(name).sources(), tuple)
