"""Starts of jobs: claimed for a lane, run, recorded; canceled and removed where they run or wait."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from imgsvc.dispatch import Slot
from imgsvc.errors import Problem, StorageBusy, Unavailable
from imgsvc.imaging.limits import Limits
from imgsvc.jobs import Job, State
from imgsvc.jobstore import JobStore
from imgsvc.scheduler import attempt
from imgsvc.scheduler.alarm import Alarm
from imgsvc.scheduler.attempt import Run, Terms
from imgsvc.scheduler.backoff import Backoff
from imgsvc.scheduler.clock import Clock
from imgsvc.scheduler.ends import Ends
from imgsvc.scheduler.line import Line
from imgsvc.scheduler.pending import Pending
from imgsvc.scheduler.policy import Policy
from imgsvc.scheduler.quarantine import Quarantine, Suspect
from imgsvc.scheduler.rate import Pace, Rate
from imgsvc.scheduler.running import Running
from imgsvc.scheduler.steady import Steady
from imgsvc.scheduler.sweep import Sweeper
from imgsvc.worker import Outcome

_log = logging.getLogger(__name__)

#: Seconds to leave a store alone after its first failure in a row, and at most.
_FIRST_REST, _LONGEST_REST = 0.1, 5.0
#: How often the end of a start is tried to be recorded when the server stops: each waits for a lock for 2 s.
_LAST_WORDS = 4
#: Queued jobs that are turned away at a time.
_SOME = 200


@dataclass(kw_only=True)
class Starts:
    """Everything that happens to a job between its claim and the record of what became of it."""

    store: JobStore
    storage: str
    limits: Limits
    policy: Policy
    backoff: Backoff
    quarantine: Quarantine
    clock: Clock
    steady: Steady
    line: Line
    rate: Rate
    pace: Pace
    ends: Ends
    sweeper: Sweeper
    pending: Pending
    #: Rings when the line should be counted anew.
    alarm: Alarm
    #: Has a lane whose task is over.
    freed: Callable[[Slot], None]
    #: By job.
    running: dict[str, Running] = field(default_factory=dict)
    #: Set when nothing may wait for a store that fails any more.
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    #: Jobs canceled while a claim was on its way: it may have taken them.
    _canceled: set[str] = field(default_factory=set)
    _failures: int = 0

    async def start(self, slot: Slot) -> bool:
        """Give a lane to the job that is due; False when there was none. The lane goes back in any case."""
        try:
            job = await self._claim(slot.lane)
        except BaseException:
            slot.release()
            raise
        if job is None:
            slot.release()
            return False
        running = self.running[job.id] = Running(job, slot, self.freed, self.steady.since(job.created_at))
        if job.id in self._canceled:
            running.cancel()
        if not self.line.claims:
            self._canceled.clear()
        try:
            await self._do(running)
        finally:
            self._forget(running)
        return True

    async def added(self, job: Job) -> Job:
        """A job has been added, and may start now or is turned away at once: as it is then."""
        problem = self._held(job)
        if problem is not None:
            try:
                return await self._turn_away(job, problem) or job
            except Unavailable as error:  # then it is turned away when it is claimed
                _log.warning("%s is not turned away yet: %s", job.id, error)
        self.line.added()
        return job

    async def lost(self, suspect: Suspect, began: float) -> None:
        """A call that did this work, and began then, has lost its worker."""
        if self.quarantine.lost(suspect, began):
            await self._turn_away_queued(suspect.image)

    async def cancel(self, id: str) -> Job | None:
        """As `JobStore.cancel`; a running job is killed."""
        at = self.clock()
        job = await self.store.cancel(id, at)
        if job is not None and job.state is State.CANCELED:
            self._kill(id)
            # One that had ended before is answered unchanged; nobody needs to hear of it again.
            if job.finished_at == at:
                self.ends.tell(job)
        return job

    async def delete(self, id: str) -> Job | None:
        """As `JobStore.delete`; a running job is killed, and its blobs are removed."""
        at = self.clock()
        job = await self.store.delete(id, at)
        if job is not None:
            await self.removed([job], at)
        return job

    async def removed(self, jobs: Sequence[Job], at: int) -> None:
        """Jobs have been removed from the record, as they were: what runs is killed, blobs are removed."""
        for job in jobs:
            if not job.state.ended:
                self._kill(job.id)
                self.ends.tell(job.evolve(state=State.CANCELED, finished_at=at))
        await self.sweeper.remove_results(jobs)
        await self.sweeper.remove_unneeded_images()

    async def cancel_queued(self, batch: str | None) -> int:
        """As `JobStore.cancel_queued`: how many it were."""
        jobs = await self.store.cancel_queued(self.clock(), batch=batch)
        for job in jobs:
            self.ends.tell(job)
        await self.recount()  # or those who are refused next are told to wait for them
        return len(jobs)

    async def recount(self) -> None:
        """Ask the store how many jobs wait; when it can't say, it is asked again later."""
        since = self.line.changes
        try:
            backlog = await self.store.backlog()
        except Unavailable as error:
            self._failed(error)
        else:
            self.line.recounted(backlog.queued, since)
            self.line.rest(resting=False)

    async def look_again(self) -> None:
        """The time of some job may have come, or the store is back.

        A time that is further away than any pause was told by a clock that has been set back since: it
        has come.
        """
        latest = self.clock() + round(self.policy.retry_cap_s * 1000)
        try:
            await self.store.hasten(latest)
        except Unavailable as error:
            self._failed(error)
        else:
            await self.recount()

    async def set_alarm(self) -> None:
        """Nothing may start now: come back when something may."""
        try:
            at = await self.store.next_start(self.clock())
        except Unavailable as error:
            self._failed(error)
        else:
            if at is not None:
                self.alarm.set(at)

    def drain(self) -> None:
        """Kill what runs; it goes back to the queue."""
        for running in self.running.values():
            running.drain()

    def _kill(self, id: str) -> None:
        running = self.running.get(id)
        if running is not None:
            running.cancel()
        elif self.line.claims:
            self._canceled.add(id)

    def _forget(self, running: Running) -> None:
        # The job may be running again already.
        if self.running.get(running.job.id) is running:
            del self.running[running.job.id]

    async def _claim(self, lane: int) -> Job | None:
        since = self.line.changes
        try:
            job = await self.store.claim(self.clock(), lane=lane)
        except Exception as error:  # noqa: BLE001  # whatever the store's fault is, the line goes on
            self.line.unclaimed()
            self._failed(error)
            return None
        except BaseException:
            self.line.unclaimed()
            raise
        self._failures = 0
        self.line.claimed(found=job is not None, since=since)
        if job is None:
            self.pace.stop()
        else:
            self.pace.started(time.monotonic(), more=self.line.has_jobs)
        return job

    async def _do(self, running: Running) -> None:
        job = running.job
        task = attempt.task(job, self.storage, self.limits)
        keys = [target.key for target in task.targets]
        timeout = min(job.timeout_ms / 1000, self.policy.job_timeout_s)
        began = self.quarantine.now()
        with self.pending.hold(keys):
            problem = self._held(job)
            run = await running.run(task, timeout) if problem is None else running.refuse(problem)
            # Before anyone else gets a turn: a start that begins after this loss is one more try.
            quarantined = not running.canceled and self._reckon(job, run, began)
            # The lane's next claim is handed in first: the store commits both together.
            await asyncio.sleep(0)
            if quarantined:
                await self._turn_away_queued(job.image.id)
            settled = None if running.canceled else await self._settle(job, run)
            if settled is None or settled.state is not State.SUCCEEDED:
                # Nobody will ever ask for these: they were written by a start that does not count.
                await self.sweeper.remove_traces(keys)
        self._forget(running)
        if settled is None:
            return
        if settled.state.ended:
            if problem is None:
                self.rate.took(run.run_ms / 1000)
            self.ends.tell(settled)
        elif settled.not_before is not None:
            self.alarm.set(settled.not_before)
        else:
            self.line.added()

    async def _settle(self, job: Job, run: Run) -> Job | None:
        """Record what became of a start, however long the store needs; None when it does not count."""
        ended = time.perf_counter()
        pause, last_words = _FIRST_REST, _LAST_WORDS
        terms = Terms(self.policy, self.backoff, held=self._held(job) is not None)
        while True:
            settle_ms = (time.perf_counter() - ended) * 1000
            ending = attempt.verdict(job, run, terms, self.clock(), settle_ms=settle_ms)
            try:
                return await self.store.settle(job.id, job.attempts, ending)
            except Unavailable as error:
                _log.warning("the end of %s is not recorded yet: %s", job.id, error)
                if self.stopping.is_set():
                    # A lock may be let go in time; else the next start of the server takes the job back.
                    last_words -= 1
                    if not last_words or not isinstance(error, StorageBusy):
                        return None
                    await asyncio.sleep(_FIRST_REST)
                    continue
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self.stopping.wait()
            pause = min(_LONGEST_REST, pause * 2)

    def _held(self, job: Job) -> Problem | None:
        """Why a job may not start now, where its work is in quarantine."""
        return self.quarantine.holds(Suspect.of(job)) if self.quarantine else None

    async def _turn_away(self, job: Job, problem: Problem) -> Job | None:
        """End a queued job without a start; None when it is not queued any more."""
        failed = await self.store.fail(job.id, problem, self.clock())
        if failed is not None:
            self.ends.tell(failed)
        return failed

    async def _turn_away_queued(self, image: str) -> None:
        """End every queued job with this image whose work is in quarantine."""
        last = ""
        try:
            while jobs := await self.store.queued_with(image, after=last, limit=_SOME):
                last = jobs[-1].id
                for job in jobs:
                    if (problem := self._held(job)) is not None:
                        await self._turn_away(job, problem)
        except Unavailable as error:  # who is left is turned away when it is claimed
            _log.warning("what waits with lethal work is not turned away yet: %s", error)

    def _reckon(self, job: Job, run: Run, began: float) -> bool:
        """What a start tells of its work, which may be in quarantine since this moment."""
        if run.report.outcome is Outcome.CRASHED:
            return self.quarantine.lost(Suspect.of(job), began)
        if self.quarantine and run.report.outcome is Outcome.SUCCEEDED:
            self.quarantine.survived(Suspect.of(job))
        return False

    def _failed(self, error: Exception) -> None:
        """The store has failed: leave it alone for a while, then look again."""
        _log.warning("no job can be started: %s", error, exc_info=not isinstance(error, Unavailable))
        pause = min(_LONGEST_REST, _FIRST_REST * 2.0 ** min(self._failures, 10))
        self._failures += 1
        self.line.rest(resting=True)
        self.alarm.set(self.clock() + round(pause * 1000))
