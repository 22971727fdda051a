"""Finds the quality at which a server's result is as near to the reference as ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

#: dB that count as equal.
EQUAL_DB = 0.5
#: 100 means lossless to some servers.
LOWEST, HIGHEST = 1, 99


@dataclass(frozen=True)
class Calibrated:
    """A quality, and the PSNR in dB that it gives."""

    quality: int
    db: float
    #: Is that as near as it has to be?
    reached: bool


def calibrate(target: float, measure: Callable[[int], float]) -> Calibrated:
    """The quality whose PSNR is the nearest to `target` dB; `measure` rises with the quality, or stays.

    By halves: at most eight results are looked at, and each of them once.
    """
    seen: dict[int, float] = {}

    def at(quality: int) -> float:
        if quality not in seen:
            seen[quality] = measure(quality)
        return seen[quality]

    low, high = LOWEST, HIGHEST
    while low < high:
        middle = (low + high) // 2
        if at(middle) < target:
            low = middle + 1
        else:
            high = middle
    at(low)
    best = min(seen, key=lambda quality: abs(seen[quality] - target))
    return Calibrated(best, seen[best], equal(seen[best], target))


def equal(one: float, other: float) -> bool:
    """Do two results count as equally good?"""
    return abs(one - other) <= EQUAL_DB
