"""Stored bytes, read without blocking the event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from types import TracebackType
from typing import BinaryIO, Self

from aiofiles.base import wrap

from imgsvc.errors import InternalError, ResultExpired, StorageUnavailable
from imgsvc.storage import Storage

_log = logging.getLogger(__name__)

#: What is not larger is read whole, in one hop to a thread.
WHOLE = 1024 * 1024
#: Bytes read at a time from what is larger.
_PIECE = 512 * 1024


class Blob:
    """An open blob: it can be read to its end even when it is removed meanwhile. Close it."""

    def __init__(self, size: int, *, data: bytes | None = None, file: BinaryIO | None = None) -> None:
        self.size = size
        #: All of it, where it is small enough to be at hand.
        self.data = data
        self.file = file

    async def chunks(self, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from `start` to `stop` (not included), piece by piece."""
        stop = self.size if stop is None else min(stop, self.size)
        if self.data is not None:
            yield self.data[start:stop]
            return
        if self.file is None:
            raise ValueError("the blob is closed")
        while start < stop:
            piece = await _read(self.file, start, min(_PIECE, stop - start))
            if not piece:
                raise StorageUnavailable("a stored file is shorter than it was")
            start += len(piece)
            yield piece

    async def close(self) -> None:
        """Let go of the file; safe to call twice."""
        file, self.file = self.file, None
        if file is not None:
            await _close(file)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class Blobs:
    """Opens blobs."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def open(self, key: str, size: int, *unneeded: str) -> Blob:
        """Open a blob that a record says has `size` bytes; small ones are read at once.

        Blobs that are `unneeded` now are removed. Raises ResultExpired when it is gone (someone removed it
        between the record and now), InternalError when its size is another.
        """
        return await self._opened(key, size, unneeded)

    async def take(self, key: str, size: int, *others: str) -> Blob:
        """Open a blob and remove it, and `others` with it: the bytes last as long as the Blob."""
        return await self._opened(key, size, (key, *others))

    async def _opened(self, key: str, size: int, unneeded: tuple[str, ...]) -> Blob:
        opening = asyncio.ensure_future(_open(self._storage, key, size, unneeded))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            # The thread goes on; nobody is left to close what it opens.
            opening.add_done_callback(_drop)
            raise


def _drop(opening: asyncio.Future[Blob]) -> None:
    if not opening.cancelled() and opening.exception() is None and (file := opening.result().file):
        file.close()


@wrap
def _open(storage: Storage, key: str, size: int, unneeded: tuple[str, ...]) -> Blob:
    try:
        if (found := storage.size(key)) != size:
            # Not while it is sent: the client would get a success that breaks off.
            _log.error("the stored file %s has %d bytes instead of %d", key, found, size)
            raise InternalError("the stored file is damaged")
        if size <= WHOLE:
            return Blob(size, data=storage.read(key))
        return Blob(size, file=storage.open(key))
    except FileNotFoundError:
        raise ResultExpired("the file has been removed") from None
    finally:
        for each in unneeded:
            storage.delete(each)


@wrap
def _read(file: BinaryIO, start: int, size: int) -> bytes:
    file.seek(start)
    return file.read(size)


@wrap
def _close(file: BinaryIO) -> None:
    file.close()
