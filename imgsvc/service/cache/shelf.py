"""A cache's files: listed, opened, checked and removed; synchronous, for threads."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from io import BytesIO
from typing import BinaryIO

from imgsvc.errors import Unavailable
from imgsvc.service.blobs import WHOLE, Blob
from imgsvc.service.cache.names import Entry, read
from imgsvc.storage import Storage

_log = logging.getLogger(__name__)

#: Bytes hashed at a time.
_PIECE = 1 << 20


def sha256(file: BinaryIO) -> str:
    """The hash of a file from here to its end, in hex."""
    digest = hashlib.sha256()
    while piece := file.read(_PIECE):
        digest.update(piece)
    return digest.hexdigest()


class Shelf:
    """The files of a cache below one prefix."""

    def __init__(self, storage: Storage, prefix: str, hashed: Callable[[BinaryIO], str] = sha256) -> None:
        """`hashed` gives what a file's name says of its bytes."""
        self.prefix = prefix
        self._storage = storage
        self._hashed = hashed

    def entries(self) -> list[Entry]:
        """All that is there, the latest used last; what is no whole entry is removed."""
        found: list[tuple[float, Entry]] = []
        for key in list(self._storage.keys(self.prefix)):
            try:
                entry = read(key, self._storage.size(key))
            except FileNotFoundError:
                continue
            if entry is None:
                self.delete([key])
            else:
                found.append((self._used_at(key), entry))
        return [entry for _, entry in sorted(found, key=lambda pair: pair[0])]

    def open(self, entry: Entry, *, trusted: bool) -> Blob | None:
        """The bytes of an entry, None where they are gone or not what its name says.

        Only where it is `trusted` they are not hashed. Raises Unavailable.
        """
        try:
            if self._storage.size(entry.key) != entry.bytes:
                return None
            if entry.bytes <= WHOLE:
                data = self._storage.read(entry.key)
                sound = trusted or self._hashed(BytesIO(data)) == entry.sha256
                return Blob(entry.bytes, data=data) if sound else None
            if not trusted and not self._matches(entry):
                return None
            return Blob(entry.bytes, file=self._storage.open(entry.key))
        except FileNotFoundError:
            return None

    def sound(self, entry: Entry) -> bool:
        """Is it there, and what its name says? Raises Unavailable."""
        try:
            return self._storage.size(entry.key) == entry.bytes and self._matches(entry)
        except FileNotFoundError:
            return False

    def touch(self, key: str) -> None:
        """Note that a file has been used: a restart knows the order by it."""
        path = self._storage.path(key)
        if path is not None:
            with suppress(OSError):  # it has just been removed
                # To the nanosecond: the kernel's own clock of files stands still for milliseconds.
                os.utime(path, ns=(time.time_ns(), time.time_ns()))

    def delete(self, keys: Iterable[str]) -> None:
        """Remove files; what can't be removed now is taken up by the next start."""
        for key in keys:
            try:
                self._storage.delete(key)
            except Unavailable as error:
                _log.warning("a cached file could not be removed: %s", error)

    def clear(self, key: str) -> None:
        """Remove every file whose key begins with this one."""
        try:
            self.delete([each for each in self._storage.keys(key.rpartition("/")[0]) if each.startswith(key)])
        except Unavailable as error:
            _log.warning("what some work has left could not be looked for: %s", error)

    def tidy(self) -> None:
        """Remove the empty folders."""
        self._storage.tidy(self.prefix)

    def _used_at(self, key: str) -> float:
        path = self._storage.path(key)
        try:
            return 0.0 if path is None else path.stat().st_mtime
        except OSError:
            return 0.0

    def _matches(self, entry: Entry) -> bool:
        with self._storage.open(entry.key) as file:
            return self._hashed(file) == entry.sha256
