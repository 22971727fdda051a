"""What the AVIF encoder makes of its arguments."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from imgsvc.formats import Picture
from imgsvc.formats.avif import Avif
from tests.photos import picture


def encoded(format: Avif, *frames: Image.Image, durations: tuple[int, ...] = ()) -> bytes:
    file = io.BytesIO()
    format.encode(Picture(frames or (picture(),), durations), file)
    return file.getvalue()


def test_quality_costs_bytes() -> None:
    low, default, high = (len(encoded(Avif(quality=quality))) for quality in (10, 55, 95))
    assert low < default < high


def test_effort_is_of_use() -> None:
    assert len(encoded(Avif(speed=4))) < len(encoded(Avif(speed=10)))


@pytest.mark.parametrize(("mode", "stored"), [("L", "RGB"), ("LA", "RGBA"), ("RGB", "RGB"), ("RGBA", "RGBA")])
def test_every_mode_comes_back_as_it_looks(mode: str, stored: str) -> None:
    image = picture(mode="RGBA").convert(mode)
    made = Image.open(io.BytesIO(encoded(Avif(quality=90), image)))
    assert made.mode in (stored, mode)
    difference = np.asarray(made.convert("RGBA").convert("RGBa"), np.int16) - np.asarray(
        image.convert("RGBA").convert("RGBa"), np.int16
    )
    assert np.abs(difference).mean() < 4


def test_the_frames_of_an_animation_have_their_times() -> None:
    data = encoded(Avif(), *(picture(24, 18, seed=seed) for seed in range(3)), durations=(50, 70, 1000))
    made = Image.open(io.BytesIO(data))
    times = []
    for index in range(getattr(made, "n_frames", 1)):
        made.seek(index)
        made.load()
        times.append(made.info["duration"])
    assert times == [50, 70, 1000]
