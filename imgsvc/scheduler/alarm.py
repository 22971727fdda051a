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
        #: When it rings, by the loop's clock: the wall clock may be set meanwhile.
        self._when: float | None = None

    def set(self, at: int) -> None:
        """Ring at `at` (milliseconds since the epoch) or earlier."""
        loop = asyncio.get_running_loop()
        when = loop.time() + max(0, at - self._clock()) / 1000 + _MARGIN_S
        if self._when is not None and self._when <= when:
            return
        self.clear()
        self._when = when
        self._handle = loop.call_at(when, self._rings)

    def clear(self) -> None:
        """Do not ring."""
        if self._handle is not None:
            self._handle.cancel()
        self._handle = self._when = None

    def _rings(self) -> None:
        self._handle = self._when = None
        self._ring()
