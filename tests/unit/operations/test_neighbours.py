"""Operations that look at a pixel's neighbours, against numpy."""

from __future__ import annotations

from math import ceil

import numpy as np
import pytest
from PIL import Image, ImageFilter

from tests.unit.operations.arrays import MODES, Pixels, alpha, apply, pixels, source, worst


def gauss(array: Pixels, sigma: float) -> Pixels:
    """A true Gaussian, the edges continued."""
    reach = ceil(4 * sigma)
    kernel = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    kernel /= kernel.sum()
    for axis in (0, 1):
        width = [(reach, reach) if axis == other else (0, 0) for other in range(array.ndim)]
        padded = np.pad(array, width, mode="edge")
        array = np.apply_along_axis(lambda line: np.convolve(line, kernel, "valid"), axis, padded)
    return array


def premultiplied(image: Image.Image) -> Pixels:
    array = pixels(image.convert("RGBA"))
    array[..., :3] *= array[..., 3:] / 255
    return array


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sigma", [0.3, 1, 2, 5.5, 12, 20])
def test_a_blur_is_a_gaussian_of_what_is_seen(mode: str, sigma: float) -> None:
    image = source(mode, 160, 150)
    made = apply(f"blur:{sigma}", image)
    assert made.mode == mode
    error = np.abs(premultiplied(made) - gauss(premultiplied(image), sigma))
    assert error.mean() <= 1.5
    # Pillow's three box filters continue the edges three times, which a Gaussian does once.
    edge = ceil(3 * sigma)
    assert error[edge:-edge, edge:-edge].max() <= (4 if sigma >= 1 else 8)


def test_a_blur_of_one_colour_changes_nothing() -> None:
    image = Image.new("RGBA", (140, 90), (10, 200, 90, 255))
    for sigma in (0.3, 2, 9, 40, 100):
        assert apply(f"blur:{sigma}", image).tobytes() == image.tobytes()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("block", [2, 7, 16, 50, 1000])
def test_a_block_has_its_mean_colour(mode: str, block: int) -> None:
    image = source(mode, 61, 47)
    made = apply(f"pixelate:{block}", image)
    seen, before = premultiplied(made), premultiplied(image)
    for top in range(0, 47, block):
        for left in range(0, 61, block):
            part = np.s_[top : top + block, left : left + block]
            mean = before[part].mean((0, 1))
            assert np.abs(seen[part] - mean).max() <= 2


@pytest.mark.parametrize(("amount", "sigma", "threshold"), [(1, 1, 2), (3, 0.5, 0), (0.5, 8, 20)])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_sharpening_is_pillows_unsharp_mask(mode: str, amount: float, sigma: float, threshold: int) -> None:
    image = source(mode)
    made = apply(f"sharpen:{amount},sigma={sigma},threshold={threshold}", image)
    want = image.filter(ImageFilter.UnsharpMask(sigma, int(amount * 100), threshold))
    assert made.tobytes() == want.tobytes()


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_sharpening_leaves_alpha_alone_and_solid_parts_as_without_it(mode: str) -> None:
    image = source(mode)
    image.putalpha(255)
    made = apply("sharpen:2", image)
    plain = apply("sharpen:2", image.convert(mode[:-1]))
    assert worst(pixels(made.convert(mode[:-1])), pixels(plain)) == 0
    holed = source(mode)
    assert worst(alpha(apply("sharpen:2", holed)), alpha(holed)) == 0


def test_sharpening_sharpens() -> None:
    image = apply("blur:1.5", source("RGB"))
    assert (
        np.abs(np.diff(pixels(apply("sharpen:2", image)), axis=1)).mean()
        > np.abs(np.diff(pixels(image), axis=1)).mean()
    )
