"""How a lossy encoder finds its quality: the least that looks the same, the best that fits."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil, exp, log
from typing import Annotated, BinaryIO, Literal

from PIL import Image
from PIL.Image import open as open_image
from pydantic import Field

from imgsvc.errors import OutputTooLarge
from imgsvc.formats._base import Picture
from imgsvc.raster.likeness import SMALLEST, Likeness

#: A quality, or `auto`: the least that looks the same.
Quality = Annotated[int, Field(ge=1, le=100)] | Literal["auto"]
#: How many bytes a file may have at most.
MaxBytes = Annotated[int, Field(ge=1, le=2**30)] | None

#: The difference (`raster.likeness`) up to which pictures look the same (docs/decisions/0012).
LOOKS_THE_SAME = 0.04
#: Differences that are as good, for another encoding would not save a tenth of the bytes, and what is aimed
#: at, for a near miss is none.
_GOOD, _AIM = 0.85 * LOOKS_THE_SAME, 0.93 * LOOKS_THE_SAME
#: Encodings that are measured, where the picture is as small as a sample; with that of the whole picture
#: they are as many for a larger one.
_TRIES = 3
#: A larger picture is measured by a sample: squares of so many pixels, so many in a row and a column.
_TILE, _ROW = 96, 5
#: Encodings that the best fit may take. Bisection alone would take eight; one more leaves room to guess, and
#: then they are seven (docs/performance.md).
_FITS = 9
#: Sizes fall about like (100 - quality) to this power at least, so that a first guess is on the safe side.
_FALL = 0.3

#: Writes a picture at a quality.
Write = Callable[[Picture, BinaryIO, int], None]


@dataclass(frozen=True, slots=True)
class Scale:
    """What is known of an encoder's scale of quality, measured on photographs (docs/performance.md)."""

    #: Where most photographs look the same.
    usual: int
    #: The least and the most that `auto` takes.
    least: int
    most: int
    #: The difference falls about like (100 - quality) to this power.
    power: float


def write(
    picture: Picture,
    file: BinaryIO,
    encoder: Write,
    scale: Scale,
    quality: int | Literal["auto"],
    max_bytes: int | None,
) -> int | None:
    """Write a picture at its quality; the one that was found, None where it was given.

    Raises OutputTooLarge where no quality makes it fit into `max_bytes`.
    """
    if quality != "auto" and max_bytes is None:
        encoder(picture, file, quality)
        return None
    wanted, data = _same(picture, encoder, scale) if quality == "auto" else (quality, None)
    if data is None:
        data = _encoded(picture, encoder, wanted)
    if max_bytes is not None and len(data) > max_bytes:
        wanted, data = _fitting(picture, encoder, wanted, len(data), max_bytes)
    file.write(data)
    return wanted


# -- the least that looks the same ----------------------------------------------------------------


def _same(picture: Picture, encoder: Write, scale: Scale) -> tuple[int, bytes | None]:
    """The least quality at which a picture looks the same, and the file if it has been made.

    The first frame speaks for an animation.
    """
    first = picture.frames[0]
    if min(first.size) < SMALLEST:
        return scale.usual, None
    sample = _sample(first)
    whole = sample is first and len(picture.frames) == 1
    shown = picture if whole else Picture((sample,))
    search = _Search(scale)
    likeness = Likeness(sample)
    made: dict[int, bytes] = {}
    for quality in search.tries(_TRIES if whole else _TRIES - 1):
        made[quality] = _encoded(shown, encoder, quality)
        search.found[quality] = likeness.difference(_opened(made[quality]))
    quality = search.best(measured=whole)
    return quality, made.get(quality) if whole else None


class _Search:
    """From differences at some qualities to the quality at which it is just small enough."""

    def __init__(self, scale: Scale) -> None:
        self._scale = scale
        self.found: dict[int, float] = {}

    def tries(self, most: int) -> Iterator[int]:
        """Qualities to try, until one is good or the next would be one that has been tried."""
        yield self._scale.usual
        while len(self.found) < most and not self._good() and (following := self._next()) not in self.found:
            yield following

    def best(self, *, measured: bool) -> int:
        """The least quality that is good enough; `measured`: only one that has been tried can be."""
        enough = [quality for quality, difference in self.found.items() if difference <= LOOKS_THE_SAME]
        if not measured and not self._good():
            return self._next()
        return min(enough) if enough else max(self.found)

    def _good(self) -> bool:
        return any(_GOOD <= found <= LOOKS_THE_SAME for found in self.found.values())

    def _next(self) -> int:
        """Where the difference should be small enough, by the two nearest that are known."""
        near = sorted(self.found.items(), key=lambda known: abs(_logarithm(known[1]) - _WANTED))
        (quality, difference), *others = near
        power = self._scale.power
        if others and others[0][1] != difference:
            steep = (_logarithm(difference) - _logarithm(others[0][1])) / (
                _left(quality) - _left(others[0][0])
            )
            power = min(max(steep, power / 2), power * 2)
        left = exp(_left(quality) + (_WANTED - _logarithm(difference)) / power)
        return min(max(ceil(100.5 - left), self._scale.least), self._scale.most)


def _left(quality: int) -> float:
    """How far a quality is from the best, as a logarithm."""
    return log(100.5 - quality)


def _logarithm(difference: float) -> float:
    return log(max(difference, 0.001))


_WANTED = _logarithm(_AIM)


def _sample(image: Image.Image) -> Image.Image:
    """The picture itself, or squares from all over it, side by side, where it is larger than they are."""
    side = _TILE * _ROW
    if image.width * image.height <= side * side or min(image.size) < side:
        return image
    sample = Image.new(image.mode, (side, side))
    for row in range(_ROW):
        for column in range(_ROW):
            # On whole blocks of an encoder, as in the picture.
            left, top = (
                (length - _TILE) * place // (_ROW - 1) // 16 * 16
                for length, place in zip(image.size, (column, row), strict=True)
            )
            tile = image.crop((left, top, left + _TILE, top + _TILE))
            sample.paste(tile, (column * _TILE, row * _TILE))
    return sample


def _opened(data: bytes) -> Image.Image:
    image = open_image(io.BytesIO(data))
    image.draft("L", image.size)  # of a JPEG only the light is decoded
    return image


# -- the best that fits ---------------------------------------------------------------------------


def _fitting(picture: Picture, encoder: Write, above: int, size: int, most: int) -> tuple[int, bytes]:
    """The largest quality below `above`, which gives `size` bytes, that gives at most `most`."""
    # The largest that fits, the smallest that does not, and their sizes.
    fits, fitting = 0, b""
    for left in range(_FITS - 1, 0, -1):
        if above - fits <= 1:
            break
        # A guess may cut off next to nothing: it is made while bisection could still finish after it.
        if above - fits <= 2 ** (left - 1):
            quality = _between(fits, len(fitting), above, size, most)
        else:
            quality = (fits + above) // 2
        data = _encoded(picture, encoder, quality)
        if len(data) <= most:
            fits, fitting = quality, data
        else:
            above, size = quality, len(data)
    if not fits:
        raise OutputTooLarge(
            f"the result has {size} bytes at the lowest quality, {most} are allowed by max_bytes; "
            "make it smaller with resize",
            limit=most,
            actual=size,
        )
    return fits, fitting


def _between(low: int, small: int, high: int, large: int, wanted: int) -> int:
    """A quality between two, where the size should be `wanted`: it falls about like (100 - quality) does."""
    near, far = _left(high), _left(low)
    share = log(large / wanted) / (log(large / small) if small else _FALL * (far - near))
    return min(max(int(100.5 - exp(near + (far - near) * share)), low + 1), high - 1)


def _encoded(picture: Picture, encoder: Write, quality: int) -> bytes:
    file = io.BytesIO()
    encoder(picture, file, quality)
    return file.getvalue()
