"""WebP as libwebp decodes it, against Pillow's own way."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imgsvc.errors import ImageCorrupt, ImgsvcError
from imgsvc.imaging import probe, render
from imgsvc.imaging.limits import Limits
from imgsvc.pipeline import Grammar
from imgsvc.raster import libwebp
from imgsvc.raster.geometry import Size
from imgsvc.raster.webp_file import StillWebp
from tests.photos import photo, picture

KINDS: list[dict[str, Any]] = [
    {"lossless": True},
    {"quality": 30},
    {"quality": 90, "alpha_quality": 40},
    {"lossless": True, "exact": True},
    {"quality": 80, "icc_profile": b"not a profile", "exif": b"Exif\0\0II*\0", "xmp": b"<x:xmpmeta/>"},
    {"lossless": True, "icc_profile": b"odd", "xmp": b"<x/>"},
]


def with_holes(width: int, height: int) -> Image.Image:
    """A picture whose alpha takes every value, with colours under what is transparent."""
    made = picture(width, height, mode="RGBA")
    made.putalpha(Image.fromarray(np.indices((height, width)).sum(0).astype(np.uint8)))
    return made


def webp(image: Image.Image, **options: Any) -> bytes:  # noqa: ANN401  # whatever Pillow's encoder takes
    file = io.BytesIO()
    image.save(file, "WEBP", **options)
    return file.getvalue()


def psnr(one: Image.Image, other: Image.Image) -> float:
    difference = np.asarray(one, float) - np.asarray(other, float)
    return float(10 * np.log10(255**2 / max(1e-9, (difference**2).mean())))


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (160, 120), (333, 257)])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_file_is_what_pillow_says_that_it_is(
    kind: dict[str, Any], size: tuple[int, int], mode: str
) -> None:
    data = webp(with_holes(*size) if mode == "RGBA" else picture(*size), **kind)
    with Image.open(io.BytesIO(data)) as theirs, StillWebp(io.BytesIO(data)) as ours:
        assert (ours.format, ours.mode, ours.size) == ("WEBP", theirs.mode, theirs.size)
        for key in ("icc_profile", "exif", "xmp"):
            assert ours.info.get(key) == theirs.info.get(key)
        assert ours.has_transparency_data == theirs.has_transparency_data
        assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("kind", [{"quality": 90}, {"lossless": True}], ids="-".join)
@pytest.mark.parametrize("scale", [2, 4, 8])
@pytest.mark.parametrize("size", [(640, 480), (641, 479)])
def test_a_smaller_decode_is_the_mean_of_the_pixels(
    kind: dict[str, Any], scale: int, size: tuple[int, int]
) -> None:
    data = webp(picture(*size), **kind)
    with Image.open(io.BytesIO(data)) as theirs, StillWebp(io.BytesIO(data)) as ours:
        ours.draft(None, (max(1, size[0] // scale), max(1, size[1] // scale)))
        assert ours.size == (-(-size[0] // scale), -(-size[1] // scale))
        ours.load()
        assert psnr(ours, theirs.resize(ours.size, Image.Resampling.BOX)) > 33


def test_a_draft_is_never_smaller_than_what_is_asked_for() -> None:
    with StillWebp(io.BytesIO(webp(picture(640, 480)))) as file:
        file.draft(None, (321, 100))
        assert file.size == (640, 480)
        file.draft(None, (161, 100))
        assert file.size == (320, 240)


def test_what_has_alpha_is_decoded_whole() -> None:
    with StillWebp(io.BytesIO(webp(with_holes(64, 64)))) as file:
        file.draft(None, (8, 8))
        assert file.size == (64, 64)


def test_what_moves_is_left_to_pillow() -> None:
    frames = [picture(32, 32, seed=seed) for seed in range(3)]
    data = webp(frames[0], save_all=True, append_images=frames[1:])
    with pytest.raises(SyntaxError):
        StillWebp(io.BytesIO(data))
    assert probe(io.BytesIO(data), Limits()).frames == 3


@pytest.mark.parametrize("length", [0, 4, 12, 20, 29, 30, 100, 1000])
def test_a_part_of_a_file_is_refused(length: int) -> None:
    whole = photo(format="WEBP")
    assert len(whole) > 1000
    with pytest.raises(ImgsvcError):
        render(whole[:length], [("it", Grammar().parse("png"))], Limits())


@pytest.mark.parametrize("ops", ["png", "thumbnail:16x16/png"])
def test_what_is_cut_off_is_damaged(ops: str) -> None:
    whole = photo(format="WEBP")
    for length in (100, len(whole) // 2, len(whole) - 100):
        with pytest.raises(ImageCorrupt):
            render(whole[:length], [("it", Grammar().parse(ops))], Limits())


@pytest.mark.parametrize("scaled", [True, False])
def test_a_wrong_size_writes_no_byte_outside_of_the_picture(*, scaled: bool) -> None:
    data = photo(format="WEBP")
    smaller = libwebp.decode(data, Size(159, 119), "RGB", scaled=scaled)
    assert (smaller is not None) == scaled


def test_a_picture_outlives_the_bytes_that_it_came_from() -> None:
    data = photo(format="WEBP")
    image = libwebp.decode(data, Size(160, 120), "RGB")
    assert image is not None
    before = image.tobytes()
    del data
    for _ in range(20):
        bytearray(160 * 120 * 4)
    assert image.tobytes() == before
    image.paste((0, 0, 0), (0, 0, 10, 10))  # Pillow copies what is read-only
    assert image.getpixel((0, 0)) == (0, 0, 0)


@pytest.mark.parametrize("ops", ["blur:2/png", "resize:159x/png", "rotate:30/webp:lossless=true", "jpeg"])
def test_pipelines_work_on_it_as_on_any_picture(ops: str) -> None:
    source = photo(format="WEBP", lossless=True)
    with Image.open(io.BytesIO(source)) as opened:
        file = io.BytesIO()
        opened.save(file, "PNG")
    pipeline = Grammar().parse(ops)
    (from_webp,) = render(source, [("it", pipeline)], Limits())
    (from_png,) = render(file.getvalue(), [("it", pipeline)], Limits())
    assert bytes(from_webp.data) == bytes(from_png.data)
