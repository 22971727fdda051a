"""Which files may be given in place of a larger result: those that hold nothing but the picture."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from imgsvc.formats.avif import Avif
from imgsvc.formats.gif import Gif
from imgsvc.formats.jpeg import Jpeg
from imgsvc.formats.png import Png
from imgsvc.formats.webp import Webp
from tests.photos import photo, picture


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def with_segment(data: bytes, marker: int, body: bytes) -> bytes:
    return data[:2] + segment(marker, body) + data[2:]


def with_chunk(data: bytes, kind: bytes, body: bytes) -> bytes:
    crc = zlib.crc32(kind + body)
    return data[:33] + struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc) + data[33:]


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 10}, {"optimize": True}])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_plain_jpeg_does(options: dict[str, Any], mode: str) -> None:
    assert Jpeg().stands_in(photo(mode=mode, **options))


def test_a_jpeg_with_restarts_does() -> None:
    assert Jpeg().stands_in(photo(restart_marker_blocks=2))


@pytest.mark.parametrize(
    "more",
    [
        segment(0xE0, b"JFXX\0\x10" + b"x" * 20),
        segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0\0\0"),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>"),
        segment(0xE2, b"ICC_PROFILE\0\1\1"),
        segment(0xE2, b"MPF\0II*\0"),
        segment(0xED, b"Photoshop 3.0\0"),
        segment(0xEE, b"Adobe\0\x64\0\0\0\0\0"),
        segment(0xFE, b"a comment"),
        segment(0xE5, b"whatever"),
    ],
    ids=lambda more: more[4:12].decode("latin-1"),
)
def test_a_jpeg_that_tells_more_does_not(more: bytes) -> None:
    data = photo()
    assert not Jpeg().stands_in(data[:2] + more + data[2:])


def test_a_small_picture_beside_a_jpeg_is_more() -> None:
    data = photo()
    assert data[2:4] == b"\xff\xe0"
    length = int.from_bytes(data[4:6], "big")
    beside = b"JFIF\0\1\1\0\0\1\0\1\1\1abc"
    assert not Jpeg().stands_in(data[:2] + segment(0xE0, beside) + data[4 + length :])


def test_a_comment_between_scans_is_seen() -> None:
    data = photo(progressive=True)
    second = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    table = data.rindex(b"\xff\xc4", 0, second)
    assert Jpeg().stands_in(data)
    assert not Jpeg().stands_in(data[:table] + segment(0xFE, b"here") + data[table:])


@pytest.mark.parametrize("mode", ["CMYK"])
def test_a_jpeg_in_colours_of_print_does_not(mode: str) -> None:
    assert not Jpeg().stands_in(photo(mode=mode))


def test_only_a_progressive_jpeg_does_where_one_is_asked_for() -> None:
    assert Jpeg(progressive=True).stands_in(photo(progressive=True))
    assert not Jpeg(progressive=True).stands_in(photo())


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_a_plain_png_does(mode: str) -> None:
    data = photo(format="PNG", mode="RGB" if mode == "P" else mode.replace("1", "L"))
    if mode in ("1", "P"):
        file = io.BytesIO()
        picture().convert(mode).save(file, "PNG")
        data = file.getvalue()
    assert Png().stands_in(data)
    assert Png(palette=True).stands_in(data) is (mode == "P")


@pytest.mark.parametrize(
    "kind", [b"tEXt", b"iCCP", b"eXIf", b"gAMA", b"cHRM", b"pHYs", b"tIME", b"acTL", b"prVt"]
)
def test_a_png_that_tells_more_does_not(kind: bytes) -> None:
    assert not Png().stands_in(with_chunk(photo(format="PNG"), kind, b"\0" * 9))


def test_a_png_that_says_that_it_is_srgb_does() -> None:
    assert Png().stands_in(with_chunk(photo(format="PNG"), b"sRGB", b"\0"))


def test_a_png_of_16_bits_does_not() -> None:
    file = io.BytesIO()
    picture(mode="L").convert("I;16").save(file, "PNG")
    assert not Png().stands_in(file.getvalue())


def test_a_png_with_text_does_not() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "SECRET")
    assert not Png().stands_in(photo(format="PNG", pnginfo=text))


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"quality": 5}])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_plain_webp_does(options: dict[str, Any], mode: str) -> None:
    data = photo(format="WEBP", mode=mode, **options)
    assert Webp().stands_in(data)
    assert Webp(lossless=True).stands_in(data) is ("lossless" in options)


@pytest.mark.parametrize("kind", [b"EXIF", b"XMP ", b"ICCP", b"SECR"])
def test_a_webp_that_tells_more_does_not(kind: bytes) -> None:
    data = photo(format="WEBP", mode="RGBA", exact=True)
    more = data[12:] + kind + struct.pack("<I", 4) + b"abcd"
    assert Webp().stands_in(data)
    assert not Webp().stands_in(b"RIFF" + struct.pack("<I", len(more) + 4) + b"WEBP" + more)


def gif(**options: Any) -> bytes:  # noqa: ANN401  # whatever Pillow takes
    file = io.BytesIO()
    frames = [picture(20, 10, seed=seed) for seed in range(3)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=50, **options)
    return file.getvalue()


def test_a_plain_gif_does() -> None:
    assert Gif().stands_in(photo(format="GIF"))
    assert Gif().stands_in(gif())
    assert Gif().stands_in(gif(loop=0))


@pytest.mark.parametrize(
    "more",
    [
        b"!\xfe\x06SECRET\0",
        b"!\xff\x0bXMP DataXMP\x01x\0",
        b"!\xff\x0bICCRGBG1012\x01x\0",
        b"!\x01\x01x\0",
        b"!\x99\x01x\0",
    ],
)
def test_a_gif_that_tells_more_does_not(more: bytes) -> None:
    data = gif(loop=0)
    assert not Gif().stands_in(data[:-1] + more + b";")


def test_a_gif_with_a_comment_does_not() -> None:
    assert not Gif().stands_in(gif(comment=b"SECRET"))


def test_a_plain_avif_does() -> None:
    for mode in ("RGB", "RGBA", "L"):
        assert Avif().stands_in(photo(format="AVIF", mode=mode, speed=10))


@pytest.mark.parametrize(
    "options",
    [
        {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"},
        {"xmp": b"<x:xmpmeta/>"},
    ],
)
def test_an_avif_that_tells_more_does_not(options: dict[str, Any]) -> None:
    assert not Avif().stands_in(photo(format="AVIF", speed=10, **options))


def test_an_avif_to_be_turned_does_not() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert not Avif().stands_in(photo(format="AVIF", speed=10, exif=exif))


def test_an_avif_of_more_bits_or_in_other_colours_does_not() -> None:
    data = photo(format="AVIF", speed=10)
    at = data.index(b"av1C") + 6
    assert not Avif().stands_in(data[:at] + bytes([data[at] | 0x40]) + data[at + 1 :])
    colours = data.index(b"nclx") + 5
    assert not Avif().stands_in(data[:colours] + b"\x09" + data[colours + 1 :])


@pytest.mark.parametrize("format", [Jpeg(), Png(), Webp(), Gif(), Avif()], ids=str)
@pytest.mark.parametrize(
    "junk", [b"", b"\xff", b"x" * 7, b"\xff\xd8", b"RIFF", b"GIF89a", b"\0" * 400, b"\xff" * 400]
)
def test_junk_does_not(format: Jpeg | Png | Webp | Gif | Avif, junk: bytes) -> None:
    assert not format.stands_in(junk)
