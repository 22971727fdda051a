"""Every operation on animations: each frame done, its time and the number of plays kept."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from imgsvc import operations
from imgsvc.imaging import Limits, render
from imgsvc.pipeline import Grammar
from imgsvc.raster.geometry import Size
from tests.photos import picture

TIMES = (100, 40, 500, 70)
#: (format, mode, loop as Pillow tells it)
SOURCES = [("gif", "RGB", 0), ("gif", "RGBA", 2), ("webp", "RGB", 3), ("webp", "RGBA", 0)]


def frames(mode: str) -> list[Image.Image]:
    """Four pictures; where they have alpha, a hole that moves."""
    made = [picture(24, 18, mode="RGB", seed=seed).convert(mode) for seed in range(4)]
    for index, frame in enumerate(made):
        if mode == "RGBA":
            frame.paste((0, 0, 0, 0), (3 + index, 2, 12 + index, 9))
    return made


def animation(format: str, mode: str, loop: int) -> bytes:
    file = io.BytesIO()
    first, *others = frames(mode)
    more = {"disposal": 2} if format == "gif" else {"lossless": True}
    first.save(file, format, save_all=True, append_images=others, duration=list(TIMES), loop=loop, **more)
    return file.getvalue()


def shown(data: bytes) -> tuple[list[Image.Image], list[int], int | None]:
    """Frames, times, loop."""
    image = Image.open(io.BytesIO(data))
    pictures, times = [], []
    for index in range(getattr(image, "n_frames", 1)):
        image.seek(index)
        image.load()
        pictures.append(image.convert("RGBA"))
        times.append(image.info.get("duration", 0))
    return pictures, times, image.info.get("loop")


def rendered(data: bytes, ops: str) -> bytes:
    (result,) = render(data, [("default", Grammar().parse(ops))], Limits())
    return bytes(result.data)


@pytest.mark.parametrize(("format", "mode", "loop"), SOURCES)
@pytest.mark.parametrize("name", operations.registry())
def test_an_operation_keeps_frames_times_and_plays(name: str, format: str, mode: str, loop: int) -> None:
    ops = operations.registry()[name].example
    made, times, told = shown(rendered(animation(format, mode, loop), ops))
    assert len(made) == len(TIMES)
    assert (times, told) == (list(TIMES), loop)
    assert {frame.size for frame in made} == set(Grammar().parse(ops).sizes(Size(24, 18)))


@pytest.mark.parametrize(("format", "mode", "loop"), SOURCES)
def test_frames_that_nothing_was_done_to_are_what_they_were(format: str, mode: str, loop: int) -> None:
    source = animation(format, mode, loop)
    before, _, _ = shown(source)
    after, _, _ = shown(rendered(source, f"orient/{format}" + (":lossless=true" if format == "webp" else "")))
    for one, other in zip(before, after, strict=True):
        difference = np.asarray(one.convert("RGBa"), np.int16) - np.asarray(other.convert("RGBa"), np.int16)
        assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("target", ["gif", "webp", "avif"])
@pytest.mark.parametrize(("format", "mode", "loop"), SOURCES)
def test_an_animation_moves_on_in_every_format_that_can(
    format: str, mode: str, loop: int, target: str
) -> None:
    plays = loop + 1 if format == "gif" and loop else loop
    _, times, told = shown(rendered(animation(format, mode, loop), target))
    assert times == list(TIMES)
    if target == "webp":
        assert told == plays
    if target == "gif":
        assert told == (plays - 1 if plays else 0)


@pytest.mark.parametrize("target", ["jpeg", "png"])
def test_a_format_without_motion_shows_the_first_frame_and_says_so(target: str) -> None:
    (result,) = render(animation("webp", "RGB", 0), [("default", Grammar().parse(target))], Limits())
    made, _, _ = shown(bytes(result.data))
    assert len(made) == 1
    assert "first of 4 frames" in result.warnings[0]
