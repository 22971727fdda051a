"""A task on a lane, which can be ended at any moment: before it has begun as well as while it runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from imgsvc.dispatch import Slot
from imgsvc.errors import Draining, Problem, WorkerCrashed
from imgsvc.worker import Outcome, Report, Task

#: Ends of a task that its process has survived.
_FIT = frozenset({Outcome.SUCCEEDED, Outcome.REFUSED, Outcome.INTERRUPTED})

_log = logging.getLogger(__name__)


class Work:
    """One task, one lane, one report."""

    def __init__(self, slot: Slot, freed: Callable[[Slot], None]) -> None:
        """`freed` has the lane when the task is over and its process is fit for the next one."""
        self._slot = slot
        self._freed = freed
        self._task: asyncio.Task[Report] | None = None
        self._killed = False

    def step(self) -> str | None:
        """What the worker is doing this moment."""
        return self._slot.step() if self._task is not None else None

    def kill(self) -> None:
        """End it now; its report is KILLED, unless it has just ended by itself."""
        self._killed = True
        # A slot that still waits for its process has nothing to kill; a cancellation it hears always.
        if self._task is not None:
            self._task.cancel()

    def skip(self) -> None:
        """Give the lane to the next one, with nothing done on it."""
        self._freed(self._slot)

    async def run(self, task: Task, timeout: float) -> Report:
        """Do the task and give the lane back; being canceled ends it. Raises only for a cancellation."""
        fit = False
        try:
            if self._killed:
                return Report(outcome=Outcome.KILLED)
            self._task = asyncio.ensure_future(self._slot.run(task, timeout))
            report = await self._report(self._task)
            fit = report.outcome in _FIT
            return report
        finally:
            self._task = None
            if fit:
                self._freed(self._slot)
            else:
                self._slot.release()

    async def _report(self, running: asyncio.Task[Report]) -> Report:
        try:
            await asyncio.wait({running})
        except asyncio.CancelledError:
            running.cancel()
            await asyncio.wait({running})
            raise
        if running.cancelled() or isinstance(running.exception(), Draining):
            return Report(outcome=Outcome.KILLED)
        if (error := running.exception()) is None:
            return running.result()
        _log.error("lane %d failed to run a task", self._slot.lane, exc_info=error)
        problem = Problem(code=WorkerCrashed.code, detail="the worker could not be reached")
        return Report(outcome=Outcome.CRASHED, problem=problem)
