from __future__ import annotations

import pytest

from imgsvc.api.parameters import Reader, query
from imgsvc.errors import InvalidParameter, MalformedRequest
from imgsvc.jobs import Priority, State


def refused(reader: Reader) -> list[tuple[str | None, object]]:
    """Where the faults are, and what is allowed there."""
    with pytest.raises(InvalidParameter) as caught:
        reader.done()
    return [(fault.pointer, fault.allowed) for fault in caught.value.problem.errors]


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (b"", {}),
        (b"ops=resize:300x200,fit=cover/webp", {"ops": "resize:300x200,fit=cover/webp"}),
        (b"ops=resize%3A300x200%2Cfit%3Dcover%2Fwebp", {"ops": "resize:300x200,fit=cover/webp"}),
        (b"ops=text:a%20b", {"ops": "text:a b"}),
        (b"ops=text:a+b", {"ops": "text:a b"}),
        (b"ops=text:a%2Bb", {"ops": "text:a+b"}),
        (b"ops=text:100%2525", {"ops": "text:100%25"}),
        (b"reference=%E2%82%AC", {"reference": "€"}),
        (b"download", {"download": ""}),
        (b"a=1&b=2&", {"a": "1", "b": "2"}),
        (b"a=%zz", {"a": "%zz"}),
    ],
)
def test_a_query_is_decoded_once(sent: bytes, read: dict[str, str]) -> None:
    assert query(sent) == read


@pytest.mark.parametrize(
    "sent", [b"a=1&a=2", b"a=%ff", b"a=\xff", b"&".join(b"x%d=1" % number for number in range(101))]
)
def test_an_ambiguous_query_is_malformed(sent: bytes) -> None:
    with pytest.raises(MalformedRequest):
        query(sent)


def test_an_unknown_parameter_is_refused_with_the_nearest_name() -> None:
    reader = Reader({"prority": "high"}, ("priority", "timeout"))
    with pytest.raises(InvalidParameter, match="did you mean 'priority'") as caught:
        reader.done()
    assert caught.value.problem.errors[0].allowed == ("priority", "timeout")


def test_every_fault_is_found() -> None:
    reader = Reader({"a": "x", "b": "y", "c": "z"}, ("a", "b"))
    reader.whole("a", 1, 2)
    reader.seconds("b", 0, 1)
    assert [where for where, _ in refused(reader)] == ["/c", "/a", "/b"]


def test_blank_values_are_as_good_as_none() -> None:
    reader = Reader({"a": "", "b": "  ", "c": None}, ("a", "b", "c"))
    assert reader.seconds("a", 0, 1) is None
    assert reader.whole("b", 1, 2) is None
    assert reader.text("c", 9) is None
    assert Reader({"priority": ""}, ("priority",)).choice("priority", Priority) is None
    reader.done()


def test_words_are_taken_from_their_list() -> None:
    reader = Reader({"priority": "high"}, ("priority",))
    assert reader.choice("priority", Priority) is Priority.HIGH
    reader.done()
    for word in ("urgent", "HIGH", 5):
        bad = Reader({"priority": word}, ("priority",))
        bad.choice("priority", Priority)
        assert refused(bad) == [("/priority", ("high", "normal", "low"))]


def test_several_words_are_separated_by_commas() -> None:
    reader = Reader({"status": "queued, failed,queued"}, ("status",))
    assert reader.choices("status", State) == (State.QUEUED, State.FAILED)
    assert Reader({}, ("status",)).choices("status", State) == ()
    bad = Reader({"status": "queued,pending"}, ("status",))
    bad.choices("status", State)
    assert refused(bad) == [("/status", ("queued", "running", "succeeded", "failed", "canceled"))]


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ("10", 10),
        ("0.5", 0.5),
        (7, 7),
        (1.5, 1.5),
        ("500ms", 0.5),
        ("2m", 120),
        ("24h", 86400),
        ("7d", 604800),
    ],
)
def test_durations_are_seconds_or_have_a_unit(given: object, seconds: float) -> None:
    reader = Reader({"t": given}, ("t",))
    assert reader.seconds("t", 0, 1e6) == seconds
    reader.done()


@pytest.mark.parametrize(
    "given", ["-1", "x", "1e9", "nan", "inf", True, "11", 11, float("nan"), [1], "1 week"]
)
def test_other_durations_are_refused(given: object) -> None:
    reader = Reader({"t": given}, ("t",))
    assert reader.seconds("t", 0, 10) is None
    assert refused(reader) == [("/t", "0 to 10 seconds")]


@pytest.mark.parametrize("given", ["0", "201", "1.5", "x", "-1", "１", True, 1.5, "9" * 50])
def test_whole_numbers_have_bounds(given: object) -> None:
    reader = Reader({"limit": given}, ("limit",))
    assert reader.whole("limit", 1, 200) is None
    assert refused(reader) == [("/limit", "1 to 200")]


@pytest.mark.parametrize("given", ["x" * 6, 5, ["a"], "a\0b"])
def test_text_has_a_length(given: object) -> None:
    reader = Reader({"reference": given}, ("reference",))
    reader.text("reference", 5)
    assert refused(reader) == [("/reference", "text of at most 5 characters")]


@pytest.mark.parametrize(
    ("given", "on"), [("", True), ("1", True), ("true", True), ("0", False), ("no", False)]
)
def test_a_switch_is_on_when_it_is_there(given: str, on: bool) -> None:
    reader = Reader({"download": given}, ("download",))
    assert reader.flag("download") is on
    reader.done()


def test_what_a_caller_sent_is_repeated_harmlessly() -> None:
    reader = Reader({"a\r\n" + "b" * 100: "1"}, ("limit",))
    with pytest.raises(InvalidParameter) as caught:
        reader.done()
    assert "\r" not in str(caught.value)
    assert len(str(caught.value)) < 120
