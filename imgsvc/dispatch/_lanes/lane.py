"""One lane: tasks run on its process one at a time, and whatever they do to it stays theirs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass

from imgsvc.dispatch._base import CannotStart, LaneInfo, LaneState
from imgsvc.dispatch._lanes import cpu
from imgsvc.dispatch._lanes.child import FAILED
from imgsvc.dispatch._lanes.keeper import Keeper, Terms
from imgsvc.dispatch._lanes.memory import resident
from imgsvc.dispatch._lanes.process import End, Watch

#: Seconds of CPU time that a task may use beyond its time-out. A task runs on one thread: the kernel
#: ends only what the server fails to end.
_CPU_GRACE_S = 1.0


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of one task on a lane."""

    end: End
    pid: int
    wall_ms: float
    #: Its answer, when it has ANSWERED.
    answer: bytes = b""
    #: What it was doing otherwise, and how its process ended.
    step: str | None = None
    exitcode: int | None = None
    #: Seconds of CPU time that it had used at its DEADLINE, where the system tells.
    cpu_s: float | None = None


class Lane:
    """A process that takes a task at a time; `changed` hears when `available` may have changed."""

    def __init__(
        self,
        number: int,
        fetch: Callable[[], Awaitable[Watch]],
        changed: Callable[[Lane], None],
        terms: Terms,
    ) -> None:
        """`fetch` gives a process that is up, or raises CannotStart."""
        self.number = number
        self._keeper = Keeper(f"lane {number}", fetch, lambda: changed(self), terms)
        self._changed = changed
        self._tasks = 0

    def __repr__(self) -> str:
        info = self.info()
        return (
            f"<Lane {info.lane} {info.state} pid={info.pid} step={info.step!r} "
            f"tasks={info.tasks} restarts={info.restarts}>"
        )

    @property
    def first(self) -> asyncio.Future[CannotStart | None]:
        """Resolves when the first try to bring up a process is over: None, or why it failed."""
        return self._keeper.first

    @property
    def available(self) -> bool:
        """Is there a process that takes a task now?"""
        keeper = self._keeper
        return keeper.fit is not None and not keeper.busy and not keeper.stopped

    @property
    def pid(self) -> int | None:
        """The present process."""
        return self._keeper.present.process.pid if self._keeper.present is not None else None

    def step(self) -> str | None:
        """What the running task is doing."""
        watch = self._keeper.present
        return watch.process.board.step() if self._keeper.busy and watch is not None else None

    def info(self) -> LaneInfo:
        """The lane as it is now."""
        return LaneInfo(
            lane=self.number,
            pid=self.pid,
            state=self._state(),
            step=self.step(),
            rss_bytes=resident(self.pid) if self.pid is not None else None,
            tasks=self._tasks,
            restarts=self._keeper.restarts,
            last_restart=self._keeper.last_restart,
        )

    def start(self) -> None:
        """Bring up a process in the background."""
        self._keeper.start()

    async def stop(self) -> None:
        """End whatever process there is, and wait until nothing is left of it."""
        await self._keeper.stop()

    def kill(self) -> None:
        """End the running task and its process."""
        if self._keeper.busy and self._keeper.present is not None:
            self._keeper.present.kill()

    async def run(self, task: bytes, timeout: float) -> Ran:
        """Do a task, at most `timeout` seconds from when a process takes it.

        Cancelling this ends the task. Raises Draining when the lane is stopped before.
        """
        while True:
            watch = await self._keeper.ready()
            watch.process.board.show("")
            try:
                result = watch.process.submit(task, timeout + _CPU_GRACE_S)
            except RuntimeError:  # it died a moment ago, and not of this task
                await asyncio.shield(self._keeper.end(watch, "its process died while it was idle"))
            else:
                return await self._attend(watch, result, timeout)

    async def _attend(self, watch: Watch, result: Future[int], timeout: float) -> Ran:
        began = _Mark.now(watch.process.pid)
        self._keeper.busy = True
        self._changed(self)
        try:
            end = await watch.call(result, timeout)
            length = result.result() if end is End.ANSWERED else FAILED
            if length == FAILED:
                return await self._ended(watch, end, timeout, began)
            return Ran(end, watch.process.pid, began.wall_ms(), watch.process.board.read(length))
        except asyncio.CancelledError:
            await self._ended(watch, End.KILLED, timeout, began)
            raise
        finally:
            self._keeper.busy = False
            self._tasks += 1
            self._keeper.rest(watch)
            self._changed(self)

    async def _ended(self, watch: Watch, end: End, timeout: float, began: _Mark) -> Ran:
        """The task is over without an answer: returns when its process is gone."""
        step = watch.process.board.step()
        cpu_s = began.cpu_s() if end is End.DEADLINE else None
        code = await asyncio.shield(self._keeper.end(watch, _reason(end, step, timeout)))
        end = End.DIED if end is End.ANSWERED else end
        return Ran(end, watch.process.pid, began.wall_ms(), step=step, exitcode=code, cpu_s=cpu_s)

    def _state(self) -> LaneState:
        if self._keeper.stopped:
            return LaneState.STOPPED
        if self._keeper.busy:
            return LaneState.BUSY
        return LaneState.IDLE if self.available else LaneState.STARTING


@dataclass(frozen=True, slots=True)
class _Mark:
    """When a process was given a task."""

    pid: int
    #: By the clock on the wall, and by the CPU time of the process.
    wall: float
    cpu: float | None

    @classmethod
    def now(cls, pid: int) -> _Mark:
        return cls(pid, time.perf_counter(), cpu.used(pid))

    def wall_ms(self) -> float:
        """What has passed since."""
        return (time.perf_counter() - self.wall) * 1000

    def cpu_s(self) -> float | None:
        """What the process has used since, while it is there."""
        now = cpu.used(self.pid)
        return None if now is None or self.cpu is None else now - self.cpu


def _reason(end: End, step: str | None, timeout: float) -> str:
    """Why a process is replaced after a task."""
    where = f" in {step}" if step else ""
    match end:
        case End.DEADLINE:
            return f"a task took longer than {timeout:g} s and was killed{where}"
        case End.KILLED:
            return f"a task was killed{where}"
        case End.DIED:
            return f"its process died{where}"
        case End.ANSWERED:
            return "a task failed by a bug"
