"""A scheduler on a memory store and lanes in the hands of the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from imgsvc import jobstore, storage
from imgsvc.imaging.limits import Limits
from imgsvc.jobs import Job, State
from imgsvc.jobstore import JobStore
from imgsvc.scheduler import Clock, Policy, Scheduler, now
from imgsvc.storage import Storage
from imgsvc.worker import Report
from tests.unit.scheduler import parts
from tests.unit.scheduler.parts import HandLanes, HandSlot


@dataclass
class Ear:
    """An observer that remembers."""

    jobs: list[Job] = field(default_factory=list)
    calls: list[tuple[Report, Mapping[str, str], int]] = field(default_factory=list)
    spare: list[tuple[Report, Mapping[str, str]]] = field(default_factory=list)

    def job_ended(self, job: Job) -> None:
        self.jobs.append(job)

    def call_ended(self, report: Report, specs: Mapping[str, str], bytes_in: int) -> None:
        self.calls.append((report, specs, bytes_in))

    def spare_ended(self, report: Report, specs: Mapping[str, str]) -> None:
        self.spare.append((report, specs))


@dataclass
class Bench:
    """Everything around one scheduler."""

    store: JobStore
    storage: Storage
    lanes: HandLanes
    scheduler: Scheduler
    ear: Ear

    async def submit(self, **changes: object) -> Job:
        return await parts.submit(self.store, self.scheduler, **changes)

    async def started(self, count: int) -> HandSlot:
        """The lane of the start number `count`, as soon as there have been so many."""
        await until(lambda: len(self.lanes.started) >= count)
        return self.lanes.started[count - 1]

    async def state(self, job: Job) -> State:
        found = await self.store.get(job.id)
        assert found is not None
        return found.state

    async def became(self, job: Job, state: State) -> Job:
        async def check() -> bool:
            return await self.state(job) is state

        await until_async(check)
        found = await self.store.get(job.id)
        assert found is not None
        return found


async def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    """Returns when the condition holds; fails when it does not in time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # the condition may be about anything
            await asyncio.sleep(0.001)


async def until_async(condition: Callable[[], Awaitable[bool]], seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110  # the condition may be about anything
            await asyncio.sleep(0.001)


@asynccontextmanager
async def bench(
    lanes: int = 1,
    store: JobStore | None = None,
    policy: Policy | None = None,
    grace: float = 0,
    clock: Clock = now,
) -> AsyncIterator[Bench]:
    """A started scheduler; stopped at the end."""
    used = store or jobstore.connect("memory:")
    await used.open()
    blobs = storage.connect(f"memory:{id(used)}")
    hand = HandLanes(lanes)
    ear = Ear()
    scheduler = Scheduler(
        used,
        hand,
        blobs,
        limits=Limits(),
        policy=policy or Policy(),
        observers=[ear],
        boot="now",
        clock=clock,
    )
    await scheduler.start()
    try:
        yield Bench(used, blobs, hand, scheduler, ear)
    finally:
        await scheduler.stop(grace)
        await used.close()
