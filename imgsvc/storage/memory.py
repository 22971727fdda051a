"""Bytes in a dict, shared by name within the process: what tests and trials need of a storage."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from typing_extensions import Buffer

from imgsvc.storage._keys import check_key

_rooms: dict[str, dict[str, bytes]] = {}
_lock = threading.Lock()


def connect(url: str) -> MemoryStorage:
    """Open the storage of `memory:` or `memory:name`; whoever gives the same name sees the same blobs."""
    return MemoryStorage(url)


class MemoryStorage:
    """See `storage.Storage`."""

    shared = False

    def __init__(self, url: str) -> None:
        self.url = url
        with _lock:
            self._blobs = _rooms.setdefault(url.partition(":")[2], {})

    def __repr__(self) -> str:
        return f"<MemoryStorage {self.url} {len(self._blobs)} blobs>"

    def adopt(self, staged: Path, key: str, *, durable: bool = True) -> None:
        """See `Storage.adopt`."""
        self.put(key, staged.read_bytes(), durable=durable)
        staged.unlink()

    def put(self, key: str, *data: Buffer, durable: bool = True) -> None:  # noqa: ARG002  # nothing lasts here
        """See `Storage.put`."""
        check_key(key)
        with _lock:
            if key in self._blobs:
                raise FileExistsError(f"{key} is there already")
            self._blobs[key] = b"".join(bytes(part) for part in data)

    def read(self, key: str) -> bytes:
        """See `Storage.read`."""
        try:
            return self._blobs[check_key(key)]
        except KeyError:
            raise FileNotFoundError(f"there is no blob {key}") from None

    def open(self, key: str) -> BinaryIO:
        """See `Storage.open`."""
        return BytesIO(self.read(key))

    def size(self, key: str) -> int:
        """See `Storage.size`."""
        return len(self.read(key))

    def path(self, key: str) -> Path | None:
        """See `Storage.path`: there is no file."""
        check_key(key)
        return None

    def tidy(self, prefix: str, *, spare: str | None = None) -> None:  # noqa: ARG002  # nothing is left
        """See `Storage.tidy`: there are no folders."""
        check_key(prefix)

    def delete(self, key: str) -> None:
        """See `Storage.delete`."""
        check_key(key)
        with _lock:
            self._blobs.pop(key, None)

    def keys(self, prefix: str) -> Iterator[str]:
        """See `Storage.keys`."""
        below = check_key(prefix) + "/"
        with _lock:
            found = [key for key in self._blobs if key.startswith(below)]
        return iter(found)

    def free_bytes(self) -> int | None:
        """See `Storage.free_bytes`: there is no telling."""
        return None
