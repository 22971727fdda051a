"""Each operation of the registry, by its example, on two megapixels and on twelve."""

from __future__ import annotations

from functools import cache

import pytest
from PIL import Image
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import photos
from imgsvc import operations
from imgsvc.operations import Context
from imgsvc.pipeline import Grammar
from imgsvc.raster import memory
from imgsvc.raster.geometry import Size

SIZES = {"2MP": (1600, 1200), "12MP": photos.PHONE}


@pytest.fixture(autouse=True, scope="module")
def _as_a_worker_does() -> None:
    memory.keep_freed()


@cache
def scene(size: tuple[int, int]) -> Image.Image:
    return photos.scene(size)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES.keys())
@pytest.mark.parametrize("name", sorted(operations.registry()))
def test_operation(benchmark: BenchmarkFixture, name: str, size: tuple[int, int]) -> None:
    (operation,) = Grammar().parse(operations.registry()[name].example).operations
    image = scene(size)
    assert benchmark(operation.apply, image, Context(size=Size(*image.size))).size
