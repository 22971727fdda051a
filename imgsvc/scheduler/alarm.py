"""One alarm that is set to the earliest of the times it was given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from imgsvc.scheduler.clock import Clock

#: The loop's clock and the wall clock may differ by a tick: ring when the time is surely over.
_MARGIN_S = 0.001


class Alarm:
    """Rings once at the earliest time it was set to; set it again for the next."""

    def __init__(self, ring: Callable[[], None], clock: Clock) -> None:
        self._ring = ring
        self._clock = clock
        self._handle: asyncio.TimerHandle | None = None
        self._at: int | None = None

    def set(self, at: int) -> None:
        """Ring at `at` (milliseconds since the epoch) or earlier."""
        if self._at is not None and self._at <= at:
            return
        self.clear()
        self._at = at
        delay = max(0, at - self._clock()) / 1000 + _MARGIN_S
        self._handle = asyncio.get_running_loop().call_later(delay, self._rings)

    def clear(self) -> None:
        """Do not ring."""
        if self._handle is not None:
            self._handle.cancel()
        self._handle = self._at = None

    def _rings(self) -> None:
        self._handle = self._at = None
        self._ring()
