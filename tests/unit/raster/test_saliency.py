"""Gravity by content: what is found in a picture made for it."""

from __future__ import annotations

import io
import time
from collections.abc import Callable

import pytest
from PIL import Image, ImageDraw

from imgsvc.imaging import Limits, render
from imgsvc.pipeline import Grammar
from imgsvc.raster import saliency
from imgsvc.raster.geometry import CENTER, Gravity
from imgsvc.raster.orientation import Orientation
from tests.photos import picture

ENTROPY, ATTENTION = Gravity.parse("entropy"), Gravity.parse("attention")


def detail(at: tuple[int, int], wall: int = 120) -> Image.Image:
    """A plain wall with a photograph on it."""
    image = Image.new("RGB", (600, 300), (wall, wall, wall))
    image.paste(picture(100, 100), at)
    return image


def face(at: tuple[int, int]) -> Image.Image:
    """A gray texture, and something of the colour of skin."""
    image = picture(600, 300, mode="L").convert("RGB")
    ImageDraw.Draw(image).ellipse((*at, at[0] + 90, at[1] + 100), fill=(224, 172, 140))
    return image


@pytest.mark.parametrize("at", [(10, 20), (480, 180), (250, 10)])
@pytest.mark.parametrize(("gravity", "scene"), [(ENTROPY, detail), (ATTENTION, face)])
def test_the_part_that_matters_is_found(
    gravity: Gravity, scene: Callable[[tuple[int, int]], Image.Image], at: tuple[int, int]
) -> None:
    found = saliency.settle(gravity, scene(at), (0.3, 0.6))
    assert found.focus is not None
    x, y = found.focus[0] * 600, found.focus[1] * 300
    assert x - 90 <= at[0] + 50 <= x + 90
    assert y - 90 <= at[1] + 50 <= y + 90


@pytest.mark.parametrize("orientation", Orientation)
def test_it_is_found_where_it_is_seen_however_the_picture_lies(orientation: Orientation) -> None:
    stored = detail((10, 20))
    lying = saliency.settle(ENTROPY, stored, (0.5, 0.5), orientation)
    assert lying == saliency.settle(ENTROPY, orientation.upright(stored), (0.5, 0.5))


@pytest.mark.parametrize("gravity", [ENTROPY, ATTENTION])
def test_where_nothing_stands_out_it_is_the_middle(gravity: Gravity) -> None:
    found = saliency.settle(gravity, Image.new("RGB", (320, 320), "gray"), (0.5, 1.0))
    assert found.focus == (0.5, 0.5)
    assert saliency.settle(gravity, picture(), (1.0, 1.0)) == CENTER


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "CMYK"])
@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (33, 20)])
def test_any_picture_can_be_looked_at(mode: str, size: tuple[int, int]) -> None:
    for gravity in (ENTROPY, ATTENTION):
        saliency.settle(gravity, picture(*size, mode="L").convert(mode), (0.5, 0.5))


def test_other_gravities_stay_what_they_are() -> None:
    for text in ("center", "se", "0.1x0.9"):
        assert saliency.settle(Gravity.parse(text), picture(), (0.5, 0.5)) == Gravity.parse(text)


def test_looking_costs_little() -> None:
    image = picture(1600, 1200)
    started = time.process_time()
    saliency.settle(ENTROPY, image, (0.5, 0.5))
    saliency.settle(ATTENTION, image, (0.5, 0.5))
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize("ops", ["resize:100x100,fit=cover,gravity=entropy", "crop:100x100,gravity=entropy"])
def test_all_frames_of_an_animation_are_cut_at_the_same_place(ops: str) -> None:
    frames = [detail((10, 20)), detail((480, 20), 90), detail((480, 180), 150)]
    file = io.BytesIO()
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:], duration=50, lossless=True)
    (result,) = render(file.getvalue(), [("it", Grammar().parse(f"{ops}/webp:80,lossless"))], Limits())
    moving = Image.open(io.BytesIO(result.data))
    seen = []
    for index in range(3):
        moving.seek(index)
        seen.append(len(moving.convert("RGB").getcolors(100_000) or []) > 50)
    assert seen == [True, False, False], "only the first frame has its detail where the first frame has it"
