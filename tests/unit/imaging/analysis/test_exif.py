"""EXIF: read within bounds, whatever it says."""

from __future__ import annotations

import random
import struct

import pytest
from PIL import Image

from imgsvc.imaging.analysis import exif
from tests.hostile import exif_loop
from tests.unit.imaging.analysis.blocks import (
    ASCII,
    BYTE,
    DOUBLE,
    EXIF,
    LONG,
    SHORT,
    UNDEFINED,
    block,
    entries,
    ratios,
    short,
    text,
)

MAKE, MODEL, EXPOSURE, COMMENT = 0x010F, 0x0110, 0x829A, 0x9286


def test_pillows_blocks_are_read() -> None:
    made = Image.Exif()
    made[MAKE], made[0x0112] = "Maker", 6
    made.get_ifd(EXIF).update({EXPOSURE: 0.004, 0x9003: "2026:11:25 10:00:00"})
    found = exif.read(made.tobytes()).fields
    assert (found[MAKE], found[0x0112], found[0x9003]) == ("Maker", (6,), "2026:11:25 10:00:00")
    assert found[EXPOSURE] == pytest.approx((0.004,))


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders_are_read(order: str) -> None:
    mark = {"<": b"II*\0", ">": b"MM\0*"}[order]
    data = mark + struct.pack(order + "LH", 8, 1) + struct.pack(order + "HHLHH", 0x0112, SHORT, 1, 8, 0)
    assert exif.read(data).fields == {0x0112: (8,)}
    assert exif.read(b"Exif\0\0" + data).fields == {0x0112: (8,)}


def test_values_are_read_by_their_types() -> None:
    found = exif.read(
        block(
            text(MAKE, "Café"),
            (MODEL, ASCII, 5, b"Caf\xe9\0"),
            short(0x0112, 3),
            ratios(EXPOSURE, (1, 250)),
            ratios(0x829D, (14, 2)),
            ratios(0x9204, (-1, 3), signed=True),
            (0xA500, DOUBLE, 1, struct.pack("<d", 2.2)),
            (COMMENT, UNDEFINED, 12, b"ASCII\0\0\0hey!"),
        )
    ).fields
    assert found == {
        MAKE: "Café",
        MODEL: "Café",
        0x0112: (3,),
        EXPOSURE: (0.004,),
        0x829D: (7,),
        0x9204: (-1 / 3,),
        0xA500: (2.2,),
        COMMENT: b"ASCII\0\0\0hey!",
    }


def test_the_exif_and_gps_directories_are_read_and_no_other() -> None:
    found = exif.read(block(text(MAKE, "A"), exif=(ratios(EXPOSURE, (1, 2)),), gps=(text(1, "N"),)))
    assert found.fields.keys() == {MAKE, EXPOSURE, EXIF, 0x8825}
    assert found.gps == {1: "N"}


@pytest.mark.parametrize(
    "entry",
    [
        (MAKE, 0, 1, 0),
        (MAKE, 99, 1, 0),
        (MAKE, ASCII, 0, 0),
        (MAKE, ASCII, 50, 0xFFFFFFFF),
        (MAKE, ASCII, 50, 20),
        (MAKE, UNDEFINED, 0xFFFFFFFF, 8),
        (MAKE, LONG, 0xFFFFFFFF, 8),
        (MAKE, LONG, exif.MOST_NUMBERS + 1, 8),
        (MAKE, BYTE, exif.MOST_BYTES + 1, 8),
    ],
    ids=str,
)
def test_what_can_not_be_read_is_left_out(entry: tuple[int, int, int, int]) -> None:
    data = entries(entry, (MODEL, SHORT, 1, 7)) + bytes(exif.MOST_BYTES // 2)
    assert exif.read(data).fields == {MODEL: (7,)}


def test_nothing_is_divided_by_zero_and_nothing_is_infinite() -> None:
    for_ever = struct.pack("<d", float("inf"))
    data = block(ratios(EXPOSURE, (1, 0)), ratios(0x9204, (1, 2), (0, 0)), (0xA500, DOUBLE, 1, for_ever))
    assert exif.read(data).fields == {}


def test_long_values_are_cut_or_left_out_at_their_bounds() -> None:
    most, more = exif.MOST_BYTES, exif.MOST_BYTES + 1
    found = exif.read(
        block(
            (MAKE, ASCII, most, b"a" * most),
            (MODEL, ASCII, more, b"b" * more),
            (COMMENT, UNDEFINED, most, bytes(most)),
            (0xA302, UNDEFINED, more, bytes(more)),
            (0x9214, SHORT, exif.MOST_NUMBERS, bytes(2 * exif.MOST_NUMBERS)),
            (0x9215, SHORT, exif.MOST_NUMBERS + 1, bytes(2 * exif.MOST_NUMBERS + 2)),
        )
    ).fields
    assert found == {
        MAKE: "a" * most,
        MODEL: "b" * most,
        COMMENT: bytes(most),
        0x9214: (0,) * exif.MOST_NUMBERS,
    }


def test_only_so_many_entries_are_looked_at() -> None:
    padding = [(0xC000 + number, SHORT, 1, 1) for number in range(exif.MOST_ENTRIES - 1)]
    assert MAKE in exif.read(entries(*padding, (MAKE, SHORT, 1, 7))).fields
    assert MAKE not in exif.read(entries(*padding, (0xBFFF, SHORT, 1, 1), (MAKE, SHORT, 1, 7))).fields


def test_sixty_four_thousand_fields_that_share_one_value_are_few() -> None:
    """Pillow's reader makes a copy of the value for each of them."""
    crowd = [(0x1000 + number, UNDEFINED, 60_000, 8) for number in range(5000)]
    data = entries(*crowd, count=0xFFFF)
    assert exif.read(data).fields == {}


def test_a_directory_that_is_its_own_child_is_read_once() -> None:
    assert exif.read(exif_loop()).fields == {EXIF: (8,)}


@pytest.mark.parametrize(
    "data", [None, b"", b"Exif\0\0", b"II*\0", b"II*\0\xff\xff\xff\xff", b"nonsense" * 9]
)
def test_what_is_no_block_has_no_fields(data: bytes | None) -> None:
    assert exif.read(data) == exif.Block({}, {})


def test_a_damaged_block_is_read_as_far_as_it_goes() -> None:
    whole = block(
        text(MAKE, "Maker"), exif=(ratios(EXPOSURE, (1, 250)),), gps=(ratios(2, (1, 1), (2, 1), (3, 1)),)
    )
    chance = random.Random(20261125)
    for _ in range(500):
        data = bytearray(whole[: chance.randrange(len(whole))] if chance.random() < 0.3 else whole)
        for _ in range(chance.randrange(1, 6)):
            if data:
                data[chance.randrange(len(data))] = chance.choice([0, 1, 8, 0x7F, 0xFF])
        found = exif.read(bytes(data))
        assert isinstance(found.fields, dict)


def test_a_png_of_old_has_its_block_in_a_text() -> None:
    data = block(text(MAKE, "Maker"))
    digits = data.hex()
    lines = "\n".join(digits[start : start + 72] for start in range(0, len(digits), 72))
    written = {"Raw profile type exif": f"\nexif\n{len(data):8}\n{lines}\n"}
    assert exif.block_of(written) == data
    assert exif.block_of(written | {"exif": b"II*\0"}) == b"II*\0", "a chunk of its own is better"


@pytest.mark.parametrize("written", ["", "\n", "\nexif\n  12\nnot hex", "\nexif\n", 5, None])
def test_a_text_that_is_no_block_is_none(written: object) -> None:
    assert not exif.block_of({"Raw profile type exif": written})
