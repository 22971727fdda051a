"""What follows a job's end once it is recorded: everyone concerned hears of it."""

from __future__ import annotations

from dataclasses import dataclass

from imgsvc.jobs import Job
from imgsvc.scheduler.observers import Audience
from imgsvc.scheduler.sweep import Sweeper
from imgsvc.scheduler.waiters import Waiters


@dataclass(frozen=True, slots=True)
class Ends:
    """Those who hear of ends."""

    audience: Audience
    waiters: Waiters
    sweeper: Sweeper

    def tell(self, job: Job) -> None:
        """The job has ended, and the record says so."""
        self.waiters.tell(job)
        self.audience.job_ended(job)
        self.sweeper.ended(job)
