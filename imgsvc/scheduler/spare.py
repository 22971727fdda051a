"""Spare work: what is worth doing while a lane is idle, and not worth anybody's waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from imgsvc.dispatch import Slot
from imgsvc.scheduler import bugs
from imgsvc.scheduler.crew import Crew
from imgsvc.scheduler.line import Line
from imgsvc.scheduler.observers import Audience
from imgsvc.scheduler.quarantine import Suspect
from imgsvc.scheduler.starts import Starts
from imgsvc.scheduler.work import Work
from imgsvc.worker import Outcome, Report, Task


class Spare:
    """One piece of spare work; hold it to see how far it is, or to have it ended."""

    def __init__(self, task: Task, suspect: Suspect, timeout: float, line: Line) -> None:
        """`timeout` is how many seconds it may run; it joins the line."""
        self.task = task
        self.suspect = suspect
        self.timeout = timeout
        #: Its report; None when it never ran: dropped, killed before, or held in quarantine.
        self.ended: asyncio.Future[Report | None] = asyncio.get_running_loop().create_future()
        self._line = line
        self._waiting = line.stand_by()
        #: Has it been told to end?
        self.killed = False
        self._work: Work | None = None

    def __repr__(self) -> str:
        state = "ended" if self.ended.done() else "running" if self.running else "waiting"
        return f"<Spare {state}: {self.task.source}>"

    @property
    def running(self) -> bool:
        """Has it a lane?"""
        return self._work is not None and not self.ended.done()

    def kill(self) -> None:
        """End it now; what waits never runs, what has ended stays as it is."""
        self.killed = True
        if not self._waiting.done():
            self._line.leave_standing(self._waiting)
        if self._work is not None:
            self._work.kill()

    async def lane(self) -> Slot | None:
        """Its lane, as soon as nobody else wants that; None when it is dropped or killed before."""
        try:
            await asyncio.wait({self._waiting})
        except asyncio.CancelledError:
            self._line.leave_standing(self._waiting)
            raise
        return None if self._waiting.cancelled() else self._waiting.result()

    async def run(self, slot: Slot, freed: Callable[[Slot], None]) -> Report | None:
        """Do it on this lane and give the lane back; None when it was killed before."""
        if self.killed:
            freed(slot)
            return None
        self._work = Work(slot, freed)
        return await self._work.run(self.task, self.timeout)


@dataclass(kw_only=True)
class Spares:
    """All spare work. It takes nobody's turn, and no stop waits for it."""

    line: Line
    crew: Crew
    starts: Starts
    audience: Audience
    #: Has the lanes back.
    freed: Callable[[Slot], None]
    #: In the order in which they came.
    _under_way: dict[Spare, None] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many wait or run."""
        return len(self._under_way)

    def add(self, task: Task, suspect: Suspect, timeout: float) -> Spare:
        """Have a task done at some time, or never: of too many that wait the first is dropped."""
        spare = Spare(task, suspect, timeout, self.line)
        self._under_way[spare] = None
        self.crew.start(self._see_to(spare))
        return spare

    def kill(self) -> None:
        """End all of it now."""
        for spare in self._under_way:
            spare.kill()

    def give_way(self) -> None:
        """Somebody waits: end what has come last of all that runs, which has done the least so far."""
        running = [spare for spare in self._under_way if spare.running and not spare.killed]
        if running:
            running[-1].kill()

    async def _see_to(self, spare: Spare) -> None:
        report = None
        try:
            slot = await spare.lane()
            if slot is not None:
                try:
                    report = await self._run(spare, slot)
                finally:
                    self.line.stood_by()
        finally:
            del self._under_way[spare]
            if not spare.ended.done():
                spare.ended.set_result(report)
        if report is not None:
            bugs.tell_of(report)
            self.audience.spare_ended(report, {t.name: t.spec for t in spare.task.targets})

    async def _run(self, spare: Spare, slot: Slot) -> Report | None:
        quarantine = self.starts.quarantine
        if quarantine and quarantine.holds(spare.suspect) is not None:
            self.freed(slot)
            return None
        began = quarantine.now()
        report = await spare.run(slot, self.freed)
        if report is not None and report.outcome is Outcome.CRASHED:
            await self.starts.lost(spare.suspect, began)
        elif report is not None and report.outcome is Outcome.SUCCEEDED:
            quarantine.survived(spare.suspect)
        return report
