"""ThumbHash: the bytes that the reference makes of the same pixels."""

from __future__ import annotations

import pytest

from imgsvc.raster import thumbhash
from imgsvc.raster.geometry import Size
from tests.unit.raster.written_pixels import pixels

#: Made with the package thumbhash 0.1.1 of npm, by the format's author: width, height, seed, alpha.
KNOWN = {
    (32, 24, 1, False): "e0070a158689747767508925c878a877285f48f641",
    (32, 24, 2, True): "a1f7850c84289e52862105a6b8f5a9824f8a87707674777707",
    (24, 32, 1, False): "20080a1d028687887277703ab8987887706f087603",
    (24, 32, 2, True): "a3f7850c021876773c77707608f5b9720a7f0b452874577807",
    (32, 32, 1, False): "e00706170466687897156936b059c47a997717a1fd823a0f",
    (32, 32, 2, True): "a107860d04184968b71935709404f93ea9f5790b5727677777",
    (31, 7, 1, False): "9f180e3290029667658877779067175f79",
    (31, 7, 2, True): "df378609882807a5478987220b069d7584507778877878",
    (5, 32, 1, False): "5ef70d410277630878887886988f51f4af",
    (5, 32, 2, True): "a0f685210427686709aa98978f7089fa84878078777787",
    (3, 2, 1, False): "c6f70d0d847788087688878788987880ec50b7037b",
    (3, 2, 2, True): "c8f781038022b048827787fe9c68a08f76888787878807",
    (100, 75, 1, False): "1ff80105806849e58aaa0b7677a3a9459ad0edf00a",
    (100, 75, 2, True): "e00782048007aba28aaf499a086498d18ea0837497374d400a",
}


@pytest.mark.parametrize(("of", "digits"), KNOWN.items(), ids=str)
def test_a_picture_has_the_hash_that_the_reference_gives_it(
    of: tuple[int, int, int, bool], digits: str
) -> None:
    width, height, seed, alpha = of
    made = thumbhash.encode(pixels(width, height, seed, alpha=alpha), Size(width, height))
    assert made.hex() == digits


def test_a_flat_picture_has_no_waves_on_any_machine() -> None:
    made = thumbhash.encode(bytes([200, 100, 50, 255]) * 77, Size(11, 7))
    # The reference gives 4f.. too; then the rounding errors of its cosines.
    assert made[5:] == bytes(len(made) - 5)
    assert made[2] & 0b1111100 == 0, "the largest wave of luminance"


def test_what_can_not_be_seen_has_no_colour() -> None:
    colours = [thumbhash.encode(bytes([*colour, 0]) * 16, Size(4, 4)) for colour in ((255, 0, 0), (0, 9, 99))]
    assert colours[0] == colours[1]


def test_alpha_makes_a_hash_of_its_own() -> None:
    opaque, hole = (bytes([90, 90, 90, 255]) * 15 + bytes([90, 90, 90, alpha]) for alpha in (255, 254))
    assert not thumbhash.encode(opaque, Size(4, 4))[2] >> 7
    assert thumbhash.encode(hole, Size(4, 4))[2] >> 7
