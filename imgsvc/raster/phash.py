"""A perceptual hash: 64 bits of which few differ between two pictures that look alike."""

from __future__ import annotations

from statistics import median

from imgsvc.raster.waves import amplitudes, wave

#: The side of the grey picture that is hashed, and waves along each side, the constant one among them.
SIDE, _WAVES = 32, 8
#: Amplitudes are compared as whole multiples of this: what rounding has left of zero is zero.
_UNIT = 1e-3

_COSINES = tuple(wave(number, SIDE) for number in range(_WAVES))


def encode(levels: bytes) -> str:
    """The hash of a grey picture of 32 x 32 levels (row by row), as 16 hex digits.

    The picture's type-II discrete cosine transform without scaling is cut to its 8 x 8 lowest waves. Each
    gives one bit, from the top left, row by row, the most significant bit first: is its amplitude above the
    median of all 64? (So does ImageHash's `phash`, of which this differs by how the picture was reduced.)
    """
    found = [round(each / _UNIT) for row in amplitudes(levels, SIDE, _COSINES, _COSINES) for each in row]
    middle = median(found)
    bits = 0
    for amplitude in found:
        bits = bits << 1 | (amplitude > middle)
    return f"{bits:016x}"


def distance(one: str, other: str) -> int:
    """How many of the 64 bits differ (Hamming): 0 for equal pictures, about 32 for any two."""
    return (int(one, 16) ^ int(other, 16)).bit_count()
