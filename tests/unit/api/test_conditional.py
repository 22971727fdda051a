from __future__ import annotations

import pytest

from imgsvc.api.conditional import Span, unchanged, wanted
from imgsvc.errors import RangeNotSatisfiable

TAG = '"abc"'
BEYOND = [f"bytes={'9' * digits}-" for digits in (9, 18, 19, 20, 5000)]


@pytest.mark.parametrize(
    ("asked", "same"),
    [
        (None, False),
        ('"abc"', True),
        ('W/"abc"', True),
        ('"x", "abc"', True),
        ('"x", W/"y"', False),
        ("*", True),
        ("abc", False),
        ("", False),
        ('"ab', False),
    ],
)
def test_a_known_tag_means_unchanged(asked: str | None, same: bool) -> None:
    headers = {} if asked is None else {"if-none-match": asked}
    assert unchanged(headers, TAG) is same
    assert unchanged(headers, f"W/{TAG}") is same


@pytest.mark.parametrize(
    ("asked", "span"),
    [
        ("bytes=0-9", Span(0, 10)),
        ("bytes=90-", Span(90, 10)),
        ("bytes=90-1000", Span(90, 10)),
        ("bytes=-10", Span(90, 10)),
        ("bytes=-1000", Span(0, 100)),
        ("bytes=0-0", Span(0, 1)),
        (" bytes = 1 - 2 ", Span(1, 2)),
        ("bytes=5-2", None),
        ("bytes=0-1,5-6", None),
        ("bytes=" + "0-0," * 4000 + "1-1", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=0x1-2", None),
        ("lines=0-1", None),
        ("bytes", None),
        ("", None),
        ("bytes=" + "0" * 5000 + "1-1", Span(1, 1)),
        ("bytes=90-" + "9" * 5000, Span(90, 10)),
        ("bytes=-" + "9" * 20, Span(0, 100)),
        (None, None),
    ],
)
def test_one_range_is_served_and_nonsense_ignored(asked: str | None, span: Span | None) -> None:
    assert wanted({} if asked is None else {"range": asked}, 100, TAG) == span


@pytest.mark.parametrize("asked", ["bytes=100-", "bytes=100-200", "bytes=-0", *BEYOND])
def test_a_range_outside_the_file_is_refused(asked: str) -> None:
    with pytest.raises(RangeNotSatisfiable) as caught:
        wanted({"range": asked}, 100, TAG)
    assert caught.value.problem.limit == 100


@pytest.mark.parametrize(
    ("condition", "span"),
    [('"abc"', Span(0, 1)), ('"other"', None), ('W/"abc"', None), ("Mon, 23 Nov 2026 08:39:35 GMT", None)],
)
def test_a_range_of_another_file_is_the_whole_file(condition: str, span: Span | None) -> None:
    assert wanted({"range": "bytes=0-0", "if-range": condition}, 100, TAG) == span


def test_a_span_says_where_it_is() -> None:
    assert Span(90, 10).told(100) == "bytes 90-99/100"
