"""Pictures as numbers: what the tests of single operations compute their own answers with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from imgsvc.operations import Context
from imgsvc.pipeline import Grammar
from imgsvc.raster.geometry import Size
from tests.photos import picture

Pixels = npt.NDArray[np.float64]

MODES = ("L", "LA", "RGB", "RGBA")


def apply(ops: str, image: Image.Image) -> Image.Image:
    """The picture after the operations of a pipeline."""
    for operation in Grammar().parse(ops).operations:
        image = operation.apply(image, Context(size=Size(*image.size)))
    return image


def source(mode: str = "RGB", width: int = 61, height: int = 47, seed: int = 0) -> Image.Image:
    """A picture, with every alpha from 0 to 255 where the mode has one."""
    made = picture(width, height, mode="RGBA", seed=seed)
    return made.convert(mode) if mode.endswith("A") else made.convert("RGB").convert(mode)


def pixels(image: Image.Image) -> Pixels:
    """Height x width x channels, 0 to 255."""
    array = np.asarray(image, np.float64)
    return array[..., None] if array.ndim == 2 else array


def colour(image: Image.Image) -> Pixels:
    """The colour channels, as the picture stores them."""
    array = pixels(image)
    return array[..., :-1] if image.mode.endswith("A") else array


def alpha(image: Image.Image) -> Pixels:
    """The alpha channel; 255 where there is none."""
    return np.asarray(image.convert("RGBA").getchannel("A"), np.float64)


def half_up(values: Pixels) -> Pixels:
    """Levels: rounded half up, kept within 0 to 255."""
    return np.clip(np.floor(values + 0.5), 0, 255)


def worst(first: Pixels, second: Pixels) -> float:
    """The largest difference."""
    assert first.shape == second.shape
    return float(np.abs(first - second).max())
