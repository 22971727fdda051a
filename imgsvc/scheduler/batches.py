"""What is done to all jobs of a batch: canceled or removed, step by step, to the end over restarts."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from imgsvc.batches import Batch, BatchStatus
from imgsvc.errors import Unavailable
from imgsvc.jobs import State
from imgsvc.jobstore import JobStore, Receipt
from imgsvc.scheduler.clock import Clock
from imgsvc.scheduler.starts import Starts
from imgsvc.scheduler.waiters import Waiters

_log = logging.getLogger(__name__)

#: Jobs at a time: others are served between two steps.
_SOME = 200


@dataclass(frozen=True)
class Batches:
    """The batch is marked first: nothing joins it any more, and what a dying server left undone is known."""

    store: JobStore
    starts: Starts
    waiters: Waiters
    clock: Clock

    async def close(self, id: str, receipt: Receipt | None) -> Batch | None:
        """As `JobStore.close_batch`."""
        batch = await self.store.close_batch(id, self.clock(), receipt=receipt)
        self.waiters.changed(id)
        return batch

    async def cancel(self, id: str) -> Batch | None:
        """As `JobStore.cancel_batch`, its jobs too: the running ones are killed."""
        batch = await self.store.cancel_batch(id, self.clock())
        # A job that is tried again goes from running to queued meanwhile: look until there is none.
        while batch is not None and batch.status is BatchStatus.CANCELED and batch.counts.unfinished:
            await self.starts.cancel_queued(id)
            running = await self.store.list(limit=_SOME, batch=id, states=[State.RUNNING])
            for job in running.items:
                await self.starts.cancel(job.id)
            batch = await self.store.batch(id)
        self.waiters.changed(id)
        return batch

    async def remove(self, id: str) -> None:
        """Remove a batch and its jobs. Raises NotFound for an id that never was."""
        await self.store.remove_batch(id, self.clock())
        self.waiters.changed(id)
        await self._remove_members(id)

    async def resume(self) -> None:
        """Do what the last server had begun."""
        try:
            for its, removed in await self.store.interrupted_batches():
                await (self._remove_members(its) if removed else self.cancel(its))
        except Unavailable as error:
            _log.warning("a batch could not be canceled or removed to its end: %s", error)

    async def _remove_members(self, id: str) -> None:
        at = self.clock()
        while jobs := await self.store.delete_members(id, at, limit=_SOME):
            await self.starts.removed(jobs, at)
