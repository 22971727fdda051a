"""Files of the folder of sources: to find one, and to copy one that is seen for the first time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from imgsvc.service.sources import Folder
from imgsvc.service.sources.beneath import walked

#: A photograph of twelve megapixels.
SIZE = 4_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sources" / "2026").mkdir(parents=True)
    (tmp_path / "sources" / "2026" / "beach.jpg").write_bytes(os.urandom(SIZE))
    return tmp_path / "sources"


def test_find(benchmark: BenchmarkFixture, folder: Path) -> None:
    steps = [b"2026", b"beach.jpg", b"resize:800x", b"webp"]
    assert benchmark(Folder(folder).find, steps).used == 2


def test_find_step_by_step(benchmark: BenchmarkFixture, folder: Path) -> None:
    """Where the kernel has no openat2."""
    steps = [b"2026", b"beach.jpg", b"resize:800x", b"webp"]
    assert benchmark(Folder(folder, walked).find, steps).used == 2


def test_copy(benchmark: BenchmarkFixture, folder: Path, tmp_path: Path) -> None:
    """Read, hashed and written in one pass."""

    def targets() -> Iterator[Path]:
        for number in range(1_000_000):
            yield tmp_path / f"copy{number}"

    target = targets()

    def copy() -> int:
        path = next(target)
        copied = Folder(folder).copy(b"2026/beach.jpg", path, SIZE)
        path.unlink()
        return copied.bytes

    assert benchmark(copy) == SIZE
