"""JPEG decoded into memory that nobody has cleared, against Pillow's own way: nothing is left of others."""

from __future__ import annotations

import io
from random import Random

import pytest
from PIL import Image, UnidentifiedImageError

from imgsvc.errors import ImageRefused
from imgsvc.imaging.decode import decode
from imgsvc.imaging.limits import Limits
from imgsvc.imaging.source import open_source
from tests.photos import photo

LIMITS = Limits()
SIZES = [(1, 1), (7, 5), (161, 119), (640, 480)]
#: What other pictures have left.
_LEFT = b"\xab\xcd\xef\x5a"


def leave_something(pixels: int) -> None:
    """Fill memory of the size that the next picture will ask for, and free it."""
    for more in (0, 64, 4096):
        del [_LEFT * (pixels + more // 4)][0]


def ours(data: bytes, scale: int) -> Image.Image | None:
    """What we decode, None where it is refused."""
    try:
        source = open_source(io.BytesIO(data), LIMITS)
        leave_something(source.facts.size.pixels // scale**2)
        return next(decode(source, LIMITS, scale=scale)).take()
    except ImageRefused:
        return None


def theirs(data: bytes, scale: int) -> Image.Image | None:
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            if scale > 1:
                image.draft(None, (max(1, image.width // scale), max(1, image.height // scale)))
            image.load()
            return image.copy()
    except (OSError, SyntaxError, UnidentifiedImageError):
        return None


@pytest.mark.parametrize("scale", [1, 2, 4, 8])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("size", SIZES)
def test_every_pixel_is_what_pillow_makes_of_it(
    size: tuple[int, int], mode: str, progressive: bool, scale: int
) -> None:
    data = photo(*size, mode=mode, progressive=progressive)
    one, other = ours(data, scale), theirs(data, scale)
    assert one is not None
    assert other is not None
    assert (one.mode, one.size, one.tobytes()) == (other.mode, other.size, other.tobytes())


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_damaged_file_shows_nothing_that_is_not_in_it(mode: str, progressive: bool) -> None:
    random = Random(f"{mode} {progressive}")
    data = photo(160, 120, mode=mode, progressive=progressive)
    shown = 0
    for _ in range(150):
        damaged = bytearray(data)
        for _ in range(random.randint(1, 8)):
            damaged[random.randrange(len(data))] = random.randrange(256)
        if random.random() < 0.2:
            del damaged[random.randrange(len(data)) :]
        scale = random.choice([1, 2, 8])
        one, other = ours(bytes(damaged), scale), theirs(bytes(damaged), scale)
        if one is not None and other is not None:
            shown += 1
            assert one.tobytes() == other.convert(one.mode).tobytes()
    assert shown > 20
