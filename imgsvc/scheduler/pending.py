"""Keys of blobs that are being written and that no record names yet: the sweep leaves them alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class Pending:
    """Keys in the hands of someone who will either get them recorded or remove them.

    Held from before a blob is written until its record is committed or the blob is gone. So a key
    that was listed, is not held now and is in no record looked up after now belongs to nobody.
    """

    def __init__(self) -> None:
        self._keys: Counter[str] = Counter()

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def keys(self) -> frozenset[str]:
        """All that are held now."""
        return frozenset(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    @contextmanager
    def hold(self, keys: Iterable[str]) -> Iterator[None]:
        """Keep the sweep off these keys."""
        held = tuple(keys)
        self._keys.update(held)
        try:
            yield
        finally:
            self._keys.subtract(held)
            for key in held:
                if self._keys[key] <= 0:
                    del self._keys[key]
