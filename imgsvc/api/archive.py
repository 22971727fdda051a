"""Several results as one ZIP file, stored as they are and made while it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send
from zipstream import ZipStream  # type: ignore[import-untyped]  # it ships no types

from imgsvc.api import names
from imgsvc.service import Blob

_PIECE = 512 * 1024
#: Bytes of small files that are sent at a time.
_TOGETHER = 128 * 1024
#: What an unpacked file may be used for: read by everybody and written by its owner, as files usually are.
_MODE = 0o100644


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


async def chunks(entries: AsyncIterator[Entry]) -> AsyncIterator[bytes]:
    """The archive, entry by entry; each file is opened when its turn has come, and small ones go together."""
    stream = _Readable(sized=True)
    held = bytearray()
    async for entry in entries:
        async with await entry.open() as blob:
            stream.add(_pieces(blob), entry.name, size=entry.size)
            produced = stream.file()
            if blob.data is None:
                while (chunk := await asyncio.to_thread(next, produced, None)) is not None:
                    yield bytes(held) + chunk
                    held.clear()
                continue
        for chunk in produced:
            held += chunk
        if len(held) >= _TOGETHER:
            yield bytes(held)
            held.clear()
    # The directory of many files is long, too.
    for chunk in stream.footer():
        held += chunk
        if len(held) >= _TOGETHER:
            yield bytes(held)
            held.clear()
    yield bytes(held)


class _Readable(ZipStream):  # type: ignore[misc]  # it ships no types
    """An archive whose files everybody may read once they are unpacked."""

    def footer(self) -> Iterator[bytes]:
        """The directory, the only place that tells modes; zipstream-ng has 0600 for all and no way to say."""
        for info in self._filelist:
            info.external_attr = _MODE << 16
        produced: Iterator[bytes] = super().footer()
        return produced


def told(entries: Sequence[Entry] | None, name: str) -> dict[str, str]:
    """The headers of an answer with the archive; without its length where its entries are not known yet."""
    length = {} if entries is None else {"Content-Length": str(size(entries))}
    return {
        **length,
        "Content-Disposition": names.disposition("attachment", name),
        "Cache-Control": "no-store",
    }


async def answer(entries: Sequence[Entry], name: str) -> StreamingResponse:
    """The archive as an answer: every file is open before a byte is sent, so that none is missed halfway.

    Raises what opening raises.
    """
    async with AsyncExitStack() as stack:
        blobs = [await stack.enter_async_context(await entry.open()) for entry in entries]
        at_hand = [replace(entry, open=_given(blob)) for entry, blob in zip(entries, blobs, strict=True)]
        return _Sent(at_hand, told(entries, name), stack.pop_all())


def streamed(entries: AsyncIterator[Entry], name: str) -> StreamingResponse:
    """The archive of files that are found while it is sent, so that any number of them takes no room.

    When one of them can't be had any more the answer breaks off, which its receiver notices.
    """
    headers = told(None, name)
    return StreamingResponse(chunks(entries), 200, headers, media_type="application/zip")


class _Sent(StreamingResponse):
    def __init__(self, entries: Sequence[Entry], headers: dict[str, str], files: AsyncExitStack) -> None:
        super().__init__(chunks(_in_turn(entries)), 200, headers, media_type="application/zip")
        self._files = files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, and close the files that a client who went away left."""
        async with self._files:
            await super().__call__(scope, receive, send)


async def _in_turn(entries: Sequence[Entry]) -> AsyncIterator[Entry]:
    for entry in entries:
        yield entry


def _given(blob: Blob) -> Callable[[], Awaitable[Blob]]:
    async def given() -> Blob:
        return blob

    return given


def _pieces(blob: Blob) -> Iterator[bytes]:
    if blob.data is not None:
        yield blob.data
    elif blob.file is not None:
        while piece := blob.file.read(_PIECE):
            yield piece
