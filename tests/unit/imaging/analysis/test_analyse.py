"""An analysis: of every kind of picture, from one reduced decode."""

from __future__ import annotations

import io
import json
import re
from base64 import b64decode
from typing import Any

import pytest
from PIL import Image

from imgsvc.errors import EmptyFile, ImageCorrupt, ImageTooLargeForMemory, UnsupportedMediaType
from imgsvc.imaging import Clock, Limits
from imgsvc.imaging.analysis import Analysis, analyse
from imgsvc.raster import phash, resample
from imgsvc.raster.geometry import Size
from tests import hostile, profiles
from tests.photos import photo, picture
from tests.unit.imaging.analysis.blocks import block, entries, ratios, text

RED = (200, 30, 30)


def look(data: bytes, limits: Limits | None = None) -> Analysis:
    found = analyse(io.BytesIO(data), limits or Limits(), Clock()).analysis
    assert Analysis.model_validate_json(found.model_dump_json()) == found
    return found


def file_of(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:  # noqa: ANN401  # as Pillow's save
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def tiny(found: Analysis) -> Image.Image:
    kind, _, data = found.data_uri.partition(",")
    assert kind == "data:image/webp;base64"
    return Image.open(io.BytesIO(b64decode(data)))


def near(one: str | None, other: tuple[int, ...], most: int = 3) -> bool:
    assert one is not None
    return max(abs(a - b) for a, b in zip(bytes.fromhex(one[1:]), other, strict=True)) <= most


def test_everything_is_told_of_a_photograph() -> None:
    found = look(photo(400, 300, icc_profile=profiles.srgb(), exif=block(text(0x010F, "Maker"))))
    assert found.icc_profile == "sRGB built-in"
    assert found.exif == {"Make": "Maker"}
    assert found.gps is None
    assert found.palette
    assert found.dominant_color == found.palette[0].color
    assert sum(tone.share for tone in found.palette) == pytest.approx(1, abs=1e-3)
    assert all(re.fullmatch(r"#[0-9a-f]{6}", tone.color) for tone in found.palette)
    assert re.fullmatch(r"#[0-9a-f]{6}", found.average_color or "")
    assert len(found.blurhash) == 28
    assert len(b64decode(found.thumbhash)) == 21
    assert re.fullmatch(r"[0-9a-f]{16}", found.phash)
    assert tiny(found).size == (16, 12)
    assert len(found.data_uri) < 400


@pytest.mark.parametrize(
    ("mode", "format"),
    [
        ("L", "PNG"),
        ("1", "PNG"),
        ("P", "PNG"),
        ("P", "GIF"),
        ("LA", "PNG"),
        ("RGB", "JPEG"),
        ("RGB", "AVIF"),
        ("RGBA", "PNG"),
        ("RGBA", "WEBP"),
        ("CMYK", "JPEG"),
        ("I;16", "PNG"),
    ],
)
def test_every_mode_is_looked_at(mode: str, format: str) -> None:
    level = 255 if mode == "1" else 200
    if mode == "I;16":
        image = Image.new(mode, (40, 30), level * 257)
    else:
        image = Image.new("RGB", (40, 30), (level,) * 3)
        image = image.quantize(4) if mode == "P" else image.convert(mode)
    found = look(file_of(image, format))
    assert near(found.average_color, (level,) * 3, most=2)
    assert near(found.dominant_color, (level,) * 3, most=2)
    assert [tone.share for tone in found.palette] == [1.0]


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 3)])
def test_the_smallest_and_the_thinnest_pictures_are_looked_at(size: tuple[int, int]) -> None:
    found = look(file_of(Image.new("RGB", size, RED)))
    assert (found.dominant_color, found.average_color) == ("#c81e1e", "#c81e1e")
    assert max(tiny(found).size) <= 16
    assert found.phash == "8000000000000000"
    columns, rows = (min(4 if side == max(size) else 3, side) for side in size)
    assert len(found.blurhash) == 4 + 2 * columns * rows


def test_a_picture_that_can_not_be_seen_has_no_colours() -> None:
    found = look(file_of(Image.new("RGBA", (50, 40), (*RED, 0))))
    assert (found.dominant_color, found.average_color, found.palette) == (None, None, ())
    assert tiny(found).getchannel("A").getextrema() == (0, 0)
    white = look(file_of(Image.new("RGB", (50, 40), (255, 255, 255))))
    assert (found.blurhash, found.phash) == (white.blurhash, white.phash)


def test_what_shows_through_is_kept_where_it_can_be() -> None:
    image = Image.new("RGBA", (64, 64), (*RED, 255))
    image.paste((0, 0, 0, 0), (0, 0, 32, 64))
    found = look(file_of(image))
    assert found.average_color == "#c81e1e", "the hole has no colour"
    low, high = tiny(found).getchannel("A").getextrema()
    assert (low, high) == (0, 255)
    assert b64decode(found.thumbhash)[2] >> 7, "the mark for alpha"


def test_it_is_told_of_the_upright_picture() -> None:
    image = picture(300, 200)
    upright = look(file_of(image))
    turned = look(file_of(image.transpose(Image.Transpose.ROTATE_90), exif=hostile.exif(6)))
    assert turned.exif == {"Orientation": 6}
    assert tiny(turned).size == tiny(upright).size == (16, 11)
    assert phash.distance(turned.phash, upright.phash) <= 2


def test_colours_are_those_of_srgb() -> None:
    levels = (40, 160, 60)
    image = Image.new("RGB", (64, 64), levels)
    plain = look(file_of(image)).average_color
    wide = look(file_of(image, icc_profile=profiles.wide())).average_color
    assert near(plain, levels, most=0)
    assert not near(wide, levels)


def test_a_profile_is_told_by_its_name_and_a_damaged_one_is_none() -> None:
    assert look(photo(icc_profile=profiles.wide())).icc_profile == "test"
    assert look(photo(icc_profile=b"nonsense" * 40)).icc_profile is None
    assert look(photo()).icc_profile is None


def test_of_an_animation_the_first_frame_is_told() -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in (RED, (0, 0, 255))]
    found = analyse(
        io.BytesIO(file_of(frames[0], "GIF", save_all=True, append_images=frames[1:])), Limits(), Clock()
    )
    assert near(found.analysis.average_color, RED)
    assert found.frames == 2


def test_where_it_was_taken_is_kept_apart() -> None:
    place = (text(1, "N"), ratios(2, (52, 1)), text(3, "E"), ratios(4, (13, 1)))
    found = look(photo(exif=block(text(0x010F, "Maker"), gps=place)))
    assert found.exif == {"Make": "Maker"}
    assert found.gps is not None
    assert (found.gps.latitude, found.gps.longitude) == (52, 13)


@pytest.mark.parametrize(
    "exif",
    [
        hostile.exif_loop(),
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        entries(*[(0x1000 + number, 7, 60_000, 8) for number in range(5000)]) + bytes(4000),
    ],
    ids=["loop", "nowhere", "crowd"],
)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_hostile_exif_says_nothing_and_fails_nothing(format: str, exif: bytes) -> None:
    found = look(photo(64, 48, format=format, exif=exif))
    assert (found.exif, found.gps) == ({}, None)
    assert found.palette


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_exif_is_found_in_every_format(format: str) -> None:
    data = photo(64, 48, format=format, exif=block(text(0x010F, "Maker")))
    assert look(data).exif == {"Make": "Maker"}


def test_a_jpeg_is_decoded_to_what_is_needed_of_it() -> None:
    clock = Clock()
    analyse(io.BytesIO(photo(1600, 1200)), Limits(), clock, "info")
    decoded, looked = clock.steps
    assert [(step.output, step.op) for step in clock.steps] == [(None, "decode"), ("info", "analyse")]
    assert decoded.after == Size(200, 150)
    assert (looked.before, looked.after) == (Size(200, 150), Size(96, 72))


def test_it_is_the_same_with_and_without_the_fast_resampler() -> None:
    data = photo(1000, 700, format="PNG")
    with resample.leg(simd=False):
        plain = look(data)
    assert look(data) == plain


def test_pictures_that_look_alike_have_near_hashes() -> None:
    image = picture(1200, 900)
    whole = look(file_of(image, "JPEG", quality=90)).phash
    for other in (file_of(image.resize((300, 225)), "WEBP", quality=40), file_of(image, "PNG")):
        assert phash.distance(whole, look(other).phash) <= 6
    assert phash.distance(whole, look(photo(1200, 900, seed=7)).phash) >= 16


def test_what_can_not_be_decoded_is_refused() -> None:
    with pytest.raises(EmptyFile):
        look(b"")
    with pytest.raises(UnsupportedMediaType):
        look(b"hello, I am a photograph\n")
    with pytest.raises(ImageCorrupt):
        look(photo()[:900])


def test_what_memory_can_not_hold_is_refused_before_it_is_decoded() -> None:
    data = photo(2000, 1500, format="PNG")
    look(data, Limits(max_memory=120 * 2**20))
    with pytest.raises(ImageTooLargeForMemory):
        look(data, Limits(max_memory=80 * 2**20))


def test_the_json_is_the_analysis() -> None:
    found = analyse(io.BytesIO(photo()), Limits(), Clock())
    assert json.loads(bytes(found.data)) == found.analysis.model_dump(mode="json")
    assert (found.size, found.frames) == (Size(160, 120), 1)
