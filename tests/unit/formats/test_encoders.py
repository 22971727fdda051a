"""What the encoders of JPEG, PNG and WebP make of their arguments."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

from imgsvc.formats import Format, Picture
from imgsvc.formats.jpeg import Jpeg
from imgsvc.formats.png import Png
from imgsvc.formats.webp import Webp
from tests.photos import picture


def encoded(format: Format, *frames: Image.Image, **more: object) -> Image.Image:
    file = io.BytesIO()
    format.encode(Picture(frames or (picture(),), **more), file)  # type: ignore[arg-type]  # Picture's own fields
    return Image.open(file)


def size_of(format: Format) -> int:
    file = io.BytesIO()
    format.encode(Picture((picture(),)), file)
    return file.tell()


@pytest.mark.parametrize(("subsampling", "expected"), [("444", 0), ("422", 1), ("420", 2)])
def test_a_jpeg_keeps_as_much_colour_as_asked(subsampling: str, expected: int) -> None:
    made = encoded(Jpeg.model_validate({"subsampling": subsampling}))
    assert JpegImagePlugin.get_sampling(made) == expected


def test_subsampling_may_be_a_number_in_json() -> None:
    assert Jpeg.model_validate({"subsampling": 444}).subsampling == "444"


def test_a_jpeg_is_progressive_where_asked() -> None:
    assert "progressive" not in encoded(Jpeg()).info
    assert encoded(Jpeg(progressive=True)).info["progressive"]


def test_a_jpeg_of_alpha_lies_on_white() -> None:
    made = encoded(Jpeg(quality=100), Image.new("RGBA", (16, 16)))
    assert made.convert("RGB").getpixel((8, 8)) == (255, 255, 255)
    assert encoded(Jpeg(), Image.new("LA", (16, 16))).mode == "L"


@pytest.mark.parametrize("format", [Jpeg, Webp])
def test_quality_costs_bytes(format: type[Jpeg | Webp]) -> None:
    assert size_of(format(quality=20)) < size_of(format()) < size_of(format(quality=95))


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("level", [0, 3, 9])
def test_a_png_loses_nothing(mode: str, level: int) -> None:
    image = picture(mode="RGBA").convert(mode)
    made = encoded(Png(level=level), image)
    assert (made.mode, made.tobytes()) == (mode, image.tobytes())


@pytest.mark.parametrize(("mode", "stored"), [("L", "L"), ("RGB", "P"), ("RGBA", "P"), ("LA", "P")])
def test_a_png_of_few_colours_looks_much_the_same(mode: str, stored: str) -> None:
    image = picture(mode="RGBA").convert(mode)
    made = encoded(Png(palette=True), image)
    assert made.mode == stored
    error = np.asarray(made.convert(mode), np.int16) - np.asarray(image, np.int16)
    assert np.abs(error).mean() < 16


def drawing(mode: str, colours: int = 9) -> Image.Image:
    """Stripes; with alpha the last is half transparent."""
    image = Image.new("RGBA", (80, 60))
    for number in range(colours):
        shade = 255 if number < colours - 1 else 128
        image.paste((number * 25, 90, 255 - number * 20, shade), (number * 8, 0, number * 8 + 8, 60))
    return image.convert(mode)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_a_png_of_few_colours_loses_none_of_a_drawings(mode: str) -> None:
    image = drawing(mode)
    made = encoded(Png(palette=True), image)
    assert made.mode == "P"
    assert made.convert("RGBA").tobytes() == image.convert("RGBA").tobytes()


@pytest.mark.parametrize(("colours", "bits"), [(2, 1), (4, 2), (9, 4)])
def test_a_png_of_very_few_colours_takes_few_bits_a_pixel(colours: int, bits: int) -> None:
    file = io.BytesIO()
    Png(palette=True).encode(Picture((drawing("RGB", colours).crop((0, 0, colours * 8, 60)),)), file)
    assert file.getvalue()[24] == bits


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_palette_makes_a_png_of_a_photograph_a_good_deal_smaller(mode: str) -> None:
    image = picture(320, 240, mode="RGB").convert(mode)
    whole, small = io.BytesIO(), io.BytesIO()
    Png().encode(Picture((image,)), whole)
    Png(palette=True).encode(Picture((image,)), small)
    assert small.tell() < whole.tell() / 2


def test_what_a_png_of_few_colours_does_not_show_costs_one_of_them() -> None:
    image = picture(200, 150, mode="RGB").convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size).point([0] * 128 + [255] * 128))
    made = encoded(Png(palette=True), image).convert("RGBA")
    assert made.getchannel("A").tobytes() == image.getchannel("A").tobytes()
    ground = Image.new("RGBA", image.size, "white")
    pair = [Image.alpha_composite(ground, shown).convert("RGB").reduce(4) for shown in (made, image)]
    error = np.asarray(pair[0], np.int16) - np.asarray(pair[1], np.int16)
    assert np.abs(error).mean() < 2


def test_soft_alpha_stays_soft_in_a_png_of_few_colours() -> None:
    image = picture(200, 150, mode="RGB").convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    made = np.asarray(encoded(Png(palette=True), image).convert("RGBA").getchannel("A"), np.int16)
    assert np.abs(made - np.asarray(image.getchannel("A"), np.int16)).mean() < 16
    assert len(np.unique(made)) > 4


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_lossless_webp_loses_nothing_that_is_seen(mode: str) -> None:
    image = picture(mode=mode)
    if mode == "RGBA":
        image.putalpha(image.getchannel("A").point(lambda alpha: max(alpha, 1)))
    assert encoded(Webp(lossless=True), image).tobytes() == image.tobytes()


def test_webp_effort_saves_bytes() -> None:
    assert size_of(Webp(effort=6)) < size_of(Webp(effort=0))


@pytest.mark.parametrize(("loop", "told"), [(0, 0), (3, 3), (None, 1)])
def test_an_animated_webp_has_its_times_and_plays(loop: int | None, told: int) -> None:
    frames = [picture(20, 10, seed=seed) for seed in range(3)]
    made = encoded(Webp(), *frames, durations=(50, 70, 1000), loop=loop)
    times = []
    for index in range(getattr(made, "n_frames", 1)):
        made.seek(index)
        made.load()
        times.append(made.info["duration"])
    assert times == [50, 70, 1000]
    assert made.info["loop"] == told
