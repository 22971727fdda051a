"""The folder that sources are read from: found by path, copied while they are hashed, never written to."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from blake3 import blake3

from imgsvc.errors import BodyTooLarge, EmptyFile, ImgsvcError, NotFound, StorageUnavailable
from imgsvc.service.intake import create, translated
from imgsvc.service.sources.beneath import kernel_resolves, near, resolved, walked
from imgsvc.source_names import plain

#: How to open a path below a folder: see `beneath`.
Opens = Callable[[int, bytes, int], int]

#: Bytes read, hashed and written at a time: what the processor's cache holds is not fetched twice.
_PIECE = 256 * 1024
#: Copies that are tried of a file which changes meanwhile.
_TRIES = 3
#: A file that was changed so few nanoseconds ago may be changed again without its times telling: clocks of
#: file systems are coarse, up to two seconds.
_UNSETTLED_NS = 2_000_000_000
#: Not there, as far as a caller is told: nothing of this name, a way out, something that may not be read.
_ABSENT = frozenset(
    {
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.ELOOP,
        errno.EXDEV,
        errno.EACCES,
        errno.EPERM,
        errno.ENAMETOOLONG,
        errno.ENXIO,
        errno.ENODEV,
    }
)


class State(NamedTuple):
    """What tells one content of a file from the next, without reading it."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> State:
        """The state that a stat shows."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    def settled(self, now_ns: int) -> bool:
        """Would the next change show, seen from the time at which the content was read?"""
        return all(abs(now_ns - then) > _UNSETTLED_NS for then in (self.mtime_ns, self.ctime_ns))


@dataclass(frozen=True, slots=True)
class Found:
    """A file of the folder."""

    #: Below the folder, as the file system spells it.
    path: bytes
    #: Steps of what was asked for that name it; the rest is not about the file.
    used: int
    state: State


@dataclass(frozen=True, slots=True)
class Copied:
    """A file of ours with the bytes of one of the folder."""

    #: BLAKE3 of the bytes, in hex.
    digest: str
    bytes: int
    #: That of the file whose bytes these are.
    state: State


class Folder:
    """Reads files below one folder. Blocks; raises the errors of `imgsvc.errors` only.

    A name is what the file system holds: bytes. Hidden files (and what lies in hidden folders) are not
    served, nor is anything that is no regular file; symbolic links may not lead out.
    """

    def __init__(self, path: Path, opens: Opens | None = None) -> None:
        """`opens` replaces what this system does best."""
        self.path = path
        self._opens = opens
        #: The device that it is on, where that is near (`beneath.near`); known once a file has been found.
        self.near: int | None = None

    def readable(self) -> bool:
        """Can anything in it be found at all?"""
        return self.path.is_dir() and os.access(self.path, os.X_OK)

    def find(self, steps: Sequence[bytes]) -> Found:
        """The file that the first of these steps name, the fewest that name one. Raises NotFound."""
        with self._root() as (root, opens), _told():
            for used in range(1, len(steps) + 1):
                if not plain(steps[used - 1]):
                    break
                path = b"/".join(steps[:used])
                with _opened(opens, root, path, os.O_PATH) as fd:
                    status = os.fstat(fd)
                if stat.S_ISREG(status.st_mode):
                    if self.near is None and near(root):
                        self.near = os.fstat(root).st_dev
                    return Found(path, used, State.of(status))
                if not stat.S_ISDIR(status.st_mode):
                    break
        raise _absent()

    def copy(self, path: bytes, target: Path, limit: int) -> Copied:
        """Copy a file to the new file `target`, in one pass. Nothing is left of a copy that fails.

        Raises NotFound, EmptyFile, BodyTooLarge past `limit` bytes, InsufficientStorage, StorageUnavailable.
        """
        with self._root() as (root, opens), _told():
            for _ in range(_TRIES):
                # Not blocking: it may have become a pipe, which would wait for a writer.
                with _opened(opens, root, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY) as fd:
                    copied = _copied(fd, target, limit)
                if copied is not None:
                    return copied
        raise StorageUnavailable("the file is being changed", retry_after=1)

    @contextmanager
    def _root(self) -> Iterator[tuple[int, Opens]]:
        """The folder, opened anew: it may have been mounted since."""
        try:
            root = os.open(self.path, os.O_PATH | os.O_DIRECTORY)
        except OSError as error:
            raise StorageUnavailable("the folder of sources can't be read") from error
        try:
            if self._opens is None:
                self._opens = resolved if kernel_resolves(root) else walked
            yield root, self._opens
        finally:
            os.close(root)


@contextmanager
def _told() -> Iterator[None]:
    """What goes wrong while reading, as a caller is told."""
    try:
        yield
    except ImgsvcError:
        raise
    except OSError as error:
        if error.errno in _ABSENT:
            raise _absent() from None
        raise StorageUnavailable("the file can't be read") from error


def _absent() -> NotFound:
    return NotFound("there is no such file")


@contextmanager
def _opened(opens: Opens, root: int, path: bytes, flags: int) -> Iterator[int]:
    fd = opens(root, path, flags)
    try:
        yield fd
    finally:
        os.close(fd)


def _copied(fd: int, target: Path, limit: int) -> Copied | None:
    """A copy of an open file; None where it changed meanwhile, and then nothing is left of it."""
    before = os.fstat(fd)
    if not stat.S_ISREG(before.st_mode):
        raise _absent()
    if before.st_size == 0:
        raise EmptyFile("the file is empty")
    if before.st_size > limit:
        raise _too_large(limit, before.st_size)
    state = State.of(before)
    digest = blake3()
    with _kept(target) as (file, keep):
        size = 0
        for piece in _pieces(fd):
            size += len(piece)
            if size > limit:  # it grows
                raise _too_large(limit, size)
            digest.update(piece)
            _write(file, piece)
        if State.of(os.fstat(fd)) != state or size != state.size:
            return None
        keep()
    return Copied(digest.hexdigest(), size, state)


def _pieces(fd: int) -> Iterator[memoryview]:
    """An open file, piece by piece, each in the same memory."""
    buffer = bytearray(_PIECE)
    view = memoryview(buffer)
    while read := os.readv(fd, [buffer]):
        yield view[:read]


@contextmanager
def _kept(target: Path) -> Iterator[tuple[BinaryIO, Callable[[], None]]]:
    """A new file, which is removed again unless it is to be kept."""
    try:
        file = create(target)
    except OSError as error:
        raise translated(error) from error
    kept: list[bool] = []
    try:
        with closing(file):
            yield file, lambda: kept.append(True)
    finally:
        if not kept:
            target.unlink(missing_ok=True)


def _write(file: BinaryIO, piece: memoryview) -> None:
    try:
        while len(piece):
            piece = piece[file.write(piece) :]
    except OSError as error:
        raise translated(error) from error


def _too_large(limit: int, size: int) -> BodyTooLarge:
    return BodyTooLarge(f"the image has more than {limit} bytes", limit=limit, actual=size)
