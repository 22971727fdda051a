"""Jobs that run now: where, what they are doing, and how to end them."""

from __future__ import annotations

import time

from imgsvc.dispatch import Slot
from imgsvc.jobs import Job
from imgsvc.scheduler.attempt import Run
from imgsvc.scheduler.calls import run
from imgsvc.worker import Outcome, Report, Task


class Running:
    """One start of a job, from its claim until what became of it is recorded."""

    def __init__(self, job: Job, slot: Slot) -> None:
        self.job = job
        self.lane = slot.lane
        #: Its cancellation is recorded already: nothing is left to settle.
        self.canceled = False
        self.drained = False
        self._slot = slot
        #: Only then is the slot ours to kill.
        self._working = False

    def __repr__(self) -> str:
        return f"<Running {self.job.id} on lane {self.lane}: {self.step() or 'between steps'}>"

    def step(self) -> str | None:
        """What its worker is doing this moment."""
        return self._slot.step() if self._working else None

    def cancel(self) -> None:
        """End it: its job has been canceled."""
        self.canceled = True
        self._kill()

    def drain(self) -> None:
        """End it and give the job back: the server stops."""
        self.drained = True
        self._kill()

    async def run(self, task: Task, timeout: float) -> Run:
        """Do the task and give the lane back; raises only what is not the task's fault."""
        began = time.perf_counter()
        try:
            if self.canceled or self.drained:
                report = Report(outcome=Outcome.KILLED)
            else:
                self._working = True
                report = await run(self._slot, task, timeout)
        finally:
            self._working = False
            self._slot.release()
        return Run(report, self.lane, (time.perf_counter() - began) * 1000, drained=self.drained)

    def _kill(self) -> None:
        if self._working:
            self._slot.kill()
