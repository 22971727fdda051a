"""BlurHash: the texts that others make of the same pixels."""

from __future__ import annotations

import pytest

from imgsvc.raster import blurhash
from imgsvc.raster.geometry import Size
from tests.unit.raster.written_pixels import pixels, without_alpha

#: Made with the package blurhash 1.1.5 of PyPI: width, height, seed, waves across and down.
KNOWN = {
    (32, 24, 1, 4, 3): "LRHo8-tkV|rn+[AED6bAFE5B,-u3",
    (32, 24, 1, 1, 1): "00Ho8-",
    (32, 24, 1, 9, 9): (
        "|RHo8-tkV|rnkOsqoYsqah+[AED6bAR@V|X8adXRFE5B,-u3ohniX1niX9kX#,-UKJZlaJXPjMa$SvagI:JBrvX%kpi~oakXnlba"
        "$$slX5iyVxkRWBniR*fhNeWnr^XRg1kpf8W.j]a#s,obodnkahjFjFoHjcWUNKbIW="
    ),
    (24, 32, 1, 3, 4): "TRHLo9NPkB-zRkMaJj4Wof1zxG%x",
    (31, 7, 1, 4, 3): "LiHV6a0-l;pQX+VcoaXkSKnPXOj]",
    (5, 32, 1, 3, 4): "ToF~t2%MbVVUVraP0QNgbtpstKod",
    (3, 2, 1, 4, 3): "L12==e=}NCuaysnVZ$t$0~DovVr_",
    (100, 75, 1, 4, 3): "L1HLo9^SFq^*}_$dry=aF:NfB+aO",
}


@pytest.mark.parametrize(("of", "text"), KNOWN.items(), ids=str)
def test_a_picture_has_the_hash_that_others_give_it(of: tuple[int, int, int, int, int], text: str) -> None:
    width, height, seed, across, down = of
    rgb = without_alpha(pixels(width, height, seed, alpha=False))
    assert blurhash.encode(rgb, Size(width, height), across, down) == text


@pytest.mark.parametrize("level", [0, 1, 10, 11, 128, 254, 255])
def test_a_flat_picture_is_its_colour(level: int) -> None:
    text = blurhash.encode(bytes([level, 0, 255 - level]) * 64, Size(8, 8), 1, 1)
    number = 0
    for digit in text[2:6]:
        number = number * 83 + blurhash.DIGITS.index(digit)
    assert number == level << 16 | 255 - level


def test_a_negative_wave_counts_as_much_as_a_positive_one() -> None:
    """Between white and black lies a positive wave, between black and white a negative one."""
    levels = [255] * 8 + [0] * 8
    for row in (levels, levels[::-1]):
        text = blurhash.encode(bytes(level for level in row for _ in range(3)), Size(16, 1), 2, 1)
        assert blurhash.DIGITS.index(text[1]) == 82, "the loudest that there is"
