"""The parts of a render: decode, resample, colours, encode, and the whole, on 12 megapixels."""

from __future__ import annotations

import io
from functools import cache

import pytest
from PIL import Image
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import photos
from imgsvc import formats
from imgsvc.formats import Picture
from imgsvc.imaging import Limits, probe, render
from imgsvc.imaging.decode import decode
from imgsvc.imaging.source import open_source
from imgsvc.pipeline import Grammar
from imgsvc.raster import memory, resample
from imgsvc.raster.geometry import Size
from imgsvc.raster.likeness import Likeness

LIMITS = Limits()
FORMATS = ["jpeg", "progressive", "png", "webp"]
RESULTS = {"256": (256, 192), "1600": (1600, 1200)}
LEGS = [False, True] if resample.simd_installed() else [False]


@pytest.fixture(autouse=True, scope="module")
def _as_a_worker_does() -> None:
    memory.keep_freed()


@cache
def scene() -> Image.Image:
    return photos.scene()


@cache
def file_of(name: str) -> bytes:
    if name in {"jpeg", "progressive"}:
        return photos.jpeg(progressive=name == "progressive")
    file = io.BytesIO()
    scene().save(file, name, compress_level=1, method=0)
    return file.getvalue()


@pytest.mark.parametrize("name", FORMATS)
def test_probe(benchmark: BenchmarkFixture, name: str) -> None:
    file = io.BytesIO(file_of(name))
    assert benchmark(probe, file, LIMITS).size == photos.PHONE


@pytest.mark.parametrize("factor", [1, 3, 6, 12], ids=["whole", "half", "quarter", "eighth"])
@pytest.mark.parametrize("name", FORMATS)
def test_decode(benchmark: BenchmarkFixture, name: str, factor: int) -> None:
    if factor > 1 and name not in {"jpeg", "progressive"}:
        pytest.skip("only a JPEG can be decoded smaller")
    data = file_of(name)
    assert benchmark(
        lambda: next(decode(open_source(io.BytesIO(data), LIMITS), LIMITS, factor=factor)).take().size
    )


@pytest.mark.parametrize("simd", LEGS, ids=["pillow", "simd"][: len(LEGS)])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("size", RESULTS.values(), ids=RESULTS.keys())
def test_resample(benchmark: BenchmarkFixture, size: tuple[int, int], mode: str, simd: bool) -> None:
    image = scene().convert(mode)
    with resample.leg(simd=simd):
        assert benchmark(resample.resize, image, Size(*size)).size == size


@pytest.mark.parametrize("name", sorted(formats.registry()))
@pytest.mark.parametrize("size", RESULTS.values(), ids=RESULTS.keys())
def test_encode(benchmark: BenchmarkFixture, size: tuple[int, int], name: str) -> None:
    picture = Picture((scene().resize(size, Image.Resampling.LANCZOS),))
    encoder = formats.registry()[name]()
    assert benchmark(lambda: encoder.encode(picture, io.BytesIO())) is None


@pytest.mark.parametrize("how", ["auto", "fits"])
@pytest.mark.parametrize("name", ["avif", "jpeg", "webp"])
@pytest.mark.parametrize("size", RESULTS.values(), ids=RESULTS.keys())
def test_find_a_quality(benchmark: BenchmarkFixture, size: tuple[int, int], name: str, how: str) -> None:
    """To be compared with `test_encode`: what looking for a quality costs."""
    if name == "avif" and size == RESULTS["1600"]:
        pytest.skip("nine encodings of a second each")
    picture, kind = Picture((scene().resize(size, Image.Resampling.LANCZOS),)), formats.registry()[name]
    usual = io.BytesIO()
    kind().encode(picture, usual)
    found = {"quality": "auto"} if how == "auto" else {"max_bytes": usual.tell() * 2 // 3}
    encoder = kind.model_validate(found)
    assert benchmark(lambda: encoder.encode(picture, io.BytesIO()))


@pytest.mark.parametrize("size", RESULTS.values(), ids=RESULTS.keys())
def test_likeness(benchmark: BenchmarkFixture, size: tuple[int, int]) -> None:
    picture = scene().resize(size, Image.Resampling.LANCZOS)
    likeness = Likeness(picture)
    assert benchmark(likeness.difference, picture) == 0


@pytest.mark.parametrize("ops", ["thumbnail:256x256", "resize:800x/webp", "resize:1600x"])
@pytest.mark.parametrize("name", FORMATS)
def test_render(benchmark: BenchmarkFixture, name: str, ops: str) -> None:
    targets = [("it", Grammar().parse(ops))]
    assert benchmark(render, file_of(name), targets, LIMITS)


def test_render_many(benchmark: BenchmarkFixture) -> None:
    """Five widths from one decode."""
    targets = [(str(width), Grammar().parse(f"resize:{width}x")) for width in (160, 320, 640, 960, 1280)]
    assert len(benchmark(render, file_of("jpeg"), targets, LIMITS)) == 5
