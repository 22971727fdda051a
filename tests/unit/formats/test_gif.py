"""What GIF can hold, and what becomes of what it can't."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from imgsvc.formats import Picture
from imgsvc.formats.gif import Gif
from tests.photos import picture


def encoded(*frames: Image.Image, durations: tuple[int, ...] = (), loop: int | None = None) -> Image.Image:
    file = io.BytesIO()
    Gif().encode(Picture(frames, durations, loop), file)
    return Image.open(file)


def times(image: Image.Image) -> list[int]:
    found = []
    for index in range(getattr(image, "n_frames", 1)):
        image.seek(index)
        found.append(image.info["duration"])
    return found


def few(colours: int, size: tuple[int, int] = (40, 30)) -> Image.Image:
    random = np.random.default_rng(colours)
    palette = random.integers(0, 256, (colours, 3), dtype=np.uint8)
    return Image.fromarray(palette[random.integers(0, colours, (size[1], size[0]))])


@pytest.mark.parametrize("colours", [1, 2, 17, 256])
def test_a_picture_of_up_to_256_colours_loses_nothing(colours: int) -> None:
    image = few(colours)
    assert encoded(image).convert("RGB").tobytes() == image.tobytes()


def test_with_a_hole_255_colours_lose_nothing() -> None:
    image = few(200).convert("RGBA")
    image.paste((9, 9, 9, 0), (5, 5, 20, 20))
    made = np.asarray(encoded(image).convert("RGBA"))
    want = np.asarray(image)
    assert (made[..., 3] == want[..., 3]).all()
    assert (made[want[..., 3] > 0] == want[want[..., 3] > 0]).all()


def test_alpha_is_on_or_off() -> None:
    image = Image.new("LA", (256, 1))
    image.putalpha(Image.frombytes("L", (256, 1), bytes(range(256))))
    made = np.asarray(encoded(image).convert("RGBA").getchannel("A"))
    assert made.tolist() == [[0] * 128 + [255] * 128]


def test_a_gray_picture_keeps_every_level() -> None:
    image = Image.frombytes("L", (256, 1), bytes(range(256)))
    assert encoded(image).convert("L").tobytes() == image.tobytes()


@pytest.mark.parametrize("size", [(160, 120), (900, 700)])
def test_a_photograph_of_many_colours_looks_the_same_from_afar(size: tuple[int, int]) -> None:
    image = picture(*size)
    made = encoded(image).convert("RGB").reduce(4)
    error = np.asarray(made, np.int16) - np.asarray(image.reduce(4), np.int16)
    assert np.abs(error).mean() < 3


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ((100, 100, 100), [100, 100, 100]),
        ((25, 25, 25, 25), [30, 20, 30, 20]),
        ((33, 33, 34), [30, 40, 30]),
        ((16, 16, 16, 16), [20, 20, 20, 20]),
        ((10, 10, 10), [10, 10, 10]),
        ((0, 0, 100), [0, 0, 100]),
        ((10_000_000, 20), [655_350, 20]),
    ],
)
def test_times_are_rounded_without_drifting_and_short_ones_stay_longer_than_unsaid(
    given: tuple[int, ...], told: list[int]
) -> None:
    frames = [few(9 + index) for index in range(len(given))]
    assert times(encoded(*frames, durations=given, loop=0)) == told


@pytest.mark.parametrize(("plays", "told"), [(None, None), (0, 0), (1, None), (2, 1), (5, 4)])
def test_plays_are_told_as_repeats(plays: int | None, told: int | None) -> None:
    made = encoded(few(3), few(4), durations=(50, 50), loop=plays)
    assert made.info.get("loop") == told


def test_a_hole_that_moves_leaves_nothing_behind() -> None:
    frames = []
    for index in range(4):
        frame = few(20).convert("RGBA")
        frame.paste((0, 0, 0, 0), (index * 8, 0, index * 8 + 16, 20))
        frames.append(frame)
    made = encoded(*frames, durations=(50,) * 4)
    for index, frame in enumerate(frames):
        made.seek(index)
        got, want = np.asarray(made.convert("RGBA")), np.asarray(frame)
        assert (got[..., 3] == want[..., 3]).all()
        assert (got[want[..., 3] > 0] == want[want[..., 3] > 0]).all()


def test_frames_that_are_the_same_are_one_shown_longer() -> None:
    made = encoded(few(5), few(5), few(6), durations=(50, 70, 90), loop=0)
    assert times(made) == [120, 90]
