"""What a header tells, and what it is refused for."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from PIL import Image

from imgsvc.errors import (
    EmptyFile,
    ImageCorrupt,
    ImageDimensionTooLarge,
    ImageTooComplex,
    ImageTooManyFrames,
    ImageTooManyPixels,
    ImgsvcError,
    UnsupportedMediaType,
)
from imgsvc.imaging import Facts, Limits, probe, render
from imgsvc.pipeline import Grammar
from tests import hostile
from tests.photos import photo, picture

LIMITS = Limits()


def facts(data: bytes, limits: Limits = LIMITS) -> Facts:
    return probe(io.BytesIO(data), limits)


def animation(format: str, frames: int, size: tuple[int, int] = (20, 10)) -> bytes:
    file = io.BytesIO()
    pictures = [picture(*size, seed=seed) for seed in range(frames)]
    pictures[0].save(file, format, save_all=True, append_images=pictures[1:], duration=50)
    return file.getvalue()


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "gif", "avif"])
def test_the_facts_of_every_format(format: str) -> None:
    assert facts(photo(60, 40, format=format)) == Facts(
        format=format, width=60, height=40, frames=1, has_alpha=False, pixel_bytes=4
    )


@pytest.mark.parametrize("format", ["png", "webp", "avif"])
def test_alpha_is_seen(format: str) -> None:
    image = picture(20, 20, mode="RGBA")
    image.putalpha(Image.linear_gradient("L").resize((20, 20)))
    file = io.BytesIO()
    image.save(file, format)
    assert facts(file.getvalue()).has_alpha


@pytest.mark.parametrize("format", ["png", "gif"])
def test_a_transparent_colour_is_alpha(format: str) -> None:
    used = picture(20, 20, mode="P").getpixel((0, 0))
    assert facts(photo(20, 20, format=format, mode="P", transparency=used)).has_alpha


@pytest.mark.parametrize("format", ["gif", "webp", "png", "avif"])
def test_frames_are_counted(format: str) -> None:
    assert facts(animation(format, 7)).frames == 7


def test_an_mpo_is_a_jpeg_of_one_frame() -> None:
    assert (facts(hostile.mpo()).format, facts(hostile.mpo()).frames) == ("jpeg", 1)


@pytest.mark.parametrize("format", ["jpeg", "png", "webp"])
def test_sizes_are_as_displayed(format: str) -> None:
    seen = facts(photo(60, 40, format=format, exif=hostile.exif(6)))
    assert seen.size == (40, 60)
    assert seen.stored == (60, 40)


@pytest.mark.parametrize(
    "exif",
    [hostile.exif(99), hostile.exif(0), b"Exif\0\0garbage", b"Exif\0\0II*\0", hostile.exif_loop()],
    ids=["99", "0", "garbage", "cut-off", "loop"],
)
def test_a_broken_exif_block_is_ignored(exif: bytes) -> None:
    seen = facts(photo(60, 40, exif=exif))
    assert (seen.size, seen.orientation) == ((60, 40), 1)


def test_an_empty_file_is_empty() -> None:
    with pytest.raises(EmptyFile):
        facts(b"")


@pytest.mark.parametrize("data", hostile.NOT_IMAGES.values(), ids=hostile.NOT_IMAGES.keys())
def test_what_is_no_image_is_not_supported(data: bytes) -> None:
    with pytest.raises(UnsupportedMediaType) as caught:
        facts(data)
    assert "image/jpeg" in caught.value.problem.supported


@pytest.mark.parametrize("data", hostile.MAGIC_ONLY.values(), ids=hostile.MAGIC_ONLY.keys())
def test_what_only_begins_like_an_image_is_corrupt(data: bytes) -> None:
    with pytest.raises(ImageCorrupt):
        facts(data)


def test_a_format_that_is_not_allowed_is_not_supported() -> None:
    with pytest.raises(UnsupportedMediaType) as caught:
        facts(photo(format="GIF"), Limits(input_formats=("jpeg", "png")))
    assert caught.value.problem.supported == ("image/jpeg", "image/png")


HUGE = {
    "png": hostile.png_header(50_000, 50_000),
    "png-2^31": hostile.png_header(2**31 - 1, 2**31 - 1),
    "png-line": hostile.png_header(40_000_000, 1),
    "jpeg": hostile.jpeg_claiming(65_500, 65_500),
    "gif": hostile.gif_header(65_535, 65_535),
    "webp": hostile.webp_canvas(1 << 24, 1 << 24),
}


@pytest.mark.parametrize("data", HUGE.values(), ids=HUGE.keys())
def test_too_long_a_side_is_refused_before_anything_else(data: bytes) -> None:
    started = time.process_time()
    with pytest.raises(ImageDimensionTooLarge) as caught:
        facts(data)
    assert time.process_time() - started < 0.1
    assert caught.value.problem.limit == LIMITS.max_side


MANY = {
    "png": hostile.png_header(16_000, 16_000),
    "png-warning": hostile.png_header(8_000, 8_000),
    "jpeg": hostile.jpeg_claiming(16_000, 16_000),
    "gif": hostile.gif_header(16_000, 16_000),
    "webp": hostile.webp_claiming(16_000, 16_000),
    "webp-canvas": hostile.webp_canvas(16_000, 16_000),
}


@pytest.mark.parametrize("data", MANY.values(), ids=MANY.keys())
def test_too_many_pixels_are_refused_undecoded(data: bytes) -> None:
    started = time.process_time()
    with pytest.raises(ImageTooManyPixels) as caught:
        facts(data)
    assert time.process_time() - started < 0.1
    assert caught.value.problem.limit == LIMITS.max_pixels


@pytest.mark.parametrize(
    "data", [hostile.gif_bomb(101), hostile.gif_bomb(300_000), hostile.apng_claiming(2**31 - 1)]
)
def test_too_many_frames_are_refused_uncounted(data: bytes) -> None:
    started = time.process_time()
    with pytest.raises((ImageTooManyFrames, ImageTooManyPixels)):
        facts(data)
    assert time.process_time() - started < 0.1


def test_a_frame_over_the_limit_is_one_too_many() -> None:
    assert facts(hostile.gif_bomb(100)).frames == 100
    with pytest.raises(ImageTooManyFrames) as caught:
        facts(hostile.gif_bomb(101))
    assert caught.value.problem.limit == 100


def test_pixels_are_counted_in_all_frames_even_where_one_is_used() -> None:
    with pytest.raises(ImageTooManyPixels):
        facts(hostile.gif_bomb(3, 5000, 5000))
    assert facts(hostile.gif_bomb(2, 5000, 5000)).frames == 2


def test_more_scans_than_any_photograph_has_are_too_complex() -> None:
    assert facts(hostile.jpeg_of_scans(100)).format == "jpeg"
    with pytest.raises(ImageTooComplex) as caught:
        facts(hostile.jpeg_of_scans(101))
    assert (caught.value.problem.limit, caught.value.problem.actual) == (100, 101)


@pytest.mark.parametrize("before", [-1, 0, 1])
def test_a_scan_that_begins_where_two_reads_meet_is_counted_once(before: int) -> None:
    """A file is searched a mebibyte at a time."""
    data = hostile.jpeg_of_scans(101)
    more = (1 << 20) + before - data.rindex(b"\xff\xda")
    comments = [60_000] * (more // 60_000) + [more % 60_000]
    padding = b"".join(b"\xff\xfe" + (size - 2).to_bytes(2, "big") + bytes(size - 4) for size in comments)
    with pytest.raises(ImageTooComplex) as caught:
        facts(data[:2] + padding + data[2:])
    assert caught.value.problem.actual == 101


@pytest.mark.parametrize(
    "make", [hostile.png_of_chunks, hostile.png_of_crumbs, hostile.jpeg_of_segments, hostile.gif_of_comments]
)
def test_a_file_in_millions_of_tiny_parts_is_too_complex(make: Callable[[int], bytes]) -> None:
    """The same for who only probes and who decodes: what a probe lets pass must not hold a lane."""
    limits = Limits(max_pieces=1000)
    assert read(make(50), limits)
    with pytest.raises(ImageTooComplex) as caught:
        read(make(5000), limits)
    assert (caught.value.problem.limit or 0) >= 1000
    assert read(make(5000), Limits(max_pieces=50_000))


def read(data: bytes, limits: Limits) -> object:
    """Probe a file and decode it."""
    return probe(io.BytesIO(data), limits), render(data, [("it", Grammar().parse("png"))], limits)


def test_text_that_explodes_is_corrupt() -> None:
    started = time.process_time()
    with pytest.raises(ImageCorrupt):
        facts(hostile.png_text_bomb())
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "gif", "avif"])
def test_whatever_is_cut_off_is_read_or_refused(format: str) -> None:
    data = photo(60, 40, format=format)
    for length in range(1, len(data), max(1, len(data) // 60)):
        try:
            facts(data[:length])
        except (ImageCorrupt, UnsupportedMediaType):
            continue
        except ImgsvcError as error:  # pragma: no cover  # says which length it was
            pytest.fail(f"{length} bytes: {error!r}")


def test_no_plugin_of_a_dangerous_format_is_ever_imported() -> None:
    code = (
        "import io, sys\n"
        "from imgsvc.imaging import Limits, probe, render\n"
        "from imgsvc.pipeline import Grammar\n"
        "from tests import hostile, photos\n"
        "for format in ('jpeg', 'png', 'webp', 'gif', 'avif'):\n"
        "    data = photos.photo(20, 20, format=format)\n"
        "    render(data, [(to, Grammar().parse(to)) for to in ('jpeg', 'png', 'webp', 'gif')], Limits())\n"
        "for data in hostile.NOT_IMAGES.values():\n"
        "    try:\n"
        "        probe(io.BytesIO(data), Limits())\n"
        "    except Exception: pass\n"
        "print([n for n in ('Eps', 'Pdf', 'Psd', 'Jpeg2K', 'Fits', 'Wmf', 'Tiff')\n"
        "       if f'PIL.{n}ImagePlugin' in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
