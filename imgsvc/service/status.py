"""What an operator sees: readiness, numbers, workers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from imgsvc.dispatch import Dispatcher, LaneState
from imgsvc.errors import ImgsvcError
from imgsvc.jobstore import JobStore
from imgsvc.scheduler import Clock, Policy, Scheduler
from imgsvc.service.renders import Renders
from imgsvc.service.requests import QueueStats, Readiness, Stats, UploadStats, Workers
from imgsvc.service.slots import Slots
from imgsvc.service.sources import Sources
from imgsvc.storage import Storage

#: Seconds that the store may take to answer before it counts as down.
_PATIENCE_S = 2.0
#: Batches that are named as those with most queued jobs.
_TOP = 5


@dataclass(frozen=True, kw_only=True)
class Status:
    """Looks, never changes."""

    store: JobStore
    storage: Storage
    dispatcher: Dispatcher
    scheduler: Scheduler
    policy: Policy
    slots: Slots
    renders: Renders
    sources: Sources
    clock: Clock
    #: A file that is there for as long as the data directory is; None: there is no such directory.
    anchor: Path | None = None
    #: What is not well for as long as this server runs, such as test operations that exist.
    remarks: Sequence[str] = ()
    since: float = field(default_factory=time.monotonic)

    async def readiness(self) -> Readiness:
        """Not ready while draining, without a store or without a lane; a full queue only degrades."""
        reasons: list[str] = []
        degraded = list(self.remarks)
        if self.scheduler.draining:
            reasons.append("draining")
        if all(lane.state in {LaneState.STARTING, LaneState.STOPPED} for lane in self.dispatcher.lanes()):
            reasons.append("no worker is up")
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self.store.ping()
                backlog = await self.store.backlog()
        except (ImgsvcError, TimeoutError):
            reasons.append("the job database can't be used")
        else:
            if backlog.queued >= self.policy.queue_limit or backlog.bytes >= self.policy.queue_bytes:
                degraded.append("the queue is full")
        if self.scheduler.paused:
            degraded.append("the queue is paused")
        if self.anchor is not None and not await asyncio.to_thread(self.anchor.exists):
            reasons.append("the data directory is gone")
        free = await asyncio.to_thread(self.storage.free_bytes)
        if free is not None and free < self.policy.disk_reserve:
            degraded.append("the disk is nearly full")
        if not await self.sources.readable():
            degraded.append("the folder of sources can't be read")
        return Readiness(ok=not reasons, reasons=tuple(reasons), degraded=tuple(degraded))

    async def stats(self) -> Stats:
        """The service in numbers."""
        backlog = await self.store.backlog()
        age = None if backlog.oldest is None else max(0, self.clock() - backlog.oldest)
        return Stats(
            queue=QueueStats(
                backlog=backlog,
                depths=await self.store.depths(),
                top_batches=await self.store.top_batches(limit=_TOP),
                oldest_age_ms=age,
                paused=self.scheduler.paused,
            ),
            uploads=UploadStats(self.slots.taken, self.slots.waiting, self.slots.limit),
            jobs=await self.store.counts(),
            stored=await self.store.stored(),
            result_limit=self.policy.result_bytes,
            free_bytes=await asyncio.to_thread(self.storage.free_bytes),
            reserve_bytes=self.policy.disk_reserve,
            renders=self.renders.stats(),
            masters=self.renders.masters.stats(),
            uptime_s=round(time.monotonic() - self.since, 3),
        )

    def workers(self) -> Workers:
        """Lanes with the jobs that they run, and the desk."""
        running = self.scheduler.running()
        # A lane may have lost its process a moment before its job hears of it.
        lanes = tuple(
            (lane, running.get(lane.lane) if lane.state is LaneState.BUSY else None)
            for lane in self.dispatcher.lanes()
        )
        held = tuple(self.scheduler.quarantine.held())
        return Workers(lanes=lanes, desk=self.dispatcher.desk(), quarantine=held)
