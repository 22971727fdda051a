"""Damaged files: whatever is flipped, cut or doubled, the image is looked into or refused."""

from __future__ import annotations

import io
import random

import pytest

from imgsvc.errors import ImageRefused
from imgsvc.imaging import Clock, Limits
from imgsvc.imaging.analysis import Analysis, analyse
from tests import hostile, profiles
from tests.photos import photo
from tests.unit.imaging.analysis.blocks import block, ratios, text
from tests.unit.imaging.test_mutations import damaged

EXIF = block(
    text(0x010F, "Maker"),
    exif=(ratios(0x829A, (1, 250)),),
    gps=(text(1, "N"), ratios(2, (52, 1)), text(3, "E"), ratios(4, (13, 1))),
)
SOURCES = {
    "jpeg": photo(48, 36, exif=EXIF),
    "profile": photo(24, 18, icc_profile=profiles.cmyk(), mode="CMYK"),
    "png": photo(24, 18, format="PNG", exif=EXIF),
    "webp": photo(48, 36, format="WEBP", exif=EXIF),
    "gif": hostile.gif_bomb(5, 40, 30),
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_damaged_file_is_looked_into_or_refused(name: str) -> None:
    chance = random.Random(f"20261125 {name}")
    outcomes = set()
    for _ in range(80):
        try:
            found = analyse(io.BytesIO(damaged(SOURCES[name], chance)), Limits(max_pixels=1_000_000), Clock())
            assert Analysis.model_validate_json(bytes(found.data)) == found.analysis
            outcomes.add("looked")
        except ImageRefused:
            outcomes.add("refused")
    assert outcomes == {"looked", "refused"}
