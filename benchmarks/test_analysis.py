"""What an image's info costs a worker: the whole by format, and its parts on a picture of 96 pixels."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache

import pytest
from PIL import Image
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import photos
from benchmarks.test_kernel import file_of
from imgsvc.imaging import Clock, Limits
from imgsvc.imaging.analysis import analyse
from imgsvc.raster import blurhash, memory, palette, phash, thumbhash
from imgsvc.raster.geometry import Size

LIMITS = Limits()
SMALL = Size(32, 24)


@pytest.fixture(autouse=True, scope="module")
def _as_a_worker_does() -> None:
    memory.keep_freed()


@cache
def small(side: int) -> Image.Image:
    picture = photos.scene((960, 720))
    picture.thumbnail((side, side))
    return picture


@pytest.mark.parametrize("name", ["jpeg", "progressive", "png", "webp"])
def test_analyse(benchmark: BenchmarkFixture, name: str) -> None:
    data = file_of(name)
    found = benchmark(lambda: analyse(io.BytesIO(data), LIMITS, Clock()))
    assert found.size == photos.PHONE


PARTS: dict[str, Callable[[], object]] = {
    "palette": lambda: palette.palette(small(96)),
    "average": lambda: palette.average(small(96).convert("RGBA")),
    "blurhash": lambda: blurhash.encode(small(32).tobytes(), SMALL, 4, 3),
    "thumbhash": lambda: thumbhash.encode(small(32).convert("RGBA").tobytes(), SMALL),
    "phash": lambda: phash.encode(small(32).resize((32, 32)).convert("L").tobytes()),
}


@pytest.mark.parametrize("part", PARTS)
def test_part(benchmark: BenchmarkFixture, part: str) -> None:
    assert benchmark(PARTS[part])
