"""Each kind of setting reads back what it shows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgsvc.config.kinds import Bytes, Pixels, Seconds, Whole


@given(st.integers(0, 2**50))
def test_bytes_read_back_what_they_show(count: int) -> None:
    assert Bytes().parse(Bytes().show(count)) == count


@given(st.integers(0, 10**12))
def test_pixels_read_back_what_they_show(count: int) -> None:
    assert Pixels().parse(Pixels().show(count)) == count


@given(st.integers(0, 10**10))
def test_durations_read_back_what_they_show(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    assert Seconds().parse(Seconds().show(seconds)) == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (Bytes().show(1536 * 2**20), "1.5GiB"),
        (Bytes().show(1000), "1kB"),
        (Bytes().show(1001), "1001"),
        (Pixels().show(50_000_000), "50MP"),
        (Seconds().show(0.5), "500ms"),
        (Seconds().show(604800.0), "7d"),
        (Seconds(none=True).show(None), "none"),
        (Whole().show(0), "0"),
    ],
)
def test_a_number_is_shown_with_the_largest_unit_that_it_fills(shown: str, text: str) -> None:
    assert shown == text


def test_numbers_that_are_no_numbers_are_refused() -> None:
    for text in ("", "-1", "1e3", "0x10", "1,000", "1 2", "١", "1.2.3", "MiB"):
        with pytest.raises(ValueError, match=r".*"):
            Bytes().parse(text)
