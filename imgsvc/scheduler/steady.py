"""A clock that nobody sets: what durations and places in the line are told by."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import floor

from imgsvc.scheduler.clock import Clock

#: Milliseconds that the wall clock must be off by to have been set: corrections of its pace stay below.
_JUMP_MS = 1000
#: Jumps that are remembered: who waits longer than that is told a wrong duration, never a negative one.
_REMEMBERED = 16


@dataclass(frozen=True, slots=True)
class _Jump:
    """The wall clock was set by `by` ms; it showed at most `last` before and at least `first` after that.

    By `total` with all that came before; and `latest` is the latest moment that `when` had told by then.
    """

    last: int
    first: int
    by: int
    total: int
    latest: int


class Steady:
    """Milliseconds that pass at one pace, beginning with the wall clock's; made once, with the scheduler."""

    def __init__(self, clock: Clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`monotonic` gives seconds."""
        self._clock = clock
        self._monotonic = monotonic
        self._began = clock() - self._pace()
        self._ahead = 0.0
        #: Where the wall clock was last seen, and what the other one showed then.
        self._wall, self._seen = clock(), self._pace()
        self._jumps: list[_Jump] = []
        self._latest = 0

    def __repr__(self) -> str:
        return f"<Steady: {len(self._jumps)} jumps of the wall clock>"

    def __call__(self) -> int:
        """The time now, in milliseconds: the wall clock's, had it never been set since the start."""
        self._look()
        return round(self._began + self._pace() + self._ahead)

    def follow(self, at: int) -> None:
        """Be no earlier than `at` from now on."""
        self._ahead += max(0, at - self())

    def when(self, at: int) -> int:
        """What this clock showed when the wall clock showed `at`.

        Moments are as exact as the wall clock's, so that those who came in a row stay in it; none after the
        wall clock was set is before one that was told before.
        """
        now = self._look()
        earlier = self._jumps[: len(self._jumps) - len(self._after(at, now))]
        if earlier:
            total, latest = earlier[-1].total, earlier[-1].latest
        else:
            first = self._jumps[0] if self._jumps else None
            total, latest = (first.total - first.by if first else 0), 0
        moment = max(at - total + round(self._ahead), latest)
        self._latest = max(self._latest, moment)
        return moment

    def since(self, at: int) -> float:
        """Milliseconds that have passed since the wall clock showed `at`, however it was set meanwhile."""
        now = self._look()
        return float(max(0, now - at - sum(jump.by for jump in self._after(at, now))))

    def _after(self, at: int, now: int) -> list[_Jump]:
        """The jumps since the wall clock showed `at`, the last one first."""
        found, end = list[_Jump](), now
        for jump in reversed(self._jumps):
            # Before it was set back, the clock may have shown what it will only show again later.
            if not (at < jump.first or (jump.by < 0 and at > end)):
                break
            found.append(jump)
            end = jump.last
        return found

    def _look(self) -> int:
        """The wall clock, and whether it was set since the last look."""
        wall, seen = self._clock(), self._pace()
        passed = seen - self._seen
        by = round(wall - self._wall - passed)
        if abs(by) > _JUMP_MS:
            # It was set at some moment since then; it shows whole milliseconds, rounded down.
            last, first = floor(self._wall + passed) + 1, floor(wall - passed)
            total = by + (self._jumps[-1].total if self._jumps else 0)
            self._jumps.append(_Jump(last, first, by, total, self._latest))
            del self._jumps[:-_REMEMBERED]
        self._wall, self._seen = wall, seen
        return wall

    def _pace(self) -> float:
        return self._monotonic() * 1000
