"""Small bodies held in memory: what is asked for again and again costs no look at the disk."""

from __future__ import annotations

from collections import OrderedDict

#: The largest body that is held: a picture for a page has less.
SMALL = 256 * 1024


class Bodies:
    """Bytes by key within a bound, least recently used first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._bodies: OrderedDict[str, bytes] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Bodies: {len(self._bodies)}, {self._held} of {self._limit} bytes>"

    def get(self, key: str) -> bytes | None:
        """The body of this key, if it is held."""
        body = self._bodies.get(key)
        if body is not None:
            self._bodies.move_to_end(key)
        return body

    def hold(self, key: str, body: bytes | None) -> None:
        """Hold a body if it is small, in place of those that were not used for longest."""
        if body is None or len(body) > min(SMALL, self._limit) or key in self._bodies:
            return
        self._bodies[key] = body
        self._held += len(body)
        while self._held > self._limit:
            _, oldest = self._bodies.popitem(last=False)
            self._held -= len(oldest)

    def drop(self, key: str) -> None:
        """Hold it no longer."""
        body = self._bodies.pop(key, None)
        if body is not None:
            self._held -= len(body)
