"""A cache on disk: found by digest, checked before it is trusted, removed when there is no room."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import BinaryIO, TypeVar

from imgsvc.errors import Unavailable
from imgsvc.service.blobs import Blob
from imgsvc.service.cache.bodies import Bodies
from imgsvc.service.cache.index import Index
from imgsvc.service.cache.names import Entry, cache_key, read
from imgsvc.service.cache.shelf import Shelf, sha256
from imgsvc.service.cache.uses import Uses
from imgsvc.storage import Storage

_log = logging.getLogger(__name__)

_Subject = TypeVar("_Subject")

#: Files of one writer that may be on the disk though the index does not count them: one is being written, one
#: read for who waits for it, one waits for its removal, and one to spare.
_UNCOUNTED = 4
#: The part of the limit that is kept free for such files at most.
_MOST_FREE = 8


@dataclass(slots=True)
class Counts:
    """What has happened since the start."""

    hits: int = 0
    misses: int = 0
    evictions: int = 0
    #: Files that were gone, or not what their names say.
    broken: int = 0


@dataclass(frozen=True, slots=True)
class Kept:
    """An entry with its bytes, open; close the blob."""

    entry: Entry
    blob: Blob


class Cache:
    """Files below one prefix of a storage, within a bound of bytes; `open` before use, `close` after it.

    Least recently used go first. What an earlier server has left is taken up again, but each file is only
    trusted once its bytes have been hashed: its writer may have been cut off. Use it on one event loop.
    """

    def __init__(
        self,
        storage: Storage,
        prefix: str,
        limit: int,
        *,
        memory: int = 0,
        writers: int = 0,
        hashed: Callable[[BinaryIO], str] = sha256,
    ) -> None:
        """`limit` bytes on the disk (0: nothing stays); `memory` bytes of small bodies are held as well.

        So much is kept free that the files which so many `writers` have under way fit in the limit too.
        `hashed` gives what a file's name says of its bytes.
        """
        self.counts = Counts()
        self._shelf = Shelf(storage, prefix, hashed)
        self._index = Index(limit)
        self._bodies = Bodies(memory)
        #: What the latest files take: those under way will take as much.
        self._latest: deque[int] = deque(maxlen=_UNCOUNTED * writers)
        #: Keys of what was written or checked by this server.
        self._trusted: set[str] = set()
        self._uses = Uses()
        self._scan: asyncio.Task[None] | None = None
        self._chores: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Cache {self._shelf.prefix}: {self._index!r}>"

    def __len__(self) -> int:
        return len(self._index)

    @property
    def limit(self) -> int:
        """Bytes that it may take of the disk."""
        return self._index.limit

    @property
    def size(self) -> int:
        """Bytes that it takes of the disk."""
        return self._index.bytes

    # -- its life -------------------------------------------------------------------------------

    def open(self) -> None:
        """Begin to take up what is there; until that is done, lookups wait for it."""
        self._scan = asyncio.create_task(self._take_up())

    async def close(self) -> None:
        """Wait for what is being removed."""
        await self.ready()
        while self._chores:
            await asyncio.wait(self._chores)

    async def ready(self) -> None:
        """Returns when everything that was there has been taken up."""
        if self._scan is not None and not self._scan.done():
            await asyncio.wait({self._scan})

    # -- looking --------------------------------------------------------------------------------

    async def find(self, digest: str) -> Kept | None:
        """What is kept under this digest, with its bytes; None where nothing sound is. Others count it."""
        await self.ready()
        entry = self._index.get(digest)
        if entry is None:
            return None
        self._note(entry.key)
        body = self._bodies.get(entry.key)
        blob = Blob(entry.bytes, data=body) if body is not None else await self._open(entry)
        return None if blob is None else Kept(entry, blob)

    async def look(self, digest: str) -> Entry | None:
        """As `find`, for whoever has the bytes read elsewhere."""
        await self.ready()
        entry = self._index.get(digest)
        if entry is None:
            return None
        self._note(entry.key)
        if entry.key not in self._trusted:
            try:
                sound = await asyncio.to_thread(self._shelf.sound, entry)
            except Unavailable as error:
                _log.warning("a cached file can't be read: %s", error)
                return None
            if not sound:
                self._lose(entry)
                return None
            if self._index.has(entry):
                self._trusted.add(entry.key)
        return entry

    def has(self, digest: str) -> bool:
        """Is anything kept under this digest, as far as is known?"""
        return self._index.holds(digest)

    def of(self, image: str) -> list[Entry]:
        """Everything that is kept of an image."""
        return self._index.of(image)

    async def _open(self, entry: Entry) -> Blob | None:
        try:
            blob = await asyncio.to_thread(self._shelf.open, entry, trusted=entry.key in self._trusted)
        except Unavailable as error:
            _log.warning("a cached file can't be read: %s", error)
            return None
        if blob is None:
            self._lose(entry)
        elif self._index.has(entry):
            self._trusted.add(entry.key)
            self._bodies.hold(entry.key, blob.data)
        return blob

    def _lose(self, entry: Entry) -> None:
        """A file is gone, or not what its name says."""
        if self._index.remove(entry):
            self.counts.broken += 1
            self._gone([entry])

    # -- changing -------------------------------------------------------------------------------

    def fresh(self, image: str, digest: str) -> str:
        """A key to write under; its writer stamps it, and the stamped one is told to `add`."""
        return cache_key(self._shelf.prefix, image, digest)

    @staticmethod
    def entry(key: str, size: int) -> Entry:
        """What a stamped key names. Raises ValueError for a key that is none of a cache's."""
        entry = read(key, size)
        if entry is None:
            raise ValueError(f"not the key of a cached file: {key!r}")
        return entry

    def add(self, entry: Entry, body: bytes | None = None) -> None:
        """Take in a file that has just been written; one that is larger than all the room goes at once."""
        self._trusted.add(entry.key)
        self._bodies.hold(entry.key, body)
        self._uses.another()
        self._latest.append(entry.charge)
        free = min(sum(self._latest), self.limit // _MOST_FREE)
        gone = [*self._index.add(entry), *self._index.shrink(self.size + free - self.limit)]
        self.counts.evictions += sum(one.digest != entry.digest or one is entry for one in gone)
        self._gone(gone)

    def discard(self, entry: Entry) -> None:
        """Remove a file that was written and is not wanted after all."""
        self._start(self._shelf.delete, [entry.key])

    def clear(self, key: str) -> None:
        """Remove what the work that was given this key may have left, whole or half."""
        self._start(self._shelf.clear, key)

    async def purge(self, image: str) -> int:
        """Remove all that was made of an image, now: how many files it were."""
        await self.ready()
        entries = [entry for entry in self._index.of(image) if self._index.remove(entry)]
        self._forget(entries)
        if entries:
            await asyncio.to_thread(self._shelf.delete, [entry.key for entry in entries])
        return len(entries)

    async def shrink(self, size: int) -> int:
        """Give up what was not used for longest, at least so many bytes where there are: how many it was."""
        await self.ready()
        gone = list(self._index.shrink(size))
        self.counts.evictions += len(gone)
        self._forget(gone)
        await asyncio.to_thread(self._shelf.delete, [entry.key for entry in gone])
        return sum(entry.charge for entry in gone)

    def _gone(self, entries: Iterable[Entry]) -> None:
        gone = list(entries)
        self._forget(gone)
        if gone:
            self._start(self._shelf.delete, [entry.key for entry in gone])

    def _forget(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self._trusted.discard(entry.key)
            self._uses.forget(entry.key)
            self._bodies.drop(entry.key)

    def _note(self, key: str) -> None:
        """Note on the disk that an entry has been used, not more often than is useful."""
        if self._uses.worth(key, len(self)):
            self._start(self._shelf.touch, key)

    def _start(self, chore: Callable[[_Subject], None], subject: _Subject) -> None:
        task = asyncio.create_task(asyncio.to_thread(chore, subject))
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)

    async def _take_up(self) -> None:
        try:
            entries = await asyncio.to_thread(self._shelf.entries)
        except Unavailable as error:
            _log.warning("what is cached could not be listed: %s", error)
            return
        for entry in entries:
            self._gone(self._index.add(entry))
        await asyncio.to_thread(self._shelf.tidy)
