"""Uploads on their way to the disk: counted, hashed and written in large pieces, or gone without a trace."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from aiofiles.base import wrap
from uuid_utils import uuid7

from imgsvc.errors import BodyTooLarge, EmptyFile, ImgsvcError, InsufficientStorage, StorageUnavailable

_log = logging.getLogger(__name__)

#: Bytes of an upload gathered before they go to the disk: a hop to a thread costs as much as copying
#: 0.3 MB, so a usual photograph takes one hop in all.
PIECE = 4 * 1024 * 1024
#: Bytes that all uploads together may hold back so; past that each writes what it has.
HELD = 32 * 1024 * 1024
#: Even then a piece is not smaller than this, or every chunk would be a hop.
LEAST = 256 * 1024
#: Buffers that one `writev` takes (Linux: 1024); sockets give some 256 KiB at a time, so a piece has few.
_VECTORS = min(64, os.sysconf("SC_IOV_MAX"))

#: Is told how many bytes an upload has by now.
Grown = Callable[[int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Staged:
    """An upload that has arrived whole, in a file of its own."""

    path: Path
    bytes: int
    #: In hex; None where it was not asked for.
    sha256: str | None
    upload_ms: float
    #: Call it when the file is somebody else's to remove.
    let_go: Callable[[], None] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Arrived:
    """One of several files that came together: staged, or refused for what could be seen of it so far."""

    filename: str | None
    bytes: int
    #: In hex.
    sha256: str
    staged: Staged | None
    refused: ImgsvcError | None = None

    def let_go(self) -> None:
        """The staged file is the caller's to remove."""
        if self.staged is not None:
            self.staged.let_go()


class Incoming:
    """One upload. Write what comes, then finish; leaving the context removes what nobody took."""

    def __init__(
        self,
        intake: Intake,
        limit: int,
        grown: Grown | None,
        *,
        digest: bool,
        keep: bool,
        lenient: bool,
    ) -> None:
        self._intake = intake
        self._grown = grown
        self._lenient = lenient
        self._refused: BodyTooLarge | None = None
        self._file = _File(intake.folder / uuid7().hex, hashlib.sha256() if digest else None, keep=keep)
        self._limit = limit
        self._began = time.perf_counter()
        self._chunks: list[bytes] = []
        self._held = 0
        self._ours = False
        #: The hop to a thread that is under way: it goes on when we are canceled.
        self._hop: asyncio.Future[None] | None = None
        self.bytes = 0

    async def write(self, chunk: bytes) -> None:
        """The next bytes. Raises BodyTooLarge past the limit, InsufficientStorage at the disk's reserve."""
        self.bytes += len(chunk)
        if self.bytes > self._limit and self._refused is None:
            self._refuse()
        self._chunks.append(chunk)
        self._held += len(chunk)
        self._intake.held += len(chunk)
        if self._held >= PIECE or (self._held >= LEAST and self._intake.held >= HELD):
            await self._flush(last=False)

    async def finish(self) -> Staged:
        """That was all. Raises EmptyFile for no bytes at all."""
        if not self.bytes:
            raise EmptyFile("the file is empty")
        await self._flush(last=True)
        digest = self._file.digest
        return Staged(
            path=self._file.path,
            bytes=self.bytes,
            sha256=digest.hexdigest() if digest is not None else None,
            upload_ms=round((time.perf_counter() - self._began) * 1000, 3),
            let_go=self._let_go,
        )

    async def arrive(self, filename: str | None) -> Arrived:
        """That was all of one of several files; what is wrong with it is told, and not raised."""
        refused: ImgsvcError | None = self._refused
        staged = None
        if refused is None:
            try:
                staged = await self.finish()
            except EmptyFile as error:
                refused = error
        else:
            await self._flush(last=True)
        digest = self._file.digest
        sha256 = digest.hexdigest() if digest is not None else ""
        return Arrived(filename=filename, bytes=self.bytes, sha256=sha256, staged=staged, refused=refused)

    async def discard(self) -> None:
        """Remove what is there, unless someone took it."""
        self._intake.held -= self._held
        self._chunks, self._held = [], 0
        if self._hop is not None:
            with suppress(Exception):
                await self._hop
        if self._ours:
            self._ours = False
            await _remove(self._file)

    def _refuse(self) -> None:
        error = BodyTooLarge(
            f"the image has more than {self._limit} bytes", limit=self._limit, actual=self.bytes
        )
        if not self._lenient:
            raise error
        # The rest is hashed, so that it can be told which file it was, and kept nowhere.
        self._refused, self._file.keep = error, False

    async def _flush(self, *, last: bool) -> None:
        if self._refused is None and self._grown is not None:
            await self._grown(self.bytes)
        if self._file.keep:
            self._intake.room(self._held)
        chunks, size = self._chunks, self._held
        self._chunks, self._held = [], 0
        self._ours = self._file.keep
        self._hop = asyncio.ensure_future(_append(self._file, chunks, last=last))
        self._hop.add_done_callback(lambda _: self._intake.written(size))
        await asyncio.shield(self._hop)

    def _let_go(self) -> None:
        self._ours = False


class Intake:
    """Where uploads come in: a folder of this boot's own."""

    def __init__(self, folder: Path, *, limit: int, room: Callable[[int], None]) -> None:
        self.folder = folder
        self._limit = limit
        #: Told how many bytes are about to be written; raises when there is no room for them.
        self.room = room
        #: Bytes that have come and are not on the disk yet.
        self.held = 0

    def written(self, size: int) -> None:
        """So many bytes are on the disk, or will never be."""
        self.held -= size

    @asynccontextmanager
    async def begin(
        self,
        limit: int | None = None,
        *,
        digest: bool = True,
        keep: bool = True,
        grown: Grown | None = None,
        lenient: bool = False,
    ) -> AsyncIterator[Incoming]:
        """An upload of at most `limit` bytes (the policy's, when not given).

        `grown` is told how many bytes it has before they are written; what it raises ends the upload.
        `digest=False` spares the hash, for what is only processed: it can't become a job or an image.
        `keep=False` spares the file, for what only has to be recognized: its path leads nowhere.
        `lenient` is for one of several files: one that is too large is read to its end, and `arrive` tells.
        """
        limit = self._limit if limit is None else limit
        incoming = Incoming(self, limit, grown, digest=digest, keep=keep, lenient=lenient)
        try:
            yield incoming
        finally:
            # To its end even when the client's request is canceled a second time.
            await asyncio.shield(asyncio.ensure_future(incoming.discard()))


class _File:
    """The file behind an upload; used by one thread at a time."""

    def __init__(self, path: Path, digest: hashlib._Hash | None, *, keep: bool) -> None:
        self.path = path
        self.digest = digest
        #: False: what has been written goes, and what comes is only hashed.
        self.keep = keep
        self.handle: BinaryIO | None = None


@wrap
def _append(file: _File, chunks: list[bytes], *, last: bool) -> None:
    if len(chunks) > _VECTORS:  # a trickle of tiny ones
        chunks = [b"".join(chunks)]
    try:
        if file.digest is not None:
            for chunk in chunks:
                file.digest.update(chunk)
        if not file.keep:
            _drop(file)
            return
        if file.handle is None:
            file.handle = create(file.path)
        _write_all(file.handle.fileno(), chunks)
        if last:
            file.handle.close()
    except OSError as error:
        raise translated(error) from error


def create(path: Path) -> BinaryIO:
    """A new file below the folder for uploads."""
    try:
        return path.open("xb", buffering=0)
    except FileNotFoundError:
        # Somebody has tidied up. Not so for the folder above: that all data are gone must not be hidden.
        if not path.parents[2].is_dir():
            raise
        _log.error("the folder for uploads was removed; it is made again")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("xb", buffering=0)


def _write_all(fd: int, chunks: list[bytes]) -> None:
    """Write chunks as they are: joining them first would copy an upload once more."""
    left = [memoryview(chunk) for chunk in chunks]
    while left:
        written = os.writev(fd, left)
        while left and written >= len(left[0]):
            written -= len(left.pop(0))
        if written:
            left[0] = left[0][written:]


@wrap
def _remove(file: _File) -> None:
    _drop(file)


def _drop(file: _File) -> None:
    if file.handle is not None:
        file.handle.close()
    file.path.unlink(missing_ok=True)


def translated(error: OSError) -> Exception:
    """What goes wrong while an upload is written, as a caller is told."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return InsufficientStorage("the disk is full")
    return StorageUnavailable("an upload could not be written")
