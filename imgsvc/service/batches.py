"""The use cases of batches: opened, filled, closed, canceled, fetched as one, removed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiofiles.base import wrap

from imgsvc.batches import Batch, BatchStatus, Failure
from imgsvc.errors import JobCanceled, JobNotFinished, NotFound, ResultExpired
from imgsvc.jobs import Job, Priority, new_id
from imgsvc.jobstore import BatchPage, JobStore, Receipt
from imgsvc.scheduler import Clock, Policy, Scheduler
from imgsvc.service.intake import Arrived
from imgsvc.service.requests import BatchRequest, JobRequest
from imgsvc.service.room import Place, Room
from imgsvc.service.submissions import Submissions

#: Seconds between two looks at a batch that someone waits for.
_TOGETHER_S = 0.1
#: Jobs that are looked up at a time while their results are fetched.
_SOME = 100


@dataclass(frozen=True, kw_only=True)
class Batches:
    """Raises NotFound for an unknown batch, ResultExpired for one that was removed or has expired."""

    store: JobStore
    scheduler: Scheduler
    submissions: Submissions
    room: Room
    policy: Policy
    clock: Clock

    async def open(self, request: BatchRequest, receipt: Receipt | None = None) -> Batch:
        """A new batch without jobs, which jobs may join."""
        policy, now = self.policy, self.clock()
        retention_s = policy.retention_s if request.retention_s is None else request.retention_s
        batch = Batch(
            id=new_id("bat"),
            name=request.name,
            priority=request.priority or Priority.NORMAL,
            retention_s=retention_s,
            limit=policy.batch_jobs,
            created_at=now,
            expires_at=now + int(retention_s * 1000),
        )
        await self.store.add_batch(batch, receipt=receipt)
        self.scheduler.sweeper.expect(batch.expires_at)
        return batch

    async def fill(
        self,
        request: BatchRequest,
        wish: JobRequest,
        files: Sequence[Arrived],
        place: Place | None = None,
        receipt: Receipt | None = None,
    ) -> Batch:
        """A batch of these files, closed: opened, filled and closed to the end, whoever stops waiting.

        The receipt is kept when all is done: of a server that dies before, only an open batch is left.
        A file that is no picture to work on becomes a job that has failed. Raises QueueFull when there is
        not room for all of them; whatever goes wrong half-way, the batch is removed.
        """
        for file in files:
            file.let_go()
        return await self.scheduler.crew.finish(self._fill(request, wish, files, place, receipt))

    async def get(self, id: str) -> Batch:
        """A batch as it is now."""
        return _found(await self.store.batch(id))

    async def wait(self, id: str, seconds: float) -> Batch:
        """A batch, as soon as it has ended or `seconds` are over, whichever comes first.

        Returns early when the service is shutting down.
        """
        until = time.monotonic() + seconds
        while True:
            with self.scheduler.watch(id) as changed:
                batch = await self.get(id)
                left = until - time.monotonic()
                if self._over(batch) or left <= 0 or self.scheduler.draining:
                    return batch
                await asyncio.wait({changed}, timeout=left)
            # Jobs may end by the hundred each second: look at some of these ends together.
            await asyncio.sleep(min(_TOGETHER_S, max(0.0, until - time.monotonic())))

    async def list(self, *, limit: int, cursor: str | None = None) -> BatchPage:
        """Batches, newest first. Raises InvalidParameter for a cursor that is not ours."""
        return await self.store.batches(limit=limit, cursor=cursor)

    async def failures(self, batch: Batch, *, limit: int) -> Sequence[Failure]:
        """The first failed jobs of a batch."""
        return await self.store.batch_failures(batch.id, limit=limit) if batch.counts.failed else ()

    async def welcome(self, id: str, reference: str | None) -> Job | None:
        """May a job join? None; or the job that has its reference already. As `Submissions.upload`."""
        _, first = await self.submissions.welcome(id, reference)
        return first

    async def close(self, id: str) -> Batch:
        """Let no job join any more."""
        return _found(await self.scheduler.close_batch(id))

    async def cancel(self, id: str) -> Batch:
        """Close a batch and cancel its jobs; one that has ended stays as it is."""
        return _found(await self.scheduler.cancel_batch(id))

    async def delete(self, id: str) -> None:
        """Remove a batch and its jobs, canceling them first. Raises NotFound for an id that never was."""
        await self.scheduler.remove_batch(id)

    def left_s(self, batch: Batch) -> float:
        """A guess at the seconds until what it has now is done."""
        return self.scheduler.estimate(batch.counts.unfinished) / 1000 if batch.counts.unfinished else 0.0

    async def ended(self, id: str, *, wait: float = 0) -> Batch:
        """A batch whose results can be fetched, waiting for its end up to `wait` seconds.

        Raises JobNotFinished before its end, JobCanceled where it was canceled before anything was made.
        """
        batch = await self.wait(id, wait)
        if not self._over(batch):
            more = "; close it when all of its jobs have joined" if batch.status is BatchStatus.OPEN else ""
            counts = f"{batch.counts.unfinished} of {batch.counts.total} jobs have not ended"
            raise JobNotFinished(
                f"the batch is {batch.status}{more}: {counts}", retry_after=self.scheduler.retry_after()
            )
        if batch.status is BatchStatus.CANCELED and not batch.counts.succeeded:
            raise JobCanceled("the batch was canceled before it had a result")
        return batch

    async def results(self, batch: Batch) -> AsyncIterator[tuple[int, Job]]:
        """The succeeded jobs of an ended batch in the order in which they joined, each with its place.

        They make no room for others meanwhile. Raises ResultExpired when some of them have gone all the same.
        """
        place, left = 0, batch.counts.succeeded
        with self.scheduler.sweeper.fetched.hold([batch.id]):
            while some := await self.store.batch_results(batch.id, after=place, limit=_SOME):
                for place, job in some:  # where the next look begins
                    left -= 1
                    yield place, job
        if left > 0:
            raise ResultExpired("some results of the batch have been removed while they were fetched")

    @staticmethod
    def _over(batch: Batch) -> bool:
        """Has it ended, and all that it had to do?"""
        return batch.status.ended and not batch.counts.unfinished

    async def _fill(
        self,
        request: BatchRequest,
        wish: JobRequest,
        files: Sequence[Arrived],
        place: Place | None,
        receipt: Receipt | None,
    ) -> Batch:
        try:
            staged = sum(file.staged.bytes for file in files if file.staged)
            async with self.room.adding(staged, place, jobs=len(files)):
                batch = await self.open(request)
                try:
                    for file in files:
                        await self.submissions.member(batch, wish, file)
                    return _found(await self.scheduler.close_batch(batch.id, receipt))
                except BaseException:
                    await self.scheduler.remove_batch(batch.id)
                    raise
        finally:
            await _remove([file.staged.path for file in files if file.staged is not None])


def _found(batch: Batch | None) -> Batch:
    if batch is None:
        raise NotFound("there is no such batch")
    return batch


@wrap
def _remove(paths: Sequence[Path]) -> None:
    """Remove what was not adopted."""
    for path in paths:
        path.unlink(missing_ok=True)
