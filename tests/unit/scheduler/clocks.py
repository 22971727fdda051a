"""A wall clock that a test sets; time passes on it as it does for everyone."""

from __future__ import annotations

import time

DAY = 24 * 3600 * 1000


class WallClock:
    """Milliseconds since the epoch."""

    def __init__(self) -> None:
        self._ahead = 0

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 + self._ahead

    def jump(self, ms: int) -> None:
        """Set it."""
        self._ahead += ms
