"""ThumbHash: a blurred picture with alpha and its ratio in some 25 bytes (https://evanw.github.io/thumbhash)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from math import floor
from operator import add, mul

from imgsvc.raster.geometry import Size
from imgsvc.raster.waves import wave

#: Waves of luminance along the longer side without alpha and with it, of a colour difference, and of alpha.
_WAVES, _WAVES_BESIDE_ALPHA, _COLOUR_WAVES, _ALPHA_WAVES = 7, 5, 3, 5
#: The fewest waves of luminance along a side.
_FEWEST = 3
#: What is smaller is what rounding has left of zero. The smallest step that is told is 1/63.
_NOTHING = 1e-9


@dataclass(frozen=True, slots=True)
class _Channel:
    """One channel as waves: its mean, the largest amplitude, and each amplitude as a step from 0 to 15."""

    mean: float
    largest: float
    steps: tuple[int, ...]


def encode(pixels: bytes, size: Size) -> bytes:
    """The ThumbHash of sRGB pixels with straight alpha (four bytes each, row by row), at most 100 x 100.

    The bits are those of the reference, whose sums are made here in its order: where an amplitude is zero
    the rounding errors decide. In a channel that is flat they are all that there is, and differ between
    machines: there the steps, which mean nothing, are 0.
    """
    luminance, yellow, red, alpha = _channels(pixels)
    opaque = min(pixels[3::4]) == 255
    width, height = (_share(side, size, _WAVES if opaque else _WAVES_BESIDE_ALPHA) for side in size)
    wide = size.width > size.height
    l = _waves(luminance, size, max(_FEWEST, width), max(_FEWEST, height))  # noqa: E741  # the format's own names
    p = _waves(yellow, size, _COLOUR_WAVES, _COLOUR_WAVES)
    q = _waves(red, size, _COLOUR_WAVES, _COLOUR_WAVES)
    means = _rounded(63 * l.mean) | _rounded(31.5 + 31.5 * p.mean) << 6 | _rounded(31.5 + 31.5 * q.mean) << 12
    first = means | _rounded(31 * l.largest) << 18 | (not opaque) << 23
    largest = _rounded(63 * p.largest) << 3 | _rounded(63 * q.largest) << 9
    second = (height if wide else width) | largest | wide << 15
    head = first.to_bytes(3, "little") + second.to_bytes(2, "little")
    if opaque:
        return head + _nibbles(l.steps + p.steps + q.steps)
    a = _waves(alpha, size, _ALPHA_WAVES, _ALPHA_WAVES)
    head += bytes([_rounded(15 * a.mean) | _rounded(15 * a.largest) << 4])
    return head + _nibbles(l.steps + p.steps + q.steps + a.steps)


def _channels(pixels: bytes) -> tuple[list[float], list[float], list[float], list[float]]:
    """Luminance, yellow against blue, red against green, and alpha, on a ground of the mean colour."""
    alpha = [level / 255 for level in pixels[3::4]]
    weights = [share / 255 for share in alpha]
    seen = _sum(alpha) or 1.0
    planes = []
    for channel in range(3):
        weighted = list(map(mul, weights, pixels[channel::4]))
        mean = _sum(weighted) / seen
        planes.append([mean * (1 - share) + level for share, level in zip(alpha, weighted, strict=True)])
    rgb = list(zip(*planes, strict=True))
    return (
        [(r + g + b) / 3 for r, g, b in rgb],
        [(r + g) / 2 - b for r, g, b in rgb],
        [r - g for r, g, _ in rgb],
        alpha,
    )


def _waves(channel: Sequence[float], size: Size, columns: int, rows: int) -> _Channel:
    """A channel's amplitudes, of the waves in the triangle below the diagonal, row by row."""
    across = [list(map(mul, channel, wave(n, size.width) * size.height)) for n in range(columns)]
    found = []
    for row in range(rows):
        down = [share for share in wave(row, size.height) for _ in range(size.width)]
        under = (column for column in range(columns) if column * rows < columns * (rows - row))
        found += [_sum(map(mul, across[column], down)) / size.pixels for column in under]
    mean, *found = found
    largest = max(map(abs, found))
    if largest < _NOTHING:
        return _Channel(mean, 0.0, (0,) * len(found))
    return _Channel(mean, largest, tuple(_rounded(15 * (0.5 + 0.5 / largest * each)) for each in found))


def _sum(values: Iterable[float]) -> float:
    """From left to right: since 3.12 Python's own sum corrects rounding errors, the reference does not."""
    return reduce(add, values, 0.0)


def _share(side: int, size: Size, waves: int) -> int:
    return max(1, _rounded(waves * side / max(size)))


def _rounded(value: float) -> int:
    """Half up."""
    return floor(value + 0.5)


def _nibbles(steps: Sequence[int]) -> bytes:
    """Two in a byte, the first one below."""
    padded = [*steps, 0] if len(steps) % 2 else steps
    return bytes(low | high << 4 for low, high in zip(padded[::2], padded[1::2], strict=True))
