"""Gives lanes to those who wait: a lane first, then the work that is due for it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from random import Random

from imgsvc.batches import Batch
from imgsvc.dispatch import Dispatcher, Slot
from imgsvc.errors import Draining
from imgsvc.imaging.limits import Limits
from imgsvc.jobs import Job
from imgsvc.jobstore import JobStore, Receipt
from imgsvc.scheduler.alarm import Alarm
from imgsvc.scheduler.backoff import Backoff
from imgsvc.scheduler.batches import Batches
from imgsvc.scheduler.calls import Called, Calls
from imgsvc.scheduler.clock import Clock, now
from imgsvc.scheduler.crew import Crew
from imgsvc.scheduler.ends import Ends
from imgsvc.scheduler.line import Line, Turn
from imgsvc.scheduler.observers import Audience, Observer
from imgsvc.scheduler.pending import Pending
from imgsvc.scheduler.policy import Policy
from imgsvc.scheduler.quarantine import Quarantine, Suspect
from imgsvc.scheduler.rate import Pace, Rate
from imgsvc.scheduler.spare import Spare, Spares
from imgsvc.scheduler.starts import Starts
from imgsvc.scheduler.steady import Steady
from imgsvc.scheduler.sweep import Sweeper
from imgsvc.scheduler.waiters import Ended, Waiters
from imgsvc.storage import Storage
from imgsvc.worker import Outcome, Task

_log = logging.getLogger(__name__)

#: Seconds to leave a dispatcher alone that has no lane to give.
_REST_S = 1.0
#: Seconds that killed work may take to be recorded when the server stops.
_LAST_WORDS_S = 8.0


class Scheduler:
    """Owns the one waiting line for durable jobs and synchronous calls.

    `start` it on the event loop that it is used on. Jobs are added to the store by others, who then
    call `added`. Arguments are in seconds, the store's times in milliseconds since the epoch.
    """

    def __init__(  # noqa: PLR0913  # the composition root hands over what there is one of each
        self,
        store: JobStore,
        dispatcher: Dispatcher,
        storage: Storage,
        *,
        limits: Limits,
        policy: Policy,
        observers: Iterable[Observer] = (),
        boot: str,
        clock: Clock = now,
        random: Random | None = None,
    ) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._policy = policy
        #: Keys of blobs that no record names yet; whoever writes a blob holds its key here.
        self.pending = Pending()
        #: Work that must not stop half-way because a client went away.
        self.crew = Crew()
        #: Work that has lost its workers.
        self.quarantine = Quarantine(policy.quarantine_after, policy.quarantine_s)
        self.sweeper = Sweeper(
            store,
            storage,
            self.pending,
            boot=boot,
            interval_s=policy.sweep_interval_s,
            clock=clock,
            result_bytes=policy.result_bytes,
        )
        self._lanes = len(dispatcher.lanes())
        #: Lanes that spare work has at most: whoever comes next should find one that is not busy with what
        #: nobody waits for.
        self.spare_lanes = max(1, self._lanes // 2)
        self._line = Line(spares=policy.spare_tasks, spare_lanes=self.spare_lanes)
        self._rate, self._pace = Rate(self._lanes), Pace()
        self._waiters = Waiters()
        self._audience = Audience(observers)
        self._alarm = Alarm(lambda: self.crew.start(self._starts.look_again()), clock)
        #: Tells durations and places in the line.
        self.steady = Steady(clock)
        self._starts = Starts(
            store=store,
            storage=storage.url,
            limits=limits,
            policy=policy,
            backoff=Backoff(policy.retry_base_s, policy.retry_cap_s, random or Random()),  # noqa: S311  # spreads tries
            quarantine=self.quarantine,
            clock=clock,
            steady=self.steady,
            line=self._line,
            rate=self._rate,
            pace=self._pace,
            ends=Ends(self._audience, self._waiters, self.sweeper),
            sweeper=self.sweeper,
            pending=self.pending,
            alarm=self._alarm,
            freed=self._give,
        )
        self._spares = Spares(
            line=self._line,
            crew=self.crew,
            starts=self._starts,
            audience=self._audience,
            freed=self._give,
        )
        self._calls = Calls(self._line, self._rate, self._give, self._spares.give_way)
        self._batches = Batches(store, self._starts, self._waiters, clock)
        self._clock = clock
        self._loops: list[asyncio.Task[None]] = []
        self._draining = False

    def __repr__(self) -> str:
        return (
            f"<Scheduler {self._line!r}, running {len(self._starts.running)} jobs, {len(self._calls)} calls, "
            f"{len(self._spares)} spare>"
        )

    # -- its life -------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take back what was lost with the last server, then serve; raises what the store raises."""
        for job in await self._store.recover(self._clock(), max_lost=self._policy.max_lost):
            if job.state.ended:
                self._audience.job_ended(job)
        self._line.pause(paused=await self._store.paused())
        # The clock may have been set back since the last server: nobody passes those who wait.
        ranks = await self._store.last_ranks()
        for priority, last in ranks.items():
            self.steady.follow(last + round(priority.classes * self._policy.ageing_s * 1000))
        await self._starts.look_again()
        self.crew.start(self._batches.resume())
        self._loops = [asyncio.create_task(self._serve()), asyncio.create_task(self.sweeper.run())]

    def drain(self) -> None:
        """Start nothing any more; whoever waits for a lane or for a job's end is told so now."""
        self._draining = True
        self._line.close(Draining("the service is shutting down", retry_after=self.retry_after()))
        self._alarm.clear()
        self._waiters.close()

    async def stop(self, grace: float) -> None:
        """Drain; after `grace` seconds what still runs is killed, and jobs go back to the queue."""
        self.drain()
        self._spares.kill()
        await self._settled(grace)
        self._starts.drain()
        self._calls.kill()
        self._starts.stopping.set()
        for loop in self._loops:
            loop.cancel()
        # By then whoever waited for a lane has heard of the drain, and cleans up.
        await asyncio.gather(*self._loops, return_exceptions=True)
        await self._settled(_LAST_WORDS_S)
        await self.crew.dismiss()
        self._alarm.clear()

    @property
    def draining(self) -> bool:
        """Is it on its way to its end?"""
        return self._draining

    async def _settled(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while (busy := self.crew.tasks | self._calls.busy) and (left := deadline - time.monotonic()) > 0:
            await asyncio.wait(busy, timeout=left)

    # -- what others ask for --------------------------------------------------------------------

    async def call(
        self,
        task: Task,
        *,
        timeout: float | None = None,
        wait: float | None = None,
        bytes_in: int = 0,
        started: Callable[[], None] | None = None,
    ) -> Called:
        """Run a task now, for someone who waits for it; canceling this kills it.

        `timeout` and `wait` default to the policy's, in seconds; `started` is called when it has its lane. A
        task that fails is a report like any other. Raises QueueTimeout when no lane was free within `wait`,
        Draining when the service stops first.
        """
        timeout = self._policy.job_timeout_s if timeout is None else timeout
        wait = self._policy.sync_wait_s if wait is None else wait
        called = await self._calls.call(task, timeout=timeout, wait=wait, started=started)
        if self._draining and called.report.outcome is Outcome.KILLED:
            raise Draining("the service is shutting down")
        self._audience.call_ended(called.report, {t.name: t.spec for t in task.targets}, bytes_in)
        return called

    def spare(self, task: Task, suspect: Suspect, *, timeout: float | None = None) -> Spare:
        """Have a task done when a lane is idle and nobody else wants it; maybe never (`Spare.ended`).

        `timeout` in seconds, by default the policy's, counts from its start.
        """
        return self._spares.add(task, suspect, self._policy.job_timeout_s if timeout is None else timeout)

    async def added(self, job: Job) -> Job:
        """A job has been added to the store: as it is now, which is FAILED for work in quarantine."""
        return await self._starts.added(job)

    def failed(self, job: Job) -> Job:
        """A job that has failed already has been added to the store: everyone concerned hears of it."""
        self._starts.ends.tell(job)
        return job

    async def lost(self, suspect: Suspect, began: float) -> None:
        """A call that did this work, and began then (`quarantine.now`), has lost its worker."""
        await self.crew.finish(self._starts.lost(suspect, began))

    async def cancel(self, id: str) -> Job | None:
        """Cancel a job, killing it where it runs: the job afterwards, None for an unknown id.

        One that has ended is left as it is. Raises ResultExpired for one that was removed.
        """
        return await self.crew.finish(self._starts.cancel(id))

    async def cancel_queued(self, batch: str | None = None) -> int:
        """Cancel every job that is queued now (of one batch): how many it were."""
        return await self.crew.finish(self._starts.cancel_queued(batch))

    async def delete(self, id: str) -> Job | None:
        """Remove a job and its blobs, canceling it first: as it was; None when it was removed before.

        Raises NotFound for an id that never was.
        """
        return await self.crew.finish(self._starts.delete(id))

    async def close_batch(self, id: str, receipt: Receipt | None = None) -> Batch | None:
        """Let nothing join a batch any more: as it is then. As `JobStore.close_batch`."""
        return await self._batches.close(id, receipt)

    async def cancel_batch(self, id: str) -> Batch | None:
        """Close a batch and cancel all of its jobs: as it is then, None for an unknown id.

        One that has ended is left as it is. Raises ResultExpired for one that was removed.
        """
        return await self.crew.finish(self._batches.cancel(id))

    async def remove_batch(self, id: str) -> None:
        """Remove a batch and its jobs, canceling them first. Raises NotFound for an id that never was."""
        await self.crew.finish(self._batches.remove(id))

    def watch(self, id: str) -> AbstractContextManager[Ended]:
        """A future for a job's end, or a batch's next change: look at it after entering, to miss none."""
        return self._waiters.watch(id)

    async def pause(self, *, paused: bool) -> None:
        """Let no job start until resumed, over restarts; or let them start again. Calls go on."""
        await self._store.set_paused(paused)
        self._line.pause(paused=paused)
        self._pace.stop()
        await self._starts.recount()

    # -- what can be seen -----------------------------------------------------------------------

    @property
    def paused(self) -> bool:
        """Is the queue paused?"""
        return self._line.paused

    @property
    def waiting(self) -> int:
        """Calls that wait for a lane, and jobs that may start (at most so many)."""
        return self._line.waiting

    def running(self) -> dict[int, str]:
        """The ids of running jobs by lane."""
        return {running.lane: running.job.id for running in self._starts.running.values()}

    def step(self, id: str) -> str | None:
        """What a running job is doing this moment: "decode", "thumb: resize", …"""
        running = self._starts.running.get(id)
        return running.step() if running else None

    def estimate(self, position: int) -> float:
        """Milliseconds until the job at this place in the line (from 1) starts.

        As many starts from now, at the pace that was measured; the next one is half-way there on average.
        """
        interval = self._pace.interval_s
        if interval is None:
            position += self._line.calls
            interval = self._rate.wait_s(1)
        idle = max(0, self._lanes - len(self._starts.running) - len(self._calls) - self._line.standing)
        return max(0.0, position - 0.5 - idle) * interval * 1000

    def retry_after(self, backlog: int | None = None) -> float:
        """When someone who was refused should come back: backlog ÷ measured rate, ± 20 %, 1-300 s.

        The backlog is what waits in the line, unless the caller knows better.
        """
        return self._rate.retry_after(self._line.waiting if backlog is None else backlog)

    # -- serving --------------------------------------------------------------------------------

    async def _serve(self) -> None:
        while True:
            await self._line.wanted()
            try:
                slot = await self._dispatcher.acquire()
            except Exception:  # noqa: BLE001  # without lanes there is no service: keep trying
                _log.exception("no lane could be had")
                await asyncio.sleep(_REST_S)
                continue
            self._give(slot)

    def _give(self, slot: Slot) -> None:
        """A lane is free: whoever's turn it is has it, or the dispatcher has it back."""
        turn = self._line.turn()
        if turn is Turn.CALL:
            self._line.next_call().set_result(slot)
        elif turn is Turn.SPARE:
            self._line.next_spare().set_result(slot)
        elif turn is Turn.JOB:
            self.crew.start(self._start(slot))
        else:
            slot.release()

    async def _start(self, slot: Slot) -> None:
        if not await self._starts.start(slot):
            await self._starts.set_alarm()
