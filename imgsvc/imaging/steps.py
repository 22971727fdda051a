"""Timed steps: what was done, for which output, in wall and CPU time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from imgsvc.raster.geometry import Size

#: Told the name of each step as it begins: "decode", "thumb: resize", …
Progress = Callable[[str], None]


#: Under RLIMIT_CPU, which lanes set, Linux counts a process's CPU time in ticks of up to this; a thread's
#: own it knows exactly.
_TICK_S = 0.01


class CpuClock:
    """CPU time from now on: this thread's exactly, and what a codec's threads use beside it."""

    def __init__(self) -> None:
        self._thread, self._process = time.thread_time(), time.process_time()

    @property
    def ms(self) -> float:
        """Milliseconds since the clock was made, in the thread that made it."""
        own = time.thread_time() - self._thread
        beside = time.process_time() - self._process - own
        return (own + beside if beside > _TICK_S else own) * 1000


@dataclass(slots=True)
class Timed:
    """One step; of an animation the sum over its frames."""

    #: None for the decode that all outputs share.
    output: str | None
    op: str
    #: Sizes in pixels before and after it, None where there was no picture.
    before: Size | None = None
    after: Size | None = None
    wall_ms: float = 0.0
    cpu_ms: float = 0.0
    #: What was found on the way, for whoever looks closely.
    note: str | None = None

    def sees(self, before: Size | None, after: Size) -> None:
        """Note the sizes of the picture; those of the first frame stand for all."""
        if self.after is None:
            self.before, self.after = before, after


class Clock:
    """Times steps, in the order in which they first began."""

    def __init__(self, progress: Progress | None = None) -> None:
        self._progress = progress
        self._steps: dict[tuple[str | None, int, str], Timed] = {}
        #: The output and the name of the step that began last.
        self._last: tuple[str | None, str] | None = None

    def __repr__(self) -> str:
        return f"<Clock {', '.join(step.op for step in self.steps)}>"

    @property
    def steps(self) -> tuple[Timed, ...]:
        """Every step so far, one that is under way or failed too."""
        return tuple(self._steps.values())

    @property
    def last(self) -> str | None:
        """The step that began last, under the name that was told."""
        return None if self._last is None else _told(*self._last)

    @contextmanager
    def step(self, op: str, output: str | None = None, place: int = 0) -> Iterator[Timed]:
        """Time a step; the same `op` in the same `place` again adds to it (the next frame)."""
        self._last = output, op
        if self._progress is not None:
            self._progress(_told(output, op))
        timed = self._steps.setdefault((output, place, op), Timed(output, op))
        wall, cpu = time.perf_counter(), CpuClock()
        try:
            yield timed
        finally:
            timed.wall_ms += (time.perf_counter() - wall) * 1000
            timed.cpu_ms += cpu.ms


def _told(output: str | None, op: str) -> str:
    return op if output is None else f"{output}: {op}"
