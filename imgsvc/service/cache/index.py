"""What is in a cache: least recently used first, by digest and by image."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from imgsvc.service.cache.names import Entry


class Index:
    """Entries within a bound of bytes. It only remembers: whoever asks removes the files."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        #: Bytes of all entries, as the disk counts them.
        self.bytes = 0
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._of: dict[str, dict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<Index: {len(self)} entries, {self.bytes} of {self.limit} bytes>"

    def get(self, digest: str) -> Entry | None:
        """The entry of this digest, which is the latest used from now on."""
        entry = self._entries.get(digest)
        if entry is not None:
            self._entries.move_to_end(digest)
        return entry

    def holds(self, digest: str) -> bool:
        """Is there an entry of this digest? It is not used by that."""
        return digest in self._entries

    def has(self, entry: Entry) -> bool:
        """Is it this very file that is known by its digest?"""
        known = self._entries.get(entry.digest)
        return known is not None and known.key == entry.key

    def add(self, entry: Entry) -> Iterator[Entry]:
        """Take in an entry as the latest used: what has to go for it, first another of the same digest."""
        older = self._entries.get(entry.digest)
        if older is not None:
            self._forget(older)
            if older.key != entry.key:
                yield older
        self._entries[entry.digest] = entry
        self._of.setdefault(entry.image, {})[entry.digest] = None
        self.bytes += entry.charge
        yield from self.shrink(self.bytes - self.limit)

    def shrink(self, size: int) -> Iterator[Entry]:
        """Forget the least recently used, so many bytes of them at least, as far as there are."""
        down_to = self.bytes - size
        while self.bytes > down_to and self._entries:
            oldest = next(iter(self._entries.values()))
            self._forget(oldest)
            yield oldest

    def remove(self, entry: Entry) -> bool:
        """Forget an entry; False when it is not (or another one is) known by its digest."""
        if not self.has(entry):
            return False
        self._forget(entry)
        return True

    def of(self, image: str) -> list[Entry]:
        """Everything that was made of an image."""
        return [self._entries[digest] for digest in self._of.get(image, ())]

    def _forget(self, entry: Entry) -> None:
        del self._entries[entry.digest]
        self.bytes -= entry.charge
        its = self._of[entry.image]
        del its[entry.digest]
        if not its:
            del self._of[entry.image]
