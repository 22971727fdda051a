"""Damaged files: whatever is flipped, cut or doubled, the image is rendered or refused."""

from __future__ import annotations

import random

import pytest

from imgsvc.errors import ImageRefused
from imgsvc.imaging import Limits, render
from imgsvc.pipeline import Grammar
from tests import hostile
from tests.photos import photo

#: A fixed seed: the same files each time.
SEED = 20261125
EACH = 120
SOURCES = {
    "jpeg": photo(48, 36, exif=hostile.exif(6)),
    "progressive": photo(48, 36, progressive=True),
    "mpo": hostile.mpo(),
    "png": photo(48, 36, format="PNG"),
    "palette": photo(48, 36, format="PNG", mode="P", transparency=0),
    "webp": photo(48, 36, format="WEBP"),
    "lossless": photo(48, 36, format="WEBP", lossless=True, mode="RGBA"),
    "gif": hostile.gif_bomb(5, 40, 30),
    "avif": photo(48, 36, format="AVIF"),
}


def damaged(data: bytes, chance: random.Random) -> bytes:
    made = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 8])):
        at = chance.randrange(len(made))
        match chance.randrange(5):
            case 0:
                made[at] ^= 1 << chance.randrange(8)
            case 1:
                made[at] = chance.choice([0, 0xFF, 0x7F, 0x80])
            case 2:
                del made[at : at + chance.randrange(1, 40)]
            case 3:
                made[at:at] = made[at : at + chance.randrange(1, 40)]
            case _:
                made[at : at + 4] = chance.randbytes(4)
        if not made:
            return b"\xff"
    return bytes(made)


@pytest.mark.parametrize("name", SOURCES)
def test_a_damaged_file_is_rendered_or_refused(name: str) -> None:
    chance = random.Random(f"{SEED} {name}")  # no secret
    targets = [(ops, Grammar().parse(ops)) for ops in ("thumbnail:16x16", "grayscale/webp", "png")]
    outcomes = set()
    for _ in range(EACH):
        try:
            render(damaged(SOURCES[name], chance), targets, Limits(max_pixels=1_000_000))
            outcomes.add("rendered")
        except ImageRefused:
            outcomes.add("refused")
    assert "refused" in outcomes
