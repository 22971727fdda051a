from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgsvc.api.multipart import MAX_FIELD_BYTES, MAX_FIELDS, Event, Field, FileEnd, FileStart, Form
from imgsvc.errors import MalformedMultipart

TYPE = "multipart/form-data; boundary=xyz"
FIELDS = frozenset({"ops", "priority"})


def part(name: str, value: bytes, filename: str | None = None) -> bytes:
    """One part, with the boundary before it."""
    tail = "" if filename is None else f'; filename="{filename}"'
    return (
        b"--xyz\r\n"
        + f'Content-Disposition: form-data; name="{name}"{tail}\r\n\r\n'.encode()
        + value
        + b"\r\n"
    )


def read(body: bytes, size: int = 65536, content_type: str = TYPE) -> list[Event]:
    """All events of a body that comes in pieces of `size`, the bytes of files put together."""
    form = Form(content_type, FIELDS)
    events: list[Event] = []
    for start in range(0, len(body), size):
        for event in form.feed(body[start : start + size]):
            if isinstance(event, bytes) and events and isinstance(events[-1], bytes):
                events[-1] += event
            else:
                events.append(event)
    form.close()
    return events


def test_fields_may_come_before_and_after_the_file() -> None:
    body = (
        part("ops", b"grayscale")
        + part("file", b"\xff\xd8", "cat.jpg")
        + part("priority", b"high")
        + b"--xyz--\r\n"
    )
    assert read(body) == [
        Field("ops", "grayscale"),
        FileStart("file", "cat.jpg"),
        b"\xff\xd8",
        FileEnd(),
        Field("priority", "high"),
    ]


@given(st.binary(max_size=300), st.integers(1, 50))
def test_a_file_comes_through_whole_however_it_is_cut(data: bytes, size: int) -> None:
    if b"\r\n--xyz" in b"\r\n" + data:
        return
    events = read(part("file", data, "a") + b"--xyz--", size)
    assert events == [FileStart("file", "a"), *([data] if data else []), FileEnd()]


def test_a_known_field_may_come_from_a_file() -> None:
    assert read(part("ops", b"png", "pipeline.txt") + b"--xyz--") == [Field("ops", "png")]


def test_a_long_file_name_is_no_reason_to_refuse() -> None:
    events = read(part("file", b"x", "n" * 4096 + ".jpg") + b"--xyz--")
    assert events[0] == FileStart("file", "n" * 4096 + ".jpg")


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=", f"multipart/form-data; boundary={'x' * 500}"],
)
def test_a_form_needs_a_boundary(content_type: str) -> None:
    with pytest.raises(MalformedMultipart):
        read(b"", content_type=content_type)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--xyz",
        b"hello",
        b"--abc\r\n\r\n--abc--",
        part("file", b"half", "a"),
        part("file", b"half", "a")[:-10],
        b"--xyz\r\nContent-Type: text/plain\r\n\r\nno name\r\n--xyz--",
        b"--xyz\r\n\r\nno headers\r\n--xyz--",
        b"--xyz\r\nContent-Disposition form-data\r\n\r\nx\r\n--xyz--",
        b"--xyz\r\nX: " + b"a" * 100_000 + b"\r\n\r\nx\r\n--xyz--",
        part("ops", b"\xff\xfe") + b"--xyz--",
    ],
)
def test_a_broken_form_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedMultipart):
        read(body)


def test_a_thousand_fields_are_malformed() -> None:
    body = b"".join(part(f"f{number}", b"x") for number in range(1000)) + b"--xyz--"
    with pytest.raises(MalformedMultipart, match=f"more than {MAX_FIELDS} fields"):
        read(body)


def test_a_huge_field_is_malformed_before_it_ends() -> None:
    form = Form(TYPE, FIELDS)
    with pytest.raises(MalformedMultipart, match="bytes"):
        form.feed(part("ops", b"a" * (MAX_FIELD_BYTES + 1)))
