"""What comes out is the picture: upright, stripped, with its alpha and its motion."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageCms, ImageOps, ImageSequence

from tests.acceptance.contract.client import Api, fresh
from tests.photos import photo, picture

PRIVATE = "52 deg 31 min north"


def made(house: Api, source: bytes, ops: str) -> Image.Image:
    answer = house.process(source, ops)
    assert answer.status_code == 200, answer.text
    return Image.open(BytesIO(answer.content))


def encoded(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    file = BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def apart(one: Image.Image, other: Image.Image) -> float:
    assert one.size == other.size
    return float(
        np.abs(np.asarray(one.convert("RGB"), float) - np.asarray(other.convert("RGB"), float)).mean()
    )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_upright(house: Api, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    source = photo(80, 40, quality=95, exif=exif.tobytes())
    upright = ImageOps.exif_transpose(Image.open(BytesIO(source)))
    assert apart(made(house, source, "png"), upright) < 1
    reduced = made(house, source, f"resize:{upright.width // 2}x{upright.height // 2}/png")
    assert apart(reduced, upright.resize(reduced.size, Image.Resampling.LANCZOS)) < 3
    left = made(house, source, "orient:none/png")
    assert apart(left, Image.open(BytesIO(source))) < 1
    assert 0x0112 not in made(house, source, "jpeg").getexif()


@pytest.mark.parametrize("orientation", [0, 9, 99, 65535])
def test_an_impossible_orientation_is_none(house: Api, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert made(house, photo(80, 40, exif=exif.tobytes()), "png").size == (80, 40)


def test_a_broken_exif_does_no_harm(house: Api) -> None:
    for exif in (
        b"Exif\0\0",
        b"Exif\0\0garbage" * 50,
        b"Exif\0\0MM\0*\xff\xff\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff",
    ):
        assert made(house, photo(80, 40, exif=exif), "png").size == (80, 40)


def telling(format: str) -> bytes:
    """A picture that says too much."""
    exif = Image.Exif()
    exif[0x010E] = PRIVATE
    exif[0x8298] = "(c) somebody"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 0.0)})
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    options: dict[str, object] = {"exif": exif.tobytes(), "icc_profile": profile}
    if format in {"JPEG", "WEBP", "AVIF"}:
        options["xmp"] = f"<x:xmpmeta>{PRIVATE}</x:xmpmeta>".encode()
    if format in {"JPEG", "GIF"}:
        options["comment"] = PRIVATE.encode()
    return encoded(picture(64, 48), format, **options)


@pytest.mark.parametrize("source", ["JPEG", "PNG", "WEBP", "AVIF", "GIF"])
@pytest.mark.parametrize("target", ["jpeg", "png", "webp", "avif", "gif"])
def test_nothing_is_told_about_who_where_and_when(house: Api, source: str, target: str) -> None:
    answer = house.process(telling(source), f"resize:32x/{target}")
    image = Image.open(BytesIO(answer.content))
    assert dict(image.getexif()) == {}
    assert not {"icc_profile", "xmp", "exif", "comment", "XML:com.adobe.xmp"} & set(image.info)
    assert PRIVATE.encode() not in answer.content
    assert b"somebody" not in answer.content


def test_what_is_kept_was_asked_for(house: Api) -> None:
    image = made(house, telling("JPEG"), "keep:icc/resize:32x/jpeg")
    assert image.info.get("icc_profile")
    assert PRIVATE.encode() not in house.process(telling("JPEG"), "keep:icc/jpeg").content
    kept = house.process(telling("JPEG"), "keep:copyright=true/jpeg")
    assert kept.status_code == 200, kept.text
    assert b"somebody" in kept.content
    assert PRIVATE.encode() not in kept.content


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "1", "I;16"])
@pytest.mark.parametrize(
    "ops",
    ["resize:32x/png", "thumbnail:20x20/jpeg", "rotate:90/webp", "grayscale/blur/png", "crop:10x10/gif"],
)
def test_every_mode_is_a_picture(house: Api, mode: str, ops: str) -> None:
    made(house, photo(64, 48, format="PNG", mode=mode), ops).load()


def test_sixteen_bits_become_eight_and_not_white(house: Api) -> None:
    ramp = Image.fromarray(np.linspace(0, 65535, 256 * 16).reshape(16, 256).astype(np.uint16))
    result = np.asarray(made(house, encoded(ramp), "grayscale/png").convert("L"), float)
    expected = np.asarray(ramp, float) / 257
    assert np.abs(result - expected).mean() < 2


def test_cmyk_photographs_look_right(house: Api) -> None:
    source = encoded(Image.new("RGB", (40, 30), (200, 40, 40)).convert("CMYK"), "JPEG", quality=95)
    r, g, b = made(house, source, "resize:20x/png").convert("RGB").getpixel((10, 7))  # type: ignore[misc]  # three channels
    assert r > 150
    assert max(g, b) < 90


@pytest.mark.parametrize("target", ["png", "webp", "avif", "gif"])
def test_alpha_is_kept_where_the_format_can(house: Api, target: str) -> None:
    hole = Image.new("RGBA", (40, 40), (255, 0, 0, 255))
    hole.paste((0, 0, 0, 0), (0, 0, 20, 40))
    result = made(house, encoded(hole), f"resize:20x/{target}").convert("RGBA")
    left, right = result.getpixel((3, 10)), result.getpixel((16, 10))
    assert isinstance(left, tuple)
    assert isinstance(right, tuple)
    assert left[3] < 20
    assert right[3] > 235
    assert right[0] > 235


def test_a_jpeg_is_flattened_on_white(house: Api) -> None:
    result = made(house, encoded(Image.new("RGBA", (40, 40), (255, 0, 0, 0))), "resize:20x/jpeg")
    assert result.getpixel((5, 5)) == (255, 255, 255)
    blue = made(house, encoded(Image.new("RGBA", (40, 40), (255, 0, 0, 0))), "background:00f/png")
    assert blue.convert("RGB").getpixel((5, 5)) == (0, 0, 255)


def test_transparent_edges_do_not_bleed(house: Api) -> None:
    source = Image.new("RGBA", (64, 64), (0, 255, 0, 0))
    source.paste((255, 0, 0, 255), (0, 0, 32, 64))
    pixels = np.asarray(made(house, encoded(source), "resize:16x/png").convert("RGBA"))
    seen = pixels[pixels[..., 3] > 0]
    assert (seen[:, 1] < 8).all(), "green from where nothing was to be seen"


def animation(format: str, durations: list[int], loop: int) -> bytes:
    pictures = [Image.new("RGB", (40, 30), colour) for colour in ("red", "white", "blue", "yellow")]
    return encoded(
        pictures[0], format, save_all=True, append_images=pictures[1:], duration=durations, loop=loop
    )


@pytest.mark.parametrize("source", ["GIF", "WEBP"])
@pytest.mark.parametrize("target", ["gif", "webp"])
@pytest.mark.parametrize("ops", ["resize:20x", "rotate:90/grayscale", "crop:10x10", "border:2/blur:1"])
def test_animations_keep_their_frames_timing_and_loop(house: Api, source: str, target: str, ops: str) -> None:
    durations = [40, 100, 70, 200]
    result = made(house, animation(source, durations, 3), f"{ops}/{target}")
    assert result.n_frames == 4  # type: ignore[attr-defined]  # an animation has it
    # A GIF counts the repeats after the first showing, a WebP the showings.
    assert result.info.get("loop") == 3 + (target == "webp") - (source == "WEBP")
    times = []
    for frame in ImageSequence.Iterator(result):
        frame.load()
        times.append(frame.info["duration"])
    assert times == durations


@pytest.mark.parametrize("target", ["jpeg", "png"])
def test_a_still_of_an_animation_is_its_first_frame(house: Api, target: str) -> None:
    result = made(house, animation("GIF", [40] * 4, 0), target)
    assert getattr(result, "n_frames", 1) == 1
    assert apart(result, Image.new("RGB", (40, 30), "red")) < 4


def test_order_is_order(house: Api) -> None:
    source = photo(80, 40, format="PNG")
    one = made(house, source, "crop:20x20,x=0,y=0/resize:10x10/png")
    other = made(house, source, "resize:10x10/crop:20x20,x=0,y=0/png")
    assert (one.size, other.size) == ((10, 10), (10, 5))


def test_flip_flop_and_quarter_turns_are_exact(house: Api) -> None:
    source = picture(33, 21)
    data = encoded(source)
    transposed = {
        "flip": Image.Transpose.FLIP_TOP_BOTTOM,
        "flop": Image.Transpose.FLIP_LEFT_RIGHT,
        "rotate:90": Image.Transpose.ROTATE_270,
        "rotate:180": Image.Transpose.ROTATE_180,
        "rotate:-90": Image.Transpose.ROTATE_90,
    }
    for ops, method in transposed.items():
        expected = source.transpose(method)
        assert (
            ImageChops.difference(made(house, data, f"{ops}/png").convert("RGB"), expected).getbbox() is None
        ), ops


@pytest.mark.parametrize(
    ("ops", "size"),
    [
        ("resize:40x40,fit=cover", (40, 40)),
        ("resize:40x40,fit=pad", (40, 40)),
        ("resize:40x40,fit=fill", (40, 40)),
        ("resize:40x40,fit=outside", (60, 40)),
        ("resize:40x40", (40, 27)),
        ("resize:500x500,fit=cover", (80, 80)),
        ("resize:240x,enlarge", (240, 160)),
        ("pad:200x100,background=red", (200, 100)),
        ("border:7,color=0f08", (134, 94)),
        ("crop:0.5x0.25", (60, 20)),
        ("rotate:45,background=blue", None),
    ],
)
def test_the_size_is_what_explain_said(house: Api, ops: str, size: tuple[int, int] | None) -> None:
    explained = house.get("/v1/operations:explain", params={"ops": ops, "size": "120x80"}).json()
    result = made(house, fresh(120, 80), f"{ops}/png")
    assert list(result.size) == explained["steps"][-1]["out"]
    if size is not None:
        assert result.size == size


def test_every_operation_and_format_works_as_its_example_says(house: Api) -> None:
    listed = house.get("/v1/operations").json()
    for entry in listed["operations"] + listed["formats"]:
        if entry["name"].startswith("test-"):
            continue
        assert entry["description"]
        assert entry["schema"]["type"] == "object"
        answer = house.process(fresh(300, 300), entry["example"])
        assert answer.status_code == 200, (entry["example"], answer.text)


def test_the_first_operations_are_all_there(house: Api) -> None:
    listed = house.get("/v1/operations").json()
    names = {entry["name"] for entry in listed["operations"]}
    first = {
        *("thumbnail", "resize", "crop", "pad", "border", "rotate", "flip", "flop", "orient", "keep"),
        *("grayscale", "invert", "sepia", "brightness", "contrast", "saturation", "gamma", "autocontrast"),
        *("blur", "sharpen", "pixelate", "background"),
    }
    assert names >= first
    assert {entry["name"] for entry in listed["formats"]} >= {"jpeg", "png", "webp", "avif", "gif"}
