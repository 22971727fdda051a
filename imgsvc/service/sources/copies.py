"""Copies of source files that workers may read: shared while they are used, the last ones kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class _Copy:
    key: str
    bytes: int
    users: int = 0


class Copies:
    """Blobs by the digest of what is in them; those that nobody uses go when there is no room for them."""

    def __init__(self, limit: int, remove: Callable[[str], None]) -> None:
        """`limit` bytes of those that nobody uses; `remove` is told the key of each that goes."""
        self._limit = limit
        self._remove = remove
        self._used: dict[str, _Copy] = {}
        #: The longest unused first.
        self._unused: OrderedDict[str, _Copy] = OrderedDict()
        self._unused_bytes = 0

    def __repr__(self) -> str:
        return f"<Copies: {len(self._used)} in use, {len(self._unused)} with {self._unused_bytes} bytes kept>"

    def take(self, digest: str) -> str | None:
        """The key of a copy, which stays until it is given back; None where there is none."""
        copy = self._used.get(digest)
        if copy is None:
            copy = self._unused.pop(digest, None)
            if copy is None:
                return None
            self._unused_bytes -= copy.bytes
            self._used[digest] = copy
        copy.users += 1
        return copy.key

    def give_back(self, digest: str) -> None:
        """One who has taken it does not need it any more."""
        copy = self._used[digest]
        copy.users -= 1
        if not copy.users:
            self._put(digest, self._used.pop(digest))
            self._trim()

    def add(self, digest: str, key: str, size: int) -> None:
        """A new copy; it stays until the next change, so that whoever made it can take it. Of two that are
        equal the first stays.
        """
        if digest in self._used or digest in self._unused:
            self._remove(key)
        else:
            self._trim()
            self._put(digest, _Copy(key, size))

    def _put(self, digest: str, copy: _Copy) -> None:
        self._unused[digest] = copy
        self._unused_bytes += copy.bytes

    def _trim(self) -> None:
        while self._unused_bytes > self._limit:
            _, copy = self._unused.popitem(last=False)
            self._unused_bytes -= copy.bytes
            self._remove(copy.key)
