"""Several results as one ZIP file, stored as they are and made while it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from starlette.responses import StreamingResponse
from zipstream import ZipStream  # type: ignore[import-untyped]  # it ships no types

from imgsvc.api import names
from imgsvc.service import Blob

_PIECE = 512 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of an archive."""

    name: str
    size: int
    open: Callable[[], Awaitable[Blob]]


def size(entries: Sequence[Entry]) -> int:
    """The bytes that the archive will have."""
    stream = ZipStream(sized=True)
    for entry in entries:
        stream.add(iter(()), entry.name, size=entry.size)
    return len(stream)


async def chunks(entries: Sequence[Entry]) -> AsyncIterator[bytes]:
    """The archive, entry by entry; each file is opened when its turn has come."""
    stream = ZipStream(sized=True)
    for entry in entries:
        async with await entry.open() as blob:
            stream.add(_pieces(blob), entry.name, size=entry.size)
            produced = stream.file()
            if blob.data is not None:
                yield b"".join(produced)
                continue
            while (chunk := await asyncio.to_thread(next, produced, None)) is not None:
                yield chunk
    yield b"".join(stream.footer())


def answer(entries: Sequence[Entry], name: str, headers: dict[str, str]) -> StreamingResponse:
    """The archive as an answer."""
    told = {
        "Content-Length": str(size(entries)),
        "Content-Disposition": names.disposition("attachment", name),
        **headers,
    }
    return StreamingResponse(chunks(entries), 200, told, media_type="application/zip")


def _pieces(blob: Blob) -> Iterator[bytes]:
    if blob.data is not None:
        yield blob.data
    elif blob.file is not None:
        while piece := blob.file.read(_PIECE):
            yield piece
