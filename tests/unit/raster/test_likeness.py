"""How much alike two pictures look."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

from imgsvc.raster.likeness import SMALLEST, Likeness, luma
from tests.photos import picture


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


def by_hand(a: Image.Image, b: Image.Image) -> float:
    """The same with numpy."""

    def squares(image: Image.Image) -> np.ndarray:
        half = np.asarray(image.convert("L").reduce(2), np.float64)[2:, 2:]
        rows, columns = half.shape[0] // 4, half.shape[1] // 4
        return half[: rows * 4, : columns * 4].reshape(rows, 4, columns, 4).swapaxes(1, 2).reshape(-1, 16)

    x, y = squares(a), squares(b)
    mx, my = x.mean(1), y.mean(1)
    cross = (x * y).mean(1) - mx * my
    alike = ((2 * mx * my + 6.5025) * (2 * cross + 58.5225)) / (
        (mx**2 + my**2 + 6.5025) * (x.var(1) + y.var(1) + 58.5225)
    )
    worst = np.sort(alike)[: -(-len(alike) // 4)]
    return float(1 - worst.mean())


@pytest.mark.parametrize("quality", [40, 75, 95])
@pytest.mark.parametrize("size", [(164, 124), (68, 100)])
def test_it_is_ssim_of_the_worst_quarter_at_half_the_size(quality: int, size: tuple[int, int]) -> None:
    image = picture(*size)
    other = jpeg(image, quality)
    assert Likeness(image).difference(other) == pytest.approx(by_hand(image, other), abs=0.0015)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_a_picture_is_like_itself(mode: str) -> None:
    image = picture(mode="RGBA").convert(mode)
    assert Likeness(image).difference(image.copy()) == 0


def test_the_worse_it_looks_the_greater_is_the_difference() -> None:
    image = picture(320, 240)
    likeness = Likeness(image)
    by_quality = [likeness.difference(jpeg(image, quality)) for quality in range(95, 5, -10)]
    assert by_quality == sorted(by_quality)
    by_blur = [likeness.difference(image.filter(ImageFilter.GaussianBlur(sigma))) for sigma in (0.5, 1, 2, 4)]
    assert by_blur == sorted(by_blur)
    assert likeness.difference(Image.new("RGB", image.size)) > 0.5


def test_a_small_part_that_looks_bad_is_not_outvoted_by_a_clear_sky() -> None:
    image = Image.new("RGB", (400, 400), "skyblue")
    image.paste(picture(200, 200), (100, 100))
    blurred = image.copy()
    blurred.paste(image.crop((100, 100, 300, 300)).filter(ImageFilter.GaussianBlur(3)), (100, 100))
    part = Likeness(image.crop((100, 100, 300, 300))).difference(blurred.crop((100, 100, 300, 300)))
    # In the mean of all it would be less than a quarter.
    assert Likeness(image).difference(blurred) > part / 3


def test_what_nobody_sees_makes_no_difference() -> None:
    image = picture(mode="RGBA")
    image.putalpha(0)
    other = picture(mode="RGBA", seed=9)
    other.putalpha(0)
    assert Likeness(image).difference(other) == 0
    assert luma(image).getextrema() == (255, 255)


@pytest.mark.parametrize("size", [(SMALLEST, SMALLEST), (SMALLEST, 300), (301, SMALLEST + 1)])
def test_the_smallest_can_be_compared(size: tuple[int, int]) -> None:
    image = picture(*size)
    assert Likeness(image).difference(jpeg(image, 10)) > Likeness(image).difference(jpeg(image, 90))
