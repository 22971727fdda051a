"""What is asked for, of which files."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.peers import sources
from benchmarks.peers.orders import Mode, Order, rows
from benchmarks.peers.sources import Kind, Source, photographs


def source(kind: Kind, name: str = "it") -> Source:
    return Source(f"{name}-{kind.name}", kind, 12_000_000, b"picture")


ALL = [source(kind) for kind in Kind]


def test_every_row_of_the_comparison_is_there() -> None:
    titles = {f"{row.mode}: {row.title}" for row in rows(ALL, quick=False)}
    for kind in (Kind.BASELINE, Kind.PROGRESSIVE):
        for wanted in ("256 JPEG", "800 JPEG", "1600 JPEG", "800 WebP"):
            assert f"first: 12 MP {kind} → {wanted}" in titles
        assert {f"seen: 12 MP {kind} → 256 JPEG", f"seen: 12 MP {kind} → 800 JPEG"} <= titles
    for wanted in ("800 AVIF", "800 PNG", "800 JPEG blurred", "800 JPEG sharpened"):
        assert f"first: 12 MP JPEG → {wanted}" in titles
    assert "first: 12 MP PNG with alpha → 400 PNG" in titles
    assert "first: 12 MP PNG with alpha → 400 WebP" in titles
    assert "first: 12 MP WebP → 800 WebP" in titles
    assert "hit: 12 MP JPEG → 800 JPEG" in titles


def test_no_row_is_there_twice() -> None:
    found = [(row.source.name, row.order, row.mode) for row in rows(ALL, quick=False)]
    assert len(found) == len(set(found))


def test_a_quick_run_leaves_rows_out() -> None:
    quick, full = list(rows(ALL, quick=True)), list(rows(ALL, quick=False))
    assert len(quick) < len(full)
    assert {row.mode for row in quick} == set(Mode)


def test_the_quality_is_found_without_what_is_done_to_the_pixels() -> None:
    assert Order(800, "jpeg", blur=5, sharpen=1).plain == Order(800, "jpeg")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder with a small picture of each kind, and others; small ones count as photographs."""
    monkeypatch.setattr(sources, "_LARGE", 64)
    picture = Image.new("RGB", (8, 8))
    picture.save(tmp_path / "a.jpg")
    picture.save(tmp_path / "b.jpg", progressive=True)
    picture.save(tmp_path / "c.webp")
    picture.save(tmp_path / "plain.png")
    picture.convert("RGBA").save(tmp_path / "d.png")
    Image.new("RGB", (7, 7)).save(tmp_path / "tiny.jpg")
    return tmp_path


def test_files_are_told_apart_by_their_content(small: Path) -> None:
    found = {each.name: each.kind for each in photographs(small, quick=False)}
    assert found == {"a": Kind.BASELINE, "b": Kind.PROGRESSIVE, "c": Kind.WEBP, "d": Kind.ALPHA}


def test_a_quick_run_takes_one_of_each(small: Path) -> None:
    Image.new("RGB", (9, 9)).save(small / "another.jpg")
    assert len(photographs(small, quick=False)) == 5
    assert [each.kind for each in photographs(small, quick=True)] == list(Kind)


@pytest.mark.parametrize("name", ["a.jpg", "b.jpg", "c.webp", "d.png"])
def test_copies_differ_and_show_the_same_picture(small: Path, tmp_path: Path, name: str) -> None:
    (found,) = (each for each in photographs(small, quick=False) if each.name == name[0])
    copies = [file.read_bytes() for file in found.copies(tmp_path, 3)]
    assert len(set(copies)) == 3
    original = Image.open(small / name).convert("RGBA").tobytes()
    assert {Image.open(io.BytesIO(data)).convert("RGBA").tobytes() for data in copies} == {original}
