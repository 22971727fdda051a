"""Files that mean harm, made in memory: the bombs and liars of the reference's list."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

from PIL import Image

from tests.photos import photo


def chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG chunk."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    width: int, height: int, *, depth: int = 1, colour: int = 0, extra: bytes = b"", body: bytes | None = None
) -> bytes:
    """A PNG with the given header; its pixels are zeros unless `body` says otherwise."""
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    if body is None:
        row = 1 + (width * depth * samples + 7) // 8
        packer = zlib.compressobj(9)
        body = b"".join(packer.compress(bytes(row)) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def png_that_claims(width: int, height: int) -> bytes:
    """A few bytes whose header promises this size."""
    return png(width, height, body=zlib.compress(b"\0" * 64))


def gif_that_claims(width: int, height: int) -> bytes:
    """A GIF of one pixel on a canvas of this size."""
    canvas = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    return canvas + b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0\x3b"


def jpeg_that_claims(width: int, height: int) -> bytes:
    """A small JPEG whose frame header promises this size."""
    real = photo(16, 16)
    at = real.index(b"\xff\xc0") + 5
    return real[:at] + struct.pack(">HH", height, width) + real[at + 4 :]


def webp_that_claims(width: int, height: int) -> bytes:
    """34 bytes: a lossless WebP header and nothing behind it."""
    bits = (width - 1) | (height - 1) << 14
    body = b"\x2f" + struct.pack("<I", bits) + b"\x88\x88\x08\0\0\0\0\0\0"
    data = b"VP8L" + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(data)) + b"WEBP" + data


def metadata_bomb(kind: bytes = b"zTXt") -> bytes:
    """A PNG whose text unpacks to 64 MB."""
    packed = zlib.compress(bytes(64 * 2**20), 9)
    lead = {b"zTXt": b"a\0\0", b"iTXt": b"a\0\x01\0\0\0", b"iCCP": b"a\0\0"}[kind]
    return png(8, 8, depth=8, extra=chunk(kind, lead + packed))


def many_scans(scans: int) -> bytes:
    """A progressive JPEG that repeats its last scan."""
    real = photo(64, 64, progressive=True)
    last = real.rindex(b"\xff\xda")
    scan = real[last:-2]
    return real[:last] + scan * scans + b"\xff\xd9"


def frames(count: int, size: tuple[int, int] = (8, 8), format: str = "GIF") -> bytes:
    """An animation."""
    made = [Image.new("P", size, n % 250) for n in range(count)]
    for n, frame in enumerate(made):
        frame.putpalette([n % 256, 255 - n % 256, n * 7 % 256] * 256)
    file = BytesIO()
    pictures = [frame.convert("RGB") for frame in made]
    pictures[0].save(file, format, save_all=True, append_images=pictures[1:], duration=40, loop=0)
    return file.getvalue()


def endless_apng() -> bytes:
    """A PNG that announces 2^31 - 1 frames."""
    return png(8, 8, depth=8, extra=chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)))


def bmp() -> bytes:
    """An image, but of a format that is not allowed."""
    file = BytesIO()
    Image.new("RGB", (8, 8)).save(file, "BMP")
    return file.getvalue()


def tiff() -> bytes:
    """The same as TIFF."""
    file = BytesIO()
    Image.new("RGB", (8, 8)).save(file, "TIFF")
    return file.getvalue()


SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script/></svg>'
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n"
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
MP4 = b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2" + bytes(64)

NOT_IMAGES = {
    "one byte": b"\xff",
    "text": b"Dear sir or madam, please find attached no picture at all.\n",
    "html": b"<!doctype html><html><body><img src=x onerror=alert(1)></body></html>",
    "svg": SVG,
    "pdf": PDF,
    "eps": EPS,
    "mp4": MP4,
    "elf": b"\x7fELF\x02\x01\x01" + bytes(200),
    "bmp": bmp(),
    "tiff": tiff(),
    "zeros": bytes(4096),
}
