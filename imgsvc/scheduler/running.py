"""Jobs that run now: where, what they are doing, and how to end them."""

from __future__ import annotations

import time
from collections.abc import Callable

from imgsvc.dispatch import Slot
from imgsvc.errors import Problem
from imgsvc.jobs import Job
from imgsvc.scheduler import bugs
from imgsvc.scheduler.attempt import Run
from imgsvc.scheduler.work import Work
from imgsvc.worker import Outcome, Report, Task


class Running:
    """One start of a job, from its claim until what became of it is recorded."""

    def __init__(self, job: Job, slot: Slot, freed: Callable[[Slot], None], queue_ms: float) -> None:
        """`queue_ms` is how long the job has waited for this start."""
        self.job = job
        self._queue_ms = queue_ms
        self.lane = slot.lane
        #: Its cancellation is recorded already: nothing is left to settle.
        self.canceled = False
        self.drained = False
        self._work = Work(slot, freed)

    def __repr__(self) -> str:
        return f"<Running {self.job.id} on lane {self.lane}: {self.step() or 'between steps'}>"

    def step(self) -> str | None:
        """What its worker is doing this moment."""
        return self._work.step()

    def cancel(self) -> None:
        """End it: its job has been canceled."""
        self.canceled = True
        self._work.kill()

    def drain(self) -> None:
        """End it and give the job back: the server stops."""
        self.drained = True
        self._work.kill()

    def refuse(self, problem: Problem) -> Run:
        """Spend no lane on it."""
        self._work.skip()
        return Run(Report(outcome=Outcome.REFUSED, problem=problem), self.lane, 0.0, self._queue_ms)

    async def run(self, task: Task, timeout: float) -> Run:
        """Do the task and give the lane back."""
        began = time.perf_counter()
        report = await self._work.run(task, timeout)
        bugs.tell_of(report, job=self.job.id)
        run_ms = (time.perf_counter() - began) * 1000
        return Run(report, self.lane, run_ms, self._queue_ms, drained=self.drained)
