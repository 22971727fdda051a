"""The perceptual hash: as numpy computes it, and what it is for."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from imgsvc.raster import phash
from tests.photos import picture


def levels_of(image: Image.Image) -> bytes:
    return image.convert("L").resize((phash.SIDE, phash.SIDE), Image.Resampling.LANCZOS).tobytes()


def expected(levels: bytes) -> str:
    grey = np.frombuffer(levels, np.uint8).reshape(32, 32).astype(float)
    places = np.arange(32)
    cosines = np.cos(np.pi * np.outer(places[:8], 2 * places + 1) / 64)
    low = cosines @ grey @ cosines.T
    bits = (low > np.median(low)).flatten()
    return f"{int(''.join('01'[int(bit)] for bit in bits), 2):016x}"


@pytest.mark.parametrize("seed", range(8))
def test_it_is_what_numpy_says(seed: int) -> None:
    levels = levels_of(picture(seed=seed))
    assert phash.encode(levels) == expected(levels)


@pytest.mark.parametrize("level", [1, 77, 255])
def test_a_flat_picture_has_only_its_mean(level: int) -> None:
    assert phash.encode(bytes([level]) * 1024) == "8000000000000000"


def test_black_has_nothing() -> None:
    assert phash.encode(bytes(1024)) == "0000000000000000"


def test_pictures_that_look_alike_are_near_and_others_are_far() -> None:
    one, other = picture(320, 240, seed=1), picture(320, 240, seed=2)
    brighter = one.point(lambda level: min(255, level * 1.2))
    smaller = one.resize((120, 90))
    of_one = phash.encode(levels_of(one))
    for alike in (brighter, smaller):
        assert phash.distance(of_one, phash.encode(levels_of(alike))) <= 8
    assert phash.distance(of_one, phash.encode(levels_of(other))) >= 16


def test_distance_counts_the_bits_that_differ() -> None:
    assert phash.distance("0000000000000000", "ffffffffffffffff") == 64
    assert phash.distance("8000000000000001", "0000000000000003") == 2
    assert phash.distance("8000000000000001", "8000000000000001") == 0
