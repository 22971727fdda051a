"""Tasks on threads of this process: for tests and one-off programs, where nothing isolates them."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from imgsvc import worker
from imgsvc.dispatch._base import LaneInfo, LaneState, Resources, Slot
from imgsvc.dispatch._lanes.headers import Question, answer
from imgsvc.dispatch._lanes.memory import resident
from imgsvc.dispatch._line import Line
from imgsvc.errors import (
    Draining,
    ImageTooComplex,
    ProcessingTimeout,
    TaskFailed,
    WorkerCrashed,
)
from imgsvc.imaging import Facts, Limits
from imgsvc.worker import Outcome, Report, Task

#: A function that does a task: see `worker.run`.
Work = Callable[[Mapping[str, Any], Callable[[str], None]], Mapping[str, Any]]

#: Seconds that `stop` waits for tasks to reach their next step.
_PATIENCE_S = 5.0


def connect(url: str, resources: Resources) -> InlineDispatcher:
    """See `dispatch.connect`: `inline:` has no options."""
    if url != "inline:":
        raise ValueError(f"inline: takes no options, {url!r} has some")
    return InlineDispatcher(resources)


class InlineDispatcher:
    """See `dispatch.Dispatcher`. A deadline and a kill take effect as the task begins its next step."""

    isolates = False

    def __init__(self, resources: Resources, work: Work = worker.run) -> None:
        """`work` does the tasks."""
        self._desk_timeout = resources.desk_timeout
        self._line: Line[Seat] = Line()
        self._seats = tuple(Seat(number, work, self._changed) for number in range(1, resources.lanes + 1))
        self._probed = 0
        self._started = False
        self._stopped = False

    def __repr__(self) -> str:
        return f"<InlineDispatcher {list(self._seats)}>"

    async def start(self) -> None:
        """See `Dispatcher.start`."""
        self._started = True
        for seat in self._seats:
            self._changed(seat)

    async def stop(self) -> None:
        """See `Dispatcher.stop`; a task that reaches no further step is left behind."""
        self._stopped = True
        self._line.dismiss(Draining("the workers are being stopped"))
        for seat in self._seats:
            self._changed(seat)
            seat.kill()
        if running := [seat.running for seat in self._seats if seat.running is not None]:
            await asyncio.wait(running, timeout=_PATIENCE_S)

    async def acquire(self) -> Slot:
        """See `Dispatcher.acquire`; raises Draining once it is stopped."""
        if self._stopped:
            raise Draining("the workers are being stopped")
        return InlineSlot(await self._line.take(), self._line)

    async def probe(self, path: Path, limits: Limits) -> Facts:
        """See `Dispatcher.probe`; a header that takes too long goes on in its thread."""
        self._probed += 1
        reading = asyncio.ensure_future(asyncio.to_thread(answer, Question(path=path, limits=limits)))
        done, _ = await asyncio.wait({reading}, timeout=self._desk_timeout)
        if not done:
            raise ImageTooComplex(
                f"the header takes longer than {self._desk_timeout:g} s to read", limit=self._desk_timeout
            )
        return reading.result().told()

    def lanes(self) -> Sequence[LaneInfo]:
        """See `Dispatcher.lanes`."""
        return [self._info(seat.number, seat.step(), seat.tasks, busy=seat.busy) for seat in self._seats]

    def desk(self) -> LaneInfo:
        """See `Dispatcher.desk`."""
        return self._info(0, None, self._probed)

    def _info(self, number: int, step: str | None, tasks: int, *, busy: bool = False) -> LaneInfo:
        state = LaneState.BUSY if busy else LaneState.IDLE if self._started else LaneState.STARTING
        return LaneInfo(
            lane=number,
            pid=os.getpid(),
            state=LaneState.STOPPED if self._stopped else state,
            step=step,
            rss_bytes=resident(os.getpid()),
            tasks=tasks,
            restarts=0,
            last_restart=None,
        )

    def _changed(self, seat: Seat) -> None:
        if seat.busy or self._stopped:
            self._line.withdraw(seat)
        else:
            self._line.offer(seat)


class Seat:
    """A lane without a process of its own: one task at a time on whatever thread is free."""

    def __init__(self, number: int, work: Work, changed: Callable[[Seat], None]) -> None:
        self.number = number
        self.tasks = 0
        #: The task's thread; it may outlast the call of `run`, never the seat's being busy.
        self.running: asyncio.Future[Mapping[str, Any]] | None = None
        self._work = work
        self._changed = changed
        self._step: str | None = None
        self._ended: TaskFailed | None = None

    def __repr__(self) -> str:
        return (
            f"<Seat {self.number} {'busy' if self.busy else 'idle'} step={self._step!r} tasks={self.tasks}>"
        )

    @property
    def busy(self) -> bool:
        """Does a task run?"""
        return self.running is not None

    def step(self) -> str | None:
        """What the running task is doing."""
        return self._step

    async def run(self, task: Task, timeout: float) -> Report:
        """See `Slot.run`."""
        began = time.perf_counter()
        self._begin()
        running = asyncio.ensure_future(asyncio.to_thread(self._work, task.model_dump(), self._progress))
        self.running = running
        running.add_done_callback(self._on_done)
        self._changed(self)
        try:
            done, _ = await asyncio.wait({running}, timeout=timeout)
            if not done:
                took = f"the work took longer than {timeout:g} s{self._where()}"
                self._end(
                    ProcessingTimeout(
                        f"{took}; what it may take at most is IMGSVC_JOB_TIMEOUT", limit=timeout
                    )
                )
            answered = await asyncio.shield(running)
        except asyncio.CancelledError:
            self.kill()
            raise
        if self._ended is None:
            return Report.model_validate(answered)
        timed_out = isinstance(self._ended, ProcessingTimeout)
        return Report(
            outcome=Outcome.TIMED_OUT if timed_out else Outcome.KILLED,
            problem=self._ended.problem,
            wall_ms=(time.perf_counter() - began) * 1000,
            pid=os.getpid(),
        )

    def kill(self) -> None:
        """Have the running task end as it begins its next step."""
        if self.busy:
            self._end(WorkerCrashed(f"the worker was killed on request{self._where()}"))

    def _begin(self) -> None:
        self._ended = self._step = None

    def _end(self, why: TaskFailed) -> None:
        self._ended = self._ended or why

    def _progress(self, step: str) -> None:
        """Called by the task, on its thread."""
        self._step = step
        if self._ended is not None:
            raise self._ended

    def _on_done(self, running: asyncio.Future[Mapping[str, Any]]) -> None:
        if not running.cancelled():
            running.exception()  # seen: the call of `run` may be gone
        self.running = self._step = None
        self.tasks += 1
        self._changed(self)

    def _where(self) -> str:
        return f" in {self._step}" if self._step else ""


class InlineSlot:
    """See `dispatch.Slot`."""

    def __init__(self, seat: Seat, line: Line[Seat]) -> None:
        self.lane = seat.number
        self.pid: int | None = os.getpid()
        self._seat = seat
        self._line = line
        self._released = False

    def __repr__(self) -> str:
        return f"<InlineSlot{' released' if self._released else ''} {self._seat}>"

    async def run(self, task: Task, timeout: float) -> Report:
        """See `Slot.run`."""
        if self._released:
            raise RuntimeError("the slot has been released")
        return await self._seat.run(task, timeout)

    def step(self) -> str | None:
        """See `Slot.step`."""
        return None if self._released else self._seat.step()

    def kill(self) -> None:
        """See `Slot.kill`."""
        if not self._released:
            self._seat.kill()

    def release(self) -> None:
        """See `Slot.release`; a task that still runs is killed."""
        self.kill()
        if not self._released:
            self._released = True
            self._line.put_back(self._seat)
