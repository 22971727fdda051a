"""Synchronous calls: they wait in memory, run in their caller's own task and end with it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from imgsvc.dispatch import Slot
from imgsvc.errors import QueueTimeout
from imgsvc.scheduler import bugs
from imgsvc.scheduler.line import Line
from imgsvc.scheduler.rate import Rate
from imgsvc.scheduler.work import Work
from imgsvc.worker import Report, Task

#: Seconds that a call waits for spare work, which is then ended for it: longer than making a master takes, so
#: that little is thrown away, and short enough to be forgiven.
PATIENCE_S = 0.5


@dataclass(frozen=True, slots=True)
class Called:
    """What a synchronous call came to."""

    report: Report
    #: Milliseconds that it waited for its lane.
    queue_ms: float
    lane: int


class Calls:
    """Calls that run now."""

    def __init__(
        self, line: Line, rate: Rate, freed: Callable[[Slot], None], hurry: Callable[[], None]
    ) -> None:
        """`freed` has the lanes back; `hurry` is called when one has waited for `PATIENCE_S`."""
        self._line = line
        self._rate = rate
        self._freed = freed
        self._hurry = hurry
        self._running: dict[asyncio.Future[None], Work] = {}

    def __len__(self) -> int:
        return len(self._running)

    @property
    def busy(self) -> frozenset[asyncio.Future[None]]:
        """Futures that resolve as the running calls end."""
        return frozenset(self._running)

    def kill(self) -> None:
        """End the running calls now."""
        for work in self._running.values():
            work.kill()

    async def call(
        self, task: Task, *, timeout: float, wait: float, started: Callable[[], None] | None = None
    ) -> Called:
        """Run a task for someone who waits for it; canceling this kills it. `started`: it has its lane.

        Raises QueueTimeout when no lane was free within `wait` seconds, Draining when the service
        stops first.
        """
        began = time.perf_counter()
        slot = await self._lane(wait)
        queue_ms = (time.perf_counter() - began) * 1000
        work = Work(slot, self._freed)
        if started is not None:
            started()
        with self._occupied(work):
            report = await work.run(task, timeout)
        bugs.tell_of(report)
        self._rate.took(time.perf_counter() - began - queue_ms / 1000)
        return Called(report, queue_ms, slot.lane)

    async def _lane(self, wait: float) -> Slot:
        waiting = self._line.enter()
        hurry = asyncio.get_running_loop().call_later(PATIENCE_S, self._hurry)
        try:
            async with asyncio.timeout(wait):
                return await waiting
        except TimeoutError:
            self._line.leave(waiting)
            raise QueueTimeout(
                f"no worker became free within {wait:g} s",
                limit=wait,
                retry_after=self._rate.retry_after(self._line.waiting),
            ) from None
        except BaseException:
            self._line.leave(waiting)
            raise
        finally:
            hurry.cancel()

    @contextmanager
    def _occupied(self, work: Work) -> Iterator[None]:
        done = asyncio.get_running_loop().create_future()
        self._running[done] = work
        try:
            yield
        finally:
            del self._running[done]
            done.set_result(None)
