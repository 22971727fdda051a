"""Pictures on memory that is there already."""

from __future__ import annotations

import pytest

from imgsvc.raster.mapped import BYTES, mapped, unwritten


@pytest.mark.parametrize("mode", BYTES)
def test_a_picture_lies_where_its_pixels_are(mode: str) -> None:
    data = bytes(range(3 * 2 * BYTES[mode]))
    image = mapped(mode, (3, 2), b"head" + data, 4)
    assert (image.mode, image.size) == (mode, (3, 2))
    first = image.getpixel((0, 0))
    assert (first if isinstance(first, tuple) else (first,))[:3] == tuple(range(3 if BYTES[mode] > 1 else 1))


def test_a_buffer_that_is_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="buffer"):
        mapped("RGB", (3, 2), bytes(23))


def test_whoever_changes_a_mapped_picture_changes_a_copy() -> None:
    data = bytes(24)
    mapped("RGB", (3, 2), data).putpixel((0, 0), (1, 2, 3))
    assert data == bytes(24)


@pytest.mark.parametrize("mode", BYTES)
def test_an_unwritten_picture_is_written_where_it_is(mode: str) -> None:
    image = unwritten(mode, (4, 3))
    core = image.im
    colour = tuple(range(7, 7 + len(image.getbands())))
    image.paste(colour if len(colour) > 1 else colour[0], (0, 0, 4, 3))
    assert image.im is core
    assert image.tobytes() == bytes(colour) * 12


def test_there_is_no_room_for_every_picture() -> None:
    with pytest.raises(MemoryError):
        unwritten("RGB", (1 << 30, 1 << 30))
