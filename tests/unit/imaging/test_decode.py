"""Reduced where that is allowed, in few modes, without metadata."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imgsvc.errors import ImageCorrupt, ImageTooManyPixels
from imgsvc.imaging import Facts, Limits
from imgsvc.imaging.decode import Frame, decode, reduction
from imgsvc.imaging.source import open_source
from imgsvc.pipeline import Grammar
from imgsvc.raster.orientation import Orientation
from tests import hostile
from tests.photos import photo, picture

LIMITS = Limits()
PHOTO = Facts(format="jpeg", width=4032, height=3024, frames=1, has_alpha=False)


def first(data: bytes, *, factor: float = 1.0, limits: Limits = LIMITS) -> Image.Image:
    return next(decode(open_source(io.BytesIO(data), limits), limits, factor=factor)).take()


def saved(image: Image.Image, format: str, **options: Any) -> bytes:  # noqa: ANN401  # whatever the encoder takes
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("ops", "factor"),
    [
        ("thumbnail:256x256", 15.75),
        ("resize:800x", 5.04),
        ("grayscale/flip/rotate:90/thumbnail:252x336", 12),
        ("orient/keep:icc/thumbnail:1008x", 4),
        ("resize:100x100,fit=cover", 30.24),
        ("resize:100x3024,fit=fill", 1),
        ("resize:100x100,filter=nearest", 1),
        ("blur/thumbnail", 1),
        ("crop:2000x2000/thumbnail", 1),
        ("border:5/thumbnail", 1),
        ("pixelate/thumbnail", 1),
        ("resize:8000x/thumbnail", 1),
        ("grayscale", 1),
        ("", 1),
    ],
)
def test_only_what_looks_the_same_on_a_smaller_picture_may_come_before_the_resize(
    ops: str, factor: float
) -> None:
    assert reduction(PHOTO, [Grammar().parse(ops)]) == pytest.approx(factor)


def test_of_several_pipelines_the_one_that_needs_most_decides() -> None:
    pipelines = [Grammar().parse(ops) for ops in ("thumbnail:64x64", "resize:2016x", "thumbnail:256x256")]
    assert reduction(PHOTO, pipelines) == pytest.approx(2)
    assert reduction(PHOTO, [*pipelines, Grammar().parse("blur/thumbnail")]) == 1


def test_sizes_are_those_that_the_pipeline_sees() -> None:
    lying = PHOTO.model_copy(update={"width": 3024, "height": 4032, "orientation": Orientation.LEFT})
    assert reduction(lying, [Grammar().parse("resize:x1008")]) == pytest.approx(4)
    assert reduction(lying, [Grammar().parse("orient:none/resize:x1008")]) == pytest.approx(3)


@pytest.mark.parametrize(
    ("factor", "gap", "width"),
    [
        (15.75, 1.5, 101),
        (11.9, 1.5, 202),
        (12, 1.5, 101),
        (5, 1.5, 403),
        (2.9, 1.5, 806),
        (2.9, 1.0, 403),
        (1, 1.0, 806),
        (2.9, 1.45, 403),
    ],
)
def test_a_jpeg_is_decoded_as_small_as_the_gap_lets_it(factor: float, gap: float, width: int) -> None:
    limits = Limits(reduce_gap=gap)
    assert first(photo(806, 604), factor=factor, limits=limits).width == width


def test_a_webp_is_decoded_smaller_too_unless_it_has_alpha() -> None:
    assert first(photo(806, 604, format="WEBP"), factor=5).size == (403, 302)
    assert first(photo(806, 604, format="WEBP", mode="RGBA"), factor=5).size == (806, 604)


@pytest.mark.parametrize("format", ["png", "gif"])
def test_other_formats_are_decoded_in_full(format: str) -> None:
    assert first(photo(80, 60, format=format), factor=16).size == (80, 60)


@pytest.mark.parametrize(
    ("stored", "mode"),
    [("1", "L"), ("L", "L"), ("LA", "LA"), ("P", "RGBA"), ("RGB", "RGB"), ("RGBA", "RGBA"), ("I;16", "L")],
)
def test_every_png_becomes_gray_or_rgb_with_or_without_alpha(stored: str, mode: str) -> None:
    image = Image.new(stored, (9, 7)) if stored == "I;16" else picture(9, 7, mode="RGBA").convert(stored)
    assert first(saved(image, "PNG")).mode == mode


def test_a_palette_without_alpha_becomes_rgb() -> None:
    assert first(photo(mode="P", format="PNG")).mode == "RGB"


@pytest.mark.parametrize(("mode", "expected"), [("1", "LA"), ("L", "LA"), ("P", "RGBA"), ("RGB", "RGBA")])
def test_a_transparent_colour_becomes_alpha(mode: str, expected: str) -> None:
    image = Image.new("RGB", (9, 7)).convert(mode)
    data = saved(image, "PNG", transparency=(0, 0, 0) if mode == "RGB" else 0)
    made = first(data)
    assert made.mode == expected
    assert made.getchannel("A").getextrema() == (0, 0)


def test_cmyk_and_ycck_stay_for_their_profile() -> None:
    assert first(saved(Image.new("CMYK", (16, 16), (0, 255, 0, 0)), "JPEG")).mode == "CMYK"


def test_16_bits_become_8_by_their_meaning_not_cut_off() -> None:
    levels = np.array([[0, 128, 257, 32896, 65279, 65535]], dtype=np.uint16)
    made = first(saved(Image.fromarray(levels), "PNG"))
    assert list(made.tobytes()) == [0, 0, 1, 128, 254, 255]


def test_all_frames_come_with_their_times_in_one_mode() -> None:
    pictures = [picture(20, 10, seed=seed) for seed in range(3)]
    data = saved(pictures[0], "GIF", save_all=True, append_images=pictures[1:], duration=[50, 70, 1000])
    source = open_source(io.BytesIO(data), LIMITS)
    frames = list(decode(source, LIMITS, all_frames=True))
    assert [frame.duration for frame in frames] == [50, 70, 1000]
    assert {frame.borrow().mode for frame in frames} == {"RGBA"}
    assert len({frame.borrow().tobytes() for frame in frames}) == 3


def test_a_frame_that_reaches_over_its_canvas_is_cut_off() -> None:
    source = open_source(io.BytesIO(hostile.gif_growing(3, 9, 7)), LIMITS)
    assert [frame.borrow().size for frame in decode(source, LIMITS, all_frames=True)] == [(1, 1)] * 3


def test_a_canvas_that_grows_is_refused_when_it_grows_too_much() -> None:
    source = open_source(io.BytesIO(hostile.gif_growing(20, 4000, 4000)), LIMITS)
    with pytest.raises(ImageTooManyPixels):
        list(decode(source, LIMITS, all_frames=True))


@pytest.mark.parametrize(
    ("format", "loop", "plays"),
    [("GIF", None, None), ("GIF", 0, 0), ("GIF", 3, 4), ("WEBP", 0, 0), ("WEBP", 3, 3), ("PNG", 2, 2)],
)
def test_how_often_an_animation_plays(format: str, loop: int | None, plays: int | None) -> None:
    pictures = [picture(20, 10, seed=seed) for seed in range(2)]
    told = {} if loop is None else {"loop": loop}
    data = saved(pictures[0], format, save_all=True, append_images=pictures[1:], duration=50, **told)
    assert open_source(io.BytesIO(data), LIMITS).plays == plays


def test_no_metadata_stays_with_the_pixels() -> None:
    data = photo(comment=b"secret", exif=hostile.exif(1), dpi=(300, 300))
    assert first(data).info == {}


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "avif"])
def test_a_truncated_file_is_corrupt(format: str) -> None:
    data = photo(200, 150, format=format)
    with pytest.raises(ImageCorrupt):
        first(data[: len(data) // 2])


def test_a_header_that_lies_about_the_size_is_harmless() -> None:
    try:
        first(hostile.jpeg_claiming(3000, 3000))
    except ImageCorrupt:
        return  # libjpeg fills up what is missing, or gives up: either will do


def test_a_frame_that_was_taken_is_gone() -> None:
    frame = Frame(picture())
    frame.borrow()
    frame.take()
    with pytest.raises(LookupError):
        frame.borrow()
