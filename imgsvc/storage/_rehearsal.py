"""A storage in which nothing is removed: what deletions would do, without doing it."""

from __future__ import annotations

from collections.abc import Iterator

from imgsvc.storage._base import Shelves
from imgsvc.storage._keys import check_key


class Rehearsal:
    """See `storage.Shelves`: what was deleted is not shown any more, and is still there."""

    def __init__(self, storage: Shelves) -> None:
        self._storage = storage
        self._gone: set[str] = set()

    def keys(self, prefix: str) -> Iterator[str]:
        """See `Shelves.keys`."""
        return (key for key in self._storage.keys(prefix) if key not in self._gone)

    def size(self, key: str) -> int:
        """See `Shelves.size`."""
        if key in self._gone:
            raise FileNotFoundError(f"there is no blob {key}")
        return self._storage.size(key)

    def delete(self, key: str) -> None:
        """See `Shelves.delete`."""
        self._gone.add(check_key(key))

    def tidy(self, prefix: str, *, spare: str | None = None) -> None:
        """See `Shelves.tidy`: nothing is left by what was not removed."""
