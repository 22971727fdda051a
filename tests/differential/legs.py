"""Both resamplers, and how far pictures are apart."""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image

from imgsvc.imaging import Limits, render
from imgsvc.pipeline import Grammar
from imgsvc.raster import resample

#: Ours with SIMD, where there is a wheel, and with Pillow's resize.
LEGS = [False, True] if resample.simd_installed() else [False]
NAMES = ["pillow", "simd"][: len(LEGS)]


def ours(source: bytes, ops: str, *, simd: bool, limits: Limits | None = None) -> Image.Image:
    """What we make of a source, decoded from a lossless file."""
    with resample.leg(simd=simd):
        (result,) = render(source, [("it", Grammar().parse(f"{ops}/png"))], limits or Limits())
    return Image.open(io.BytesIO(result.data))


def psnr(one: Image.Image, other: Image.Image) -> float:
    """Decibels between two pictures of one mode and size."""
    assert (one.mode, one.size) == (other.mode, other.size)
    error = np.asarray(one, dtype=np.float64) - np.asarray(other, dtype=np.float64)
    mean = float(np.mean(error**2))
    return 10 * math.log10(255**2 / mean) if mean else math.inf


def worst(one: Image.Image, other: Image.Image) -> int:
    """The largest difference in any channel of any pixel."""
    assert (one.mode, one.size) == (other.mode, other.size)
    return int(np.abs(np.asarray(one, dtype=np.int16) - np.asarray(other, dtype=np.int16)).max())
