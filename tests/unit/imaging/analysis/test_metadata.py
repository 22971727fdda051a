"""What is told of an EXIF block: names, plain values, a place in degrees."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from imgsvc.imaging.analysis import exif, metadata, tags
from imgsvc.imaging.analysis.metadata import Place
from tests.unit.imaging.analysis.blocks import ASCII, BYTE, UNDEFINED, Entry, block, ratios, short, text


def told(*entries: Entry) -> dict[str, Any]:
    found = metadata.told(exif.read(block(*entries)))
    assert json.loads(json.dumps(found)) == found, "plain values"
    return found


def test_fields_have_the_standards_names_and_plain_values() -> None:
    assert told(
        text(0x010F, "Maker"),
        short(0x0112, 6),
        ratios(0x829A, (1, 250)),
        ratios(0x829D, (28, 10)),
        ratios(0x9204, (-1, 3), signed=True),
        (0x9214, 3, 2, struct.pack("<HH", 5, 9)),
        text(0x9003, "2026:11:25 10:00:00"),
    ) == {
        "Make": "Maker",
        "Orientation": 6,
        "ExposureTime": 0.004,
        "FNumber": 2.8,
        "DateTimeOriginal": "2026:11:25 10:00:00",
        "ExposureBiasValue": -0.3333333333,
        "SubjectArea": [5, 9],
    }


def test_text_in_types_without_meaning_is_text() -> None:
    assert told(
        (0x9000, UNDEFINED, 4, b"0232"),
        (0x9286, UNDEFINED, 11, b"ASCII\0\0\0hey"),
        (0x9C9B, BYTE, 8, "Tour".encode("utf-16-le")),
        (0xA301, UNDEFINED, 1, b"\1"),
    ) == {"ExifVersion": "0232", "UserComment": "hey", "XPTitle": "Tour", "SceneType": 1}


def test_a_comment_in_unicode_is_read() -> None:
    comment = b"UNICODE\0" + "Grüße".encode("utf-16")
    assert told((0x9286, UNDEFINED, len(comment), comment)) == {"UserComment": "Grüße"}


@pytest.mark.parametrize(
    "entry",
    [
        (0x927C, UNDEFINED, 40, bytes(40)),  # MakerNote
        (0x927C, ASCII, 5, b"note\0"),
        (0xC4A5, UNDEFINED, 40, bytes(40)),  # PrintImageMatching
        (0x0201, 4, 1, bytes(4)),  # the thumbnail's place
        (0x9286, UNDEFINED, 12, b"NOTHING\0text"),
        (0x010F, UNDEFINED, 6, b"\x89binary"[:6]),
        (0xABCD, ASCII, 6, b"secret"),
        text(0x010F, " \x01\x02 "),
    ],
)
def test_blobs_blanks_and_unknown_fields_are_not_told(entry: Entry) -> None:
    assert told(entry) == {}


def test_control_characters_go_and_line_breaks_stay() -> None:
    assert told(text(0x010E, "one\ntwo\x1b[2J\x07 ")) == {"ImageDescription": "one\ntwo[2J"}


def test_a_text_is_cut_at_its_bound() -> None:
    most = metadata.MOST_CHARACTERS
    for length in (most, most + 1):
        assert told(text(0x010E, "x" * length)) == {"ImageDescription": "x" * most}


def test_all_fields_at_their_longest_stay_small() -> None:
    longest = tuple(text(tag, "\u20ac" * 600) for tag in tags.NAMES)
    found = told(*longest)
    assert len(found) == len(tags.NAMES)
    assert len(json.dumps(found, ensure_ascii=False).encode()) < 160_000


def gps(*entries: Entry) -> Place | None:
    return metadata.place(exif.read(block(gps=entries)))


HERE = (
    text(1, "N"),
    ratios(2, (52, 1), (31, 1), (1212, 100)),
    text(3, "W"),
    ratios(4, (13, 1), (24, 1), (1818, 100)),
)


def test_a_place_is_told_in_degrees() -> None:
    found = gps(
        *HERE,
        (5, BYTE, 1, b"\1"),
        ratios(6, (345, 10)),
        ratios(7, (9, 1), (5, 1), (7, 1)),
        ratios(0x11, (18050, 100)),
        text(0x1D, "2026:11:25"),
    )
    assert found == Place(
        latitude=52.5200333,
        longitude=-13.40505,
        altitude=-34.5,
        direction=180.5,
        time="2026-11-25T09:05:07Z",
    )


def test_a_place_may_be_told_in_degrees_alone() -> None:
    found = gps(text(1, "S"), ratios(2, (5, 2)), text(3, "E"), ratios(4, (180, 1)))
    assert found == Place(latitude=-2.5, longitude=180)


@pytest.mark.parametrize(
    "entries",
    [
        (),
        HERE[:2],
        (text(1, "X"), *HERE[1:]),
        (*HERE[:1], ratios(2, (91, 1)), *HERE[2:]),
        (*HERE[:1], ratios(2, (1, 0)), *HERE[2:]),
        (*HERE[:3], ratios(4, (181, 1))),
        (*HERE[:3], text(4, "13")),
    ],
)
def test_what_is_not_credible_is_no_place(entries: tuple[Entry, ...]) -> None:
    assert gps(*entries) is None


@pytest.mark.parametrize(
    "entries",
    [
        (text(0x1D, "yesterday"), ratios(7, (9, 1), (5, 1), (7, 1))),
        (text(0x1D, "2026:11:25"), ratios(7, (24, 1), (5, 1), (7, 1))),
        (text(0x1D, "2026:11:25"), ratios(7, (9, 1), (5, 1))),
        (text(0x1D, "9999:12:31"), ratios(7, (23, 1), (59, 1), (60, 1))),
    ],
)
def test_nonsense_beside_a_place_is_left_out(entries: tuple[Entry, ...]) -> None:
    found = gps(*HERE, *entries, ratios(0x11, (400, 1)), ratios(6, (1, 0)))
    assert found == Place(latitude=52.5200333, longitude=-13.40505)
