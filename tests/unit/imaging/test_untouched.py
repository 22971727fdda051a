"""Never larger than the source, where nothing but the encoding would change."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image

from imgsvc.errors import OutputTooLarge
from imgsvc.imaging import Limits, Rendered, render
from imgsvc.pipeline import Grammar
from imgsvc.pipeline.negotiation import Client
from tests.photos import photo, picture


def made(source: bytes, ops: str, accept: str | None = None) -> Rendered:
    (result,) = render(source, [("it", Grammar().parse(ops))], Limits(), client=Client(accept))
    return result


def small(format: str = "JPEG", **options: Any) -> bytes:  # noqa: ANN401  # whatever Pillow takes
    """A file that our defaults make a larger one of."""
    least = {
        "JPEG": {"quality": 20},
        "WEBP": {"quality": 5},
        "AVIF": {"quality": 5},
        "PNG": {"compress_level": 9},
    }
    return photo(format=format, **({"optimize": True} | least.get(format, {}) | options))


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "AVIF", "PNG"])
@pytest.mark.parametrize("end", ["", "same"])
def test_a_result_that_would_be_larger_is_the_source(format: str, end: str) -> None:
    source, name = small(format), format.lower()
    if format == "PNG":
        end = "png:0"  # its own compression hardly ever loses
    result = made(source, name if end == "same" else end)
    assert bytes(result.data) == source
    assert result.format.media_type == f"image/{name}"
    assert (result.size, result.frames) == ((160, 120), 1)
    (warning,) = result.warnings
    assert warning.startswith(f"it: the source itself is the result: it has {len(source)} bytes")


def test_an_animation_too() -> None:
    file = io.BytesIO()
    frames = [picture(60, 40, seed=seed) for seed in range(3)]
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:], duration=50, quality=1)
    result = made(file.getvalue(), "webp:100")
    assert (bytes(result.data), result.frames) == (file.getvalue(), 3)


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "AVIF"])
@pytest.mark.parametrize("room", [0, 1, 50, 10_000])
def test_a_bound_that_the_source_keeps_costs_no_quality(format: str, room: int) -> None:
    source = photo(format=format, quality=40)
    for before in ("", "thumbnail/"):
        result = made(source, f"{before}{format.lower()}:90,max_bytes={len(source) + room}")
        assert bytes(result.data) == source
        assert result.warnings[0].startswith("it: the source itself is the result")


def test_auto_keeps_a_bound_by_the_source_too() -> None:
    source = small(quality=20)
    result = made(source, f"auto:95,max_bytes={len(source)}", BROWSER)
    assert (bytes(result.data), result.format.media_type) == (source, "image/jpeg")


def test_a_source_that_has_the_only_size_that_fits_is_the_result() -> None:
    source = small(quality=1)
    least = len(made(photo(), "jpeg:1").data)
    assert len(source) < least, "or there is nothing to see here"
    assert bytes(made(source, f"jpeg:max_bytes={len(source)}").data) == source
    with pytest.raises(OutputTooLarge):
        made(source, f"jpeg:max_bytes={len(source) - 1}")


def test_a_bound_below_the_source_is_kept_by_quality() -> None:
    source = photo(quality=60)
    result = made(source, f"jpeg:90,max_bytes={len(source) - 1}")
    assert len(result.data) < len(source)
    assert result.warnings == ()


def test_a_bound_that_the_source_keeps_does_not_keep_quality_from_being_asked_for() -> None:
    source = photo(quality=90)
    bounded, free = made(source, f"jpeg:50,max_bytes={len(source)}"), made(source, "jpeg:50")
    assert bytes(bounded.data) == bytes(free.data) != source


def test_a_source_that_carries_more_than_its_picture_keeps_no_bound() -> None:
    source = photo(quality=40, comment=b"SECRET")
    result = made(source, f"jpeg:90,max_bytes={len(source)}")
    assert b"SECRET" not in bytes(result.data)
    assert len(result.data) <= len(source)


def test_a_result_that_is_smaller_stays() -> None:
    source = photo(quality=99)
    result = made(source, "")
    assert len(result.data) < len(source)
    assert result.warnings == ()


@pytest.mark.parametrize(
    "ops",
    [
        "thumbnail:256x256",
        "thumbnail:160x120",
        "resize:160x",
        "resize:500x400",
        "resize:160x120,fit=cover",
        "resize:160x120,fit=pad",
        "resize:900x900,fit=outside",
        "resize:1.0",
        "crop:160x120",
        "crop:900x900",
        "keep:copyright",
        "orient:none",
        "orient:auto/thumbnail/crop:1.0x1.0/jpeg",
        "jpeg:95",
        "jpeg:auto",
        "jpeg:subsampling=444",
        "jpeg:max_bytes=50000",
    ],
)
def test_operations_that_change_nothing_count_for_nothing(ops: str) -> None:
    source = small(quality=3)
    assert bytes(made(source, ops).data) == source


@pytest.mark.parametrize(
    "ops",
    [
        "thumbnail:159x119",
        "resize:320x,enlarge",
        "resize:900x900,fit=pad",
        "resize:160x120,fit=pad,background=red",
        "resize:160x100,fit=cover",
        "crop:100x100",
        "flip",
        "rotate:180",
        "brightness:1.01",
        "grayscale",
        "background:white",
    ],
)
def test_what_may_change_a_pixel_is_done(ops: str) -> None:
    source = small(quality=3)
    result = made(source, f"{ops}/jpeg:100")
    assert bytes(result.data) != source
    assert result.warnings == ()


@pytest.mark.parametrize("ops", ["webp:100", "png", "jpeg:100,progressive"])
def test_another_format_was_asked_for(ops: str) -> None:
    source = small(quality=3)
    assert len(made(source, ops).data) > len(source)
    assert made(source, ops).warnings == ()


def test_what_would_be_removed_is_removed() -> None:
    exif = Image.Exif()
    exif[0x8298] = "Somebody"
    for more in ({"exif": exif}, {"comment": b"SECRET"}, {"icc_profile": b"no profile at all"}):
        source = small(**more)
        assert len(made(source, "jpeg:100").data) > len(source)


def test_a_picture_that_lies_on_its_side_is_turned() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    source = small(exif=exif)
    assert made(source, "jpeg:100").size == (120, 160)


BROWSER = "image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "name"),
    [(BROWSER, "jpeg"), ("image/webp,*/*", "jpeg"), ("*/*", "jpeg"), ("image/jpeg", "jpeg"), (None, "jpeg")],
)
def test_auto_is_the_source_where_that_is_smallest_and_accepted(accept: str | None, name: str) -> None:
    source = small(quality=1)
    for ops in ("auto", "auto:100", "thumbnail/auto"):
        result = made(source, ops, accept)
        assert bytes(result.data) == source
        assert result.format.media_type == f"image/{name}"


@pytest.mark.parametrize(
    "accept", ["image/avif", "image/webp", "image/webp,*/*;q=0", "image/webp,image/jpeg;q=0"]
)
def test_auto_is_nothing_that_the_client_refuses(accept: str) -> None:
    result = made(small(quality=1), "auto:100", accept)
    assert result.format.media_type in accept


def test_a_webp_is_only_for_who_names_it() -> None:
    source = small("WEBP")
    assert made(source, "auto:100", "*/*").format.media_type == "image/jpeg"
    assert bytes(made(source, "auto:100", "image/avif,image/webp").data) == source


def test_a_profile_that_is_kept_is_no_reason_to_give_more_than_that() -> None:
    exif = Image.Exif()
    exif[0x010F] = "A camera"
    source = small(exif=exif)
    assert b"A camera" not in bytes(made(source, "keep:icc,copyright/jpeg:100").data)
