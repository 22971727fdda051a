"""Jobs in a dict; no call waits for anything, so each is atomic on its event loop."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from imgsvc.errors import ImageInUse, NotFound, Problem, ResultExpired, StorageUnavailable, WorkerCrashed
from imgsvc.jobs import TRANSITIONS, Attempt, Image, Job, Priority, State
from imgsvc.jobstore._base import Backlog, Ending, ImagePage, Page
from imgsvc.jobstore._checks import (
    check_answer,
    check_failed,
    check_image,
    check_job,
    check_results,
    job_cursor,
)
from imgsvc.jobstore._receipts import Answer, Receipt
from imgsvc.jobstore.memory.batch_calls import BatchCalls
from imgsvc.jobstore.memory.housekeeping import Housekeeping
from imgsvc.jobstore.memory.pictures import Pictures
from imgsvc.jobstore.memory.receipts import Receipts


class MemoryStore(BatchCalls, Housekeeping):
    """See `jobstore.JobStore`."""

    lasts = False

    def __init__(self) -> None:
        super().__init__()
        self._held_jobs: dict[str, Job] = {}
        self._ranks: dict[str, int] = {}  # of the jobs that have not ended
        self._pictures = Pictures()
        self._receipts = Receipts()
        self._removed: dict[str, int] = {}
        self._made_results: dict[str, None] = {}  # jobs, in the order of their ends
        self._paused = False
        self._open = self._made = False
        #: What a rehearsal's end brings back.
        self._before: dict[str, Any] | None = None

    def __repr__(self) -> str:
        return f"<MemoryStore {len(self._ranks)} to do of {len(self._held_jobs)} jobs>"

    async def open(self, *, create: bool = True, rehearsal: bool = False) -> None:
        """See `JobStore.open`."""
        if not create and not self._made:
            raise StorageUnavailable("there is no record of jobs in memory yet")
        self._before = deepcopy(self.__dict__, {id(self): self}) if rehearsal else None
        self._open = self._made = True

    async def close(self) -> None:
        """See `JobStore.close`."""
        if self._before is not None:
            self.__dict__.update(self._before)
        self._open = False

    async def ping(self) -> None:
        """See `JobStore.ping`."""
        self._check_open()

    async def add_image(self, image: Image, *, receipt: Receipt | None = None) -> tuple[Image, bool]:
        """See `JobStore.add_image`."""
        self._check_open()
        check_image(image)
        self._receipts.check(receipt)
        self._receipts.keep(receipt, image.id)
        return self._pictures.keep(image)

    async def image(self, id: str) -> Image | None:
        """See `JobStore.image`."""
        self._check_open()
        return self._pictures.find(id)

    async def images(self, *, limit: int, cursor: str | None = None) -> ImagePage:
        """See `JobStore.images`."""
        self._check_open()
        return self._pictures.page(limit, cursor)

    async def delete_image(self, id: str, now: int) -> str | None:
        """See `JobStore.delete_image`."""
        if users := sum(job.image.id == id for job in self._to_do()):
            raise ImageInUse(f"{users} queued or running jobs need this image")
        return self._pictures.remove(id, now)

    async def add(self, job: Job, *, rank: int, stored: bool = False, receipt: Receipt | None = None) -> Job:
        """See `JobStore.add`."""
        check_job(job)
        if job.id in self._jobs:
            raise ValueError(f"{job.id} is there already")
        if job.retry_of is None and (first := self._join(job)):
            return first
        self._receipts.check(receipt)
        if not stored:
            self._pictures.bring(job.image)
        elif self._pictures.find(job.image.id) is None:
            raise NotFound(f"there is no image {job.image.id}")
        self._receipts.keep(receipt, job.id)
        job, place = (job, None) if job.retry_of is None else self._taken_over(job)
        self._jobs[job.id] = job
        self._ranks[job.id] = rank
        self._joined(job, place)
        return self._shown(job)

    async def add_failed(self, job: Job) -> Job:
        """See `JobStore.add_failed`."""
        check_failed(job)
        if first := self._join(job):
            return first
        self._pictures.mention(job.image)
        self._jobs[job.id] = job
        self._joined(job)
        return self._shown(job)

    async def get(self, id: str) -> Job | None:
        """See `JobStore.get`."""
        job = self._jobs.get(id)
        if id in self._removed:
            raise ResultExpired("the job and its results have been removed or have expired")
        return job and self._shown(job)

    async def list(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        states: Sequence[State] = (),
        batch: str | None = None,
        reference: str | None = None,
    ) -> Page:
        """See `JobStore.list`."""
        before = job_cursor(cursor)
        wanted = [
            job
            for job in sorted(self._jobs.values(), key=lambda job: job.id, reverse=True)
            if job.id < before
            and (not states or job.state in states)
            and batch in {None, job.batch}
            and reference in {None, job.reference}
        ]
        found = tuple(self._shown(job) for job in wanted[:limit])
        return Page(found, found[-1].id if len(wanted) > limit else None)

    async def claim(self, now: int, *, lane: int) -> Job | None:
        """See `JobStore.claim`."""
        ready = (job for job in self._queued() if job.not_before is None or job.not_before <= now)
        job = min(ready, key=self._place, default=None)
        if job is None:
            return None
        attempt = Attempt(attempt=job.attempts + 1, started_at=now, lane=lane)
        return self._put(
            job.evolve(
                state=State.RUNNING,
                attempts=attempt.attempt,
                started_at=now,
                not_before=None,
                history=(*job.history, attempt),
            )
        )

    async def settle(self, id: str, attempt: int, ending: Ending) -> Job | None:
        """See `JobStore.settle`."""
        check_results(id, ending.results)
        job = self._jobs.get(id)
        if job is None or job.state is not State.RUNNING or job.attempts != attempt:
            return None
        if ending.state not in TRANSITIONS[job.state]:
            return None
        job = _closed(job, ending.at, ending.outcome)
        job = job.evolve(drained=job.drained + ending.drained, lost=job.lost + ending.lost)
        if ending.state is State.QUEUED:
            return self._put(_requeued(job).evolve(not_before=ending.not_before))
        given = {name: value for name, value in ending.timings if value is not None and value != ()}
        return self._put(
            _ended(job, ending.state, ending.at).evolve(
                results=ending.results,
                error=ending.error,
                warnings=ending.warnings,
                timings=job.timings.model_copy(update=given),
            )
        )

    async def queued_with(self, image: str, *, after: str, limit: int) -> Sequence[Job]:
        """See `JobStore.queued_with`."""
        found = [job for job in self._queued() if job.image.id == image and job.id > after]
        return [self._shown(job) for job in sorted(found, key=lambda job: job.id)[:limit]]

    async def fail(self, id: str, error: Problem, now: int) -> Job | None:
        """See `JobStore.fail`."""
        job = self._jobs.get(id)
        if job is None or job.state is not State.QUEUED:
            return None
        return self._put(_ended(job, State.FAILED, now).evolve(error=error))

    async def cancel(self, id: str, now: int) -> Job | None:
        """See `JobStore.cancel`."""
        job = await self.get(id)
        if job is None or job.state.ended:
            return job
        if job.state is State.RUNNING:
            job = _closed(job, now, "canceled")
        return self._put(_ended(job, State.CANCELED, now))

    async def cancel_queued(self, now: int, *, batch: str | None = None) -> Sequence[Job]:
        """See `JobStore.cancel_queued`."""
        chosen = sorted(self._queued(), key=lambda job: job.id)
        return [self._put(_ended(job, State.CANCELED, now)) for job in chosen if batch in {None, job.batch}]

    async def delete(self, id: str, now: int) -> Job | None:
        """See `JobStore.delete`."""
        if id in self._jobs:
            return self._drop(id, now)
        if id in self._removed:
            return None
        raise NotFound(f"there is no job {id}")

    async def recover(self, now: int, *, max_lost: int) -> Sequence[Job]:
        """See `JobStore.recover`."""
        error = WorkerCrashed("the server died too often while this job ran").problem
        recovered = []
        for job in [job for job in self._to_do() if job.state is State.RUNNING]:
            lost = _closed(job, now, "lost").evolve(lost=job.lost + 1)
            if lost.lost > max_lost:
                recovered.append(self._put(_ended(lost, State.FAILED, now).evolve(error=error)))
            else:
                recovered.append(self._put(_requeued(lost)))
        return sorted(recovered, key=lambda job: job.id)

    async def position(self, id: str) -> int | None:
        """See `JobStore.position`."""
        return (await self.positions([id])).get(id)

    async def positions(self, ids: Sequence[str]) -> Mapping[str, int]:
        """See `JobStore.positions`."""
        line = sorted(self._place(job) for job in self._queued())
        jobs = map(self._jobs.get, ids)
        queued = [job for job in jobs if job is not None and job.state is State.QUEUED]
        return {job.id: bisect_left(line, self._place(job)) + 1 for job in queued}

    async def depths(self) -> Mapping[Priority, int]:
        """See `JobStore.depths`."""
        waiting = Counter(job.priority for job in self._queued())
        return {priority: waiting[priority] for priority in Priority}

    async def backlog(self) -> Backlog:
        """See `JobStore.backlog`."""
        to_do = self._to_do()
        queued = [job for job in to_do if job.state is State.QUEUED]
        oldest = min(queued, key=lambda job: job.id, default=None)
        return Backlog(
            queued=len(queued),
            running=len(to_do) - len(queued),
            bytes=sum({job.image.id: job.image.bytes for job in to_do}.values()),
            oldest=oldest.created_at if oldest else None,
        )

    async def counts(self) -> Mapping[State, int]:
        """See `JobStore.counts`."""
        found = dict.fromkeys(State, 0)
        for job in self._jobs.values():
            found[job.state] += 1
        return found

    async def last_ranks(self) -> Mapping[Priority, int]:
        """See `JobStore.last_ranks`."""
        ordered = sorted(self._queued(), key=self._place)
        return {job.priority: self._ranks[job.id] for job in ordered}

    async def hasten(self, latest: int) -> None:
        """See `JobStore.hasten`."""
        for job in self._queued():
            if job.not_before is not None and job.not_before > latest:
                self._put(job.evolve(not_before=None))

    async def next_start(self, now: int = 0) -> int | None:
        """See `JobStore.next_start`."""
        starts = (job.not_before for job in self._queued() if job.not_before is not None)
        return min((start for start in starts if start > now), default=None)

    async def receipt(self, key: str, now: int) -> Receipt | None:
        """See `JobStore.receipt`."""
        self._check_open()
        return self._receipts.find(key, now)

    async def answered(self, receipt: Receipt, answer: Answer) -> bool:
        """See `JobStore.answered`."""
        self._check_open()
        check_answer(answer)
        return self._receipts.answered(receipt, answer)

    async def paused(self) -> bool:
        """See `JobStore.paused`."""
        self._check_open()
        return self._paused

    async def set_paused(self, paused: bool) -> None:
        """See `JobStore.set_paused`."""
        self._check_open()
        self._paused = paused

    @property
    def _jobs(self) -> dict[str, Job]:
        self._check_open()
        return self._held_jobs

    def _check_open(self) -> None:
        if not self._open:
            raise StorageUnavailable("the job store is closed")

    def _to_do(self) -> Sequence[Job]:
        return [self._jobs[its] for its in self._ranks]

    def _queued(self) -> Sequence[Job]:
        return [job for job in self._to_do() if job.state is State.QUEUED]

    def _place(self, job: Job) -> tuple[int, str]:
        return self._ranks[job.id], job.id

    def _change(self, id: str, **changes: object) -> None:
        self._jobs[id] = self._jobs[id].evolve(**changes)

    def _recorded(self, id: str) -> Job:
        return self._shown(self._jobs[id])

    def _shown(self, job: Job) -> Job:
        return job.evolve(image=self._pictures.shown(job.image.id))

    def _put(self, job: Job) -> Job:
        self._jobs[job.id] = job
        if job.state.ended:
            self._ranks.pop(job.id, None)
        if any(result.bytes for result in job.results):
            self._made_results[job.id] = None
        return self._shown(job)

    def _drop(self, id: str, now: int) -> Job:
        job = self._shown(self._jobs.pop(id))
        self._ranks.pop(id, None)
        self._made_results.pop(id, None)
        self._removed[id] = now
        self._left(job)
        return job


def _closed(job: Job, at: int, outcome: str) -> Job:
    """The job with its last attempt told to its end."""
    last = job.history[-1].model_copy(update={"ended_at": at, "outcome": outcome})
    return job.evolve(history=(*job.history[:-1], last))


def _requeued(job: Job) -> Job:
    return job.evolve(state=State.QUEUED, started_at=None)


def _ended(job: Job, state: State, at: int) -> Job:
    expires_at = at + int(job.retention_s * 1000)
    return job.evolve(state=state, not_before=None, finished_at=at, expires_at=expires_at)
