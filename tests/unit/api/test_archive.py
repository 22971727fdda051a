"""An archive is made while it is sent, whatever its size."""

from __future__ import annotations

import io
import zipfile
from collections.abc import AsyncIterator

import pytest

from imgsvc.api import archive
from imgsvc.api.archive import Entry
from imgsvc.errors import ResultExpired
from imgsvc.service import Blob

pytestmark = pytest.mark.anyio


def entry(name: str, data: bytes) -> Entry:
    async def opened() -> Blob:
        return Blob(len(data), data=data)

    return Entry(name, len(data), opened)


async def some(count: int, data: bytes = b"x") -> AsyncIterator[Entry]:
    for number in range(count):
        yield entry(f"{number:05}", data)


async def test_small_files_are_sent_together() -> None:
    chunks = [chunk async for chunk in archive.chunks(some(1000, b"picture" * 100))]
    assert 5 <= len(chunks) <= 12
    with zipfile.ZipFile(io.BytesIO(b"".join(chunks))) as found:
        assert found.namelist() == [f"{number:05}" for number in range(1000)]
        assert found.read("00999") == b"picture" * 100


async def test_large_files_are_sent_in_pieces_between_small_ones(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    large = tmp_path_factory.mktemp("archive") / "large"
    large.write_bytes(b"large" * 500_000)

    async def opened() -> Blob:
        return Blob(2_500_000, file=large.open("rb"))

    async def entries() -> AsyncIterator[Entry]:
        yield entry("before", b"1")
        yield Entry("large", 2_500_000, opened)
        yield entry("after", b"2")

    chunks = [chunk async for chunk in archive.chunks(entries())]
    assert max(map(len, chunks)) < 700_000
    with zipfile.ZipFile(io.BytesIO(b"".join(chunks))) as found:
        assert found.namelist() == ["before", "large", "after"]
        assert found.testzip() is None
        assert found.read("large") == large.read_bytes()


async def test_more_entries_than_the_old_format_counts() -> None:
    count = 65_537
    body = b"".join([chunk async for chunk in archive.chunks(some(count))])
    assert b"PK\x06\x06" in body[-200:], "the zip64 end"
    with zipfile.ZipFile(io.BytesIO(body)) as found:
        assert len(found.infolist()) == count
        assert found.read(f"{count - 1:05}") == b"x"


async def test_a_file_that_has_gone_breaks_the_archive_off() -> None:
    async def gone() -> Blob:
        raise ResultExpired("it has gone")

    async def entries() -> AsyncIterator[Entry]:
        yield entry("there", b"x")
        yield Entry("gone", 1, gone)

    with pytest.raises(ResultExpired):
        [chunk async for chunk in archive.chunks(entries())]
