"""A clock that nobody sets: what durations and places in the line are told by."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from imgsvc.scheduler.clock import Clock

#: Milliseconds that the wall clock must be off by to have been set: corrections of its pace stay below.
_JUMP_MS = 1000
#: Jumps that are remembered: who waits longer than that is told a wrong duration, never a negative one.
_REMEMBERED = 16


@dataclass(frozen=True, slots=True)
class _Jump:
    """The wall clock was set by `by` ms; it showed at most `last` before and at least `first` after that."""

    last: int
    first: int
    by: int


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

        To the millisecond while nobody has set the wall clock: those who came in a row stay in it.
        """
        self._look()
        return round(self() - self.since(at)) if self._jumps else at + round(self._ahead)

    def since(self, at: int) -> float:
        """Milliseconds that have passed since the wall clock showed `at`, however it was set meanwhile."""
        now = self._look()
        passed, end = now - at, now
        for jump in reversed(self._jumps):
            # Before it was set back, the clock may have shown what it will only show again later.
            before = at < jump.first if jump.by > 0 else at < jump.first or at > end
            if not before:
                break
            passed, end = passed - jump.by, jump.last
        return float(max(0, passed))

    def _look(self) -> int:
        """The wall clock, and whether it was set since the last look."""
        wall, seen = self._clock(), self._pace()
        passed = seen - self._seen
        by = round(wall - self._wall - passed)
        if abs(by) > _JUMP_MS:
            # It was set at some moment since then.
            self._jumps.append(_Jump(round(self._wall + passed), round(wall - passed), by))
            del self._jumps[:-_REMEMBERED]
        self._wall, self._seen = wall, seen
        return wall

    def _pace(self) -> float:
        return self._monotonic() * 1000
