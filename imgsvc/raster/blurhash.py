"""BlurHash: a blurred picture in some 30 characters of text (https://github.com/woltapp/blurhash)."""

from __future__ import annotations

from math import floor

from imgsvc.raster.geometry import Size
from imgsvc.raster.light import level, light
from imgsvc.raster.waves import amplitudes, wave

#: The digits of base 83.
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"
#: Levels of the largest amplitude, and steps of each amplitude to either side of none.
_LARGEST, _STEPS = 82, 9
#: The largest amplitude is told in these parts of one.
_PARTS = 166

Triple = tuple[float, float, float]


_LIGHT = tuple(light(each) for each in range(256))


def encode(pixels: bytes, size: Size, columns: int, rows: int) -> str:
    """The BlurHash of sRGB pixels (three bytes each, row by row) with `columns` x `rows` waves, 1 to 9 each.

    The largest amplitude is found regardless of its sign, as the reference in C has it; the one in TypeScript
    does not and clips where a negative one is the largest.
    """
    first, *waves = _amplitudes(pixels, size, columns, rows)
    most = max((abs(part) for wave in waves for part in wave), default=0.0)
    largest = min(max(floor(most * _PARTS - 0.5), 0), _LARGEST)
    unit = (largest + 1) / _PARTS if waves else 1.0
    red, green, blue = (level(part) for part in first)
    words = [((columns - 1) + (rows - 1) * 9, 1), (largest, 1), (red << 16 | green << 8 | blue, 4)]
    words += [(_packed(wave, unit), 2) for wave in waves]
    return "".join(_text(value, digits) for value, digits in words)


def _amplitudes(pixels: bytes, size: Size, columns: int, rows: int) -> list[Triple]:
    """How much of each wave there is in red, green and blue."""
    across = [wave(number, size.width, shift=0) for number in range(columns)]
    down = [wave(number, size.height, shift=0) for number in range(rows)]
    planes = [
        amplitudes([_LIGHT[each] for each in pixels[channel::3]], size.width, across, down)
        for channel in range(3)
    ]
    found = []
    for row in range(rows):
        for column in range(columns):
            scale = (2 if row or column else 1) / size.pixels
            red, green, blue = (plane[row][column] * scale for plane in planes)
            found.append((red, green, blue))
    return found


def _packed(wave: Triple, unit: float) -> int:
    packed = 0
    for part in wave:
        root = (abs(part) / unit) ** 0.5
        step = floor((-root if part < 0 else root) * _STEPS + _STEPS + 0.5)
        packed = packed * (2 * _STEPS + 1) + min(max(step, 0), 2 * _STEPS)
    return packed


def _text(value: int, digits: int) -> str:
    """A number in base 83, the most significant digit first."""
    text = ""
    for _ in range(digits):
        value, digit = divmod(value, len(DIGITS))
        text = DIGITS[digit] + text
    return text
