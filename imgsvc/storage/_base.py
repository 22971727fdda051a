"""What a storage is: where bytes live under keys that are written once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from typing_extensions import Buffer


class Shelves(Protocol):
    """What of a storage housekeeping needs; see `Storage`."""

    def keys(self, prefix: str) -> Iterator[str]:
        """Every key below `prefix` (`images`, `results`, …), in no order, half-written ones too."""

    def size(self, key: str) -> int:
        """A blob's bytes, counted; raises FileNotFoundError."""

    def delete(self, key: str) -> None:
        """Remove a blob; one that is not there is no error."""

    def tidy(self, prefix: str, *, spare: str | None = None) -> None:
        """Let go of what deleted blobs have left below `prefix` (empty folders), but nothing in `spare`."""


class Storage(Shelves, Protocol):
    """Bytes under keys such as `images/ab/cd/…`; synchronous, one call at a time per thread.

    A key is relative, made of `[A-Za-z0-9._-]` segments joined by `/`, never `.` or `..`; anything
    else is a ValueError. A blob is whole or absent: it appears under its key at once, and is
    durable when the call that wrote it returns (a power cut before that may leave a broken one, whose key no
    caller has been told). Nothing is ever overwritten: writing a key that is there
    raises FileExistsError. A full disk raises InsufficientStorage, any other fault of the medium
    StorageUnavailable.
    """

    #: What `connect` was given: whoever opens it again finds the same blobs.
    url: str
    #: In other processes, too?
    shared: bool

    def adopt(self, staged: Path, key: str, *, durable: bool = True) -> None:
        """Take over a finished local file (its bytes already written) as the blob `key`.

        With `durable=False` the blob need not survive a power cut: what a synchronous call reads.
        """

    def put(self, key: str, *data: Buffer, durable: bool = True) -> None:
        """Write a blob: all parts of its data, one after the other."""

    def read(self, key: str) -> bytes:
        """A blob's bytes; raises FileNotFoundError."""

    def open(self, key: str) -> BinaryIO:
        """A blob opened for reading, seekable; raises FileNotFoundError."""

    def path(self, key: str) -> Path | None:
        """The local file behind a blob, where there is one (it need not exist)."""

    def free_bytes(self) -> int | None:
        """Room left for new blobs, None where there is no telling."""
