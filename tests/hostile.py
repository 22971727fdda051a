"""Files that lie, explode or are broken (reference: security, section 2), all made here and small."""

from __future__ import annotations

import io
import struct
import zlib
from functools import cache

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.photos import photo, picture

NOT_IMAGES = {
    "one-byte": b"\xff",
    "text": b"hello, I am a photograph\n",
    "html": b"<!doctype html><script>alert(1)</script>",
    "svg": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n",
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%id) (r) file\n",
    "elf": b"\x7fELF\x02\x01\x01" + bytes(57),
    "heic": b"\0\0\0\x18ftypheic\0\0\0\0heicmif1" + bytes(100),
    "mp4": b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2" + bytes(100),
    "riff": b"RIFF\x24\0\0\0WAVEfmt " + bytes(60),
    "zeros": bytes(4096),
}

MAGIC_ONLY = {
    "jpeg": b"\xff\xd8\xff",
    "jpeg-soi-app0": b"\xff\xd8\xff\xe0\x00\x10JFIF\0",
    "png": b"\x89PNG\r\n\x1a\n",
    "gif": b"GIF89a",
    "webp": b"RIFF\x10\0\0\0WEBPVP8 ",
    "avif": b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf",
}


def chunk(name: bytes, data: bytes) -> bytes:
    """A PNG chunk."""
    return struct.pack(">L", len(data)) + name + data + struct.pack(">L", zlib.crc32(name + data))


def png_header(width: int, height: int, *, depth: int = 8, colour: int = 2) -> bytes:
    """A PNG that has said its size and not much else."""
    header = struct.pack(">LLBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


@cache
def png_bomb(width: int, height: int) -> bytes:
    """A whole PNG of so many black pixels, one bit each: a thousandth of their bytes."""
    row = bytes(1 + (width + 7) // 8)
    press = zlib.compressobj(9)
    data = b"".join(press.compress(row) for _ in range(height)) + press.flush()
    header = struct.pack(">LLBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def jpeg_claiming(width: int, height: int) -> bytes:
    """A JPEG whose header claims another size than it has."""
    data = bytearray(photo())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def gif_header(width: int, height: int) -> bytes:
    """A GIF of one frame that says its canvas and no more."""
    return (
        b"GIF89a"
        + struct.pack("<HHBBB", width, height, 0x80, 0, 0)
        + bytes(6)
        + _gif_frame(width, height)
        + b";"
    )


def _gif_frame(width: int, height: int) -> bytes:
    """A frame; its data holds a hundred pixels at most, so a larger one is broken off."""
    head = b"," + struct.pack("<HHHHB", 0, 0, width, height, 0)
    # LZW of four colours, its table cleared before each pixel: codes of 3 bits, 4 clears, 5 ends.
    codes = [4, 0] * min(width * height, 100) + [5]
    bits = sum(code << 3 * place for place, code in enumerate(codes))
    data = bits.to_bytes((3 * len(codes) + 7) // 8, "little")
    return head + bytes([2, len(data)]) + data + b"\0"


@cache
def gif_bomb(frames: int, width: int = 1, height: int = 1) -> bytes:
    """A GIF of many frames, each a single pixel on the canvas."""
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    return head + _gif_frame(1, 1) * frames + b";"


def gif_growing(frames: int, width: int, height: int) -> bytes:
    """A GIF whose later frames reach far over its canvas of one pixel."""
    head = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6)
    return head + _gif_frame(1, 1) + _gif_frame(width, height) * (frames - 1) + b";"


def webp_claiming(width: int, height: int) -> bytes:
    """A lossless WebP of 34 bytes that claims a size."""
    bits = (width - 1) | (height - 1) << 14
    data = b"\x2f" + struct.pack("<L", bits) + b"\x07\x10\x11\x11\x88\x88\x08"
    body = b"WEBPVP8L" + struct.pack("<L", len(data)) + data
    return b"RIFF" + struct.pack("<L", len(body)) + body


def webp_canvas(width: int, height: int) -> bytes:
    """An extended WebP that claims a canvas."""
    head = (
        b"VP8X"
        + struct.pack("<LL", 10, 2)
        + (width - 1).to_bytes(3, "little")
        + (height - 1).to_bytes(3, "little")
    )
    body = b"WEBP" + head
    return b"RIFF" + struct.pack("<L", len(body)) + body


def apng_claiming(frames: int) -> bytes:
    """A PNG of one picture that claims so many frames."""
    data = photo(16, 16, format="PNG")
    at = data.index(b"IDAT") - 4
    return data[:at] + chunk(b"acTL", struct.pack(">LL", frames, 0)) + data[at:]


@cache
def jpeg_of_scans(scans: int) -> bytes:
    """A progressive JPEG whose last scan is repeated."""
    data = photo(64, 64, progressive=True)
    at = data.rindex(b"\xff\xda")
    return data[:-2] + data[at:-2] * (scans - data.count(b"\xff\xda")) + data[-2:]


def png_of_chunks(count: int) -> bytes:
    """A PNG with empty chunks that mean nothing."""
    data = photo(16, 16, format="PNG")
    at = data.index(b"IDAT") - 4
    return data[:at] + chunk(b"abCd", b"") * count + data[at:]


def png_of_crumbs(count: int) -> bytes:
    """A PNG whose pixels come in many empty pieces first."""
    data = photo(16, 16, format="PNG")
    at = data.index(b"IDAT") - 4
    return data[:at] + chunk(b"IDAT", b"") * count + data[at:]


def jpeg_of_segments(count: int) -> bytes:
    """A JPEG with empty segments for some application."""
    data = photo(16, 16)
    return data[:2] + b"\xff\xef\x00\x02" * count + data[2:]


def gif_of_comments(count: int) -> bytes:
    """A GIF with comments of one letter."""
    data = photo(16, 16, format="GIF")
    at = data.index(b",", 13)
    return data[:at] + b"!\xfe\x01a\0" * count + data[at:]


def png_text_bomb() -> bytes:
    """A PNG whose text inflates to 64 MB."""
    data = photo(16, 16, format="PNG")
    at = data.index(b"IDAT") - 4
    return data[:at] + chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(64 << 20), 9)) + data[at:]


def png_text(text: str) -> PngInfo:
    """A PNG's text."""
    made = PngInfo()
    made.add_text("Comment", text)
    return made


def exif(orientation: int) -> bytes:
    """An EXIF block that says how the picture lies."""
    made = Image.Exif()
    made[0x0112] = orientation
    return made.tobytes()


def exif_loop() -> bytes:
    """An EXIF block whose directory points to itself."""
    tags = struct.pack("<HHHLL", 1, 0x8769, 4, 1, 8) + struct.pack("<L", 8)
    return b"Exif\0\0II*\0\x08\0\0\0" + tags


@cache
def mpo() -> bytes:
    """Two pictures in one JPEG."""
    file = io.BytesIO()
    picture(64, 48).save(file, "MPO", save_all=True, append_images=[picture(64, 48, seed=1)])
    return file.getvalue()
