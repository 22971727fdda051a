"""Pictures as sums of waves: the cosine transform, along the rows and then down."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, pi
from operator import mul

#: A wave's value at each place.
Wave = tuple[float, ...]


def wave(number: int, length: int, shift: float = 0.5) -> Wave:
    """`number` half periods over `length` places, which lie `shift` of a place behind its start."""
    return tuple(cos(pi / length * number * (place + shift)) for place in range(length))


def amplitudes(
    channel: Sequence[float], width: int, across: Sequence[Wave], down: Sequence[Wave]
) -> list[list[float]]:
    """How much of each wave there is in a channel (row by row), not scaled: a row for each wave of `down`."""
    rows = [channel[start : start + width] for start in range(0, len(channel), width)]
    along = [[_dot(row, each) for row in rows] for each in across]
    return [[_dot(column, each) for column in along] for each in down]


def _dot(values: Sequence[float], weights: Wave) -> float:
    total: float = sum(map(mul, values, weights))
    return total
