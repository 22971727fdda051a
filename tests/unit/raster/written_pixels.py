"""Pixels by a formula that other languages compute alike: what known hashes are the hashes of."""

from __future__ import annotations


def pixels(width: int, height: int, seed: int, *, alpha: bool) -> bytes:
    """RGBA: slopes with noise of a linear congruential generator on top."""
    state, made = seed, bytearray()
    for y in range(height):
        for x in range(width):
            for channel in range(4):
                state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
                level = (x * (5 + 3 * channel + seed % 7) + y * (11 - 2 * channel) + (state >> 27)) % 256
                made.append(level if channel < 3 or alpha else 255)
    return bytes(made)


def without_alpha(rgba: bytes) -> bytes:
    """RGB."""
    return bytes(level for place, level in enumerate(rgba) if place % 4 != 3)
