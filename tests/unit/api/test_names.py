from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgsvc.api import names


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("cat.jpg", "cat.jpg"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("C:\\photos\\cat.jpg", "cat.jpg"),
        ("a\r\nSet-Cookie: x=1.jpg", "aSet-Cookie: x=1.jpg"),
        ("a\0b.png", "ab.png"),
        ("\u202egpj.exe", "gpj.exe"),
        ("\u2066x\u2069.png", "x.png"),
        ("e\u0301.png", "é.png"),
        ("  spaced.png  ", "spaced.png"),
        ("👩\u200d👧.png", "👩\u200d👧.png"),
        ("", None),
        ("..", None),
        (".", None),
        ("/", None),
        ("\x7f", None),
        (None, None),
    ],
)
def test_a_name_is_cleaned_for_showing(given: str | None, shown: str | None) -> None:
    assert names.clean(given) == shown


def test_a_long_name_keeps_its_extension() -> None:
    shown = names.clean("ä" * 4096 + ".jpeg")
    assert shown is not None
    assert len(shown.encode()) <= names.MAX_BYTES
    assert shown.endswith("ä.jpeg")


@given(st.text())
def test_a_cleaned_name_is_harmless(name: str) -> None:
    shown = names.clean(name)
    if shown is None:
        return
    assert len(shown.encode()) <= names.MAX_BYTES
    assert not set(shown) & set("/\\\r\n\0")
    assert shown not in {".", ".."}
    assert names.clean(shown) == shown
    assert all(unicodedata.category(char) not in {"Cc", "Cs"} for char in shown), (
        "no control character is left"
    )


@given(st.text())
def test_a_disposition_is_one_line_of_ascii(name: str) -> None:
    shown = names.clean(name)
    if shown is not None:
        header = names.disposition("inline", shown)
        assert header.isascii()
        assert header.isprintable()
        assert header.count('"') == 2
        assert names.from_header(header) == shown


@pytest.mark.parametrize(
    ("source", "output", "extension", "name"),
    [
        ("cat.jpg", None, "webp", "cat.webp"),
        ("cat.jpg", "thumb", "webp", "cat-thumb.webp"),
        ("cat", None, "png", "cat.png"),
        (".hidden", None, "png", ".hidden.png"),
        ("archive.tar.gz", None, "png", "archive.tar.png"),
        (None, None, "png", "job_1.png"),
        (None, "hero", "png", "job_1-hero.png"),
        ("a.not an extension", None, "png", "a.png"),
    ],
)
def test_a_result_is_named_after_its_source(
    source: str | None, output: str | None, extension: str, name: str
) -> None:
    assert names.result_name(source, "job_1", output, extension) == name


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="cat.jpg"', "cat.jpg"),
        ("attachment; filename=cat.jpg", "cat.jpg"),
        ("attachment; filename=\"x\"; filename*=UTF-8''na%C3%AFve.jpg", "naïve.jpg"),
        ("attachment; filename*=utf-8'en'%e2%82%ac.png", "€.png"),
        ("attachment; filename=\"plain.jpg\"; filename*=UTF-8''%ff", "plain.jpg"),
        ("attachment; filename=\"plain.jpg\"; filename*=nonsense''x", "plain.jpg"),
        ("attachment", None),
        (None, None),
    ],
)
def test_a_raw_upload_tells_its_name_in_a_header(header: str | None, name: str | None) -> None:
    assert names.from_header(header) == name
