"""A store that fails is asked again, never in a busy loop, and loses nothing."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from imgsvc.errors import StorageBusy, StorageUnavailable
from imgsvc.jobs import Job, State
from imgsvc.jobstore import Backlog, Ending
from imgsvc.jobstore.memory.store import MemoryStore
from imgsvc.worker import Outcome
from tests.unit.scheduler.bench import bench, until
from tests.unit.scheduler.parts import task

pytestmark = pytest.mark.anyio


class Moody(MemoryStore):
    """A memory store whose calls fail as often as `failures` says, and are counted in `calls`."""

    def __init__(self, **failures: int) -> None:
        super().__init__()
        self.failures = Counter(failures)
        self.calls: Counter[str] = Counter()
        self.error: Exception = StorageBusy("the job database is busy")

    def _may_fail(self, call: str) -> None:
        self.calls[call] += 1
        if self.failures[call] > 0:
            self.failures[call] -= 1
            raise self.error

    async def claim(self, now: int, *, lane: int) -> Job | None:
        self._may_fail("claim")
        return await super().claim(now, lane=lane)

    async def settle(self, id: str, attempt: int, ending: Ending) -> Job | None:
        self._may_fail("settle")
        return await super().settle(id, attempt, ending)

    async def backlog(self) -> Backlog:
        self._may_fail("backlog")
        return await super().backlog()

    async def next_start(self, now: int = 0) -> int | None:
        self._may_fail("next_start")
        return await super().next_start(now)


async def test_a_claim_that_fails_is_made_again() -> None:
    store = Moody(claim=2)
    async with bench(store=store) as it:
        job = await it.submit()
        (await it.started(1)).succeed()
        assert (await it.became(job, State.SUCCEEDED)).attempts == 1
        assert it.lanes.idle == 1


async def test_a_fault_that_is_no_error_of_ours_does_not_end_the_line() -> None:
    store = Moody(claim=1)
    store.error = ZeroDivisionError()
    async with bench(store=store) as it:
        job = await it.submit()
        (await it.started(1)).succeed()
        await it.became(job, State.SUCCEEDED)


async def test_a_store_that_is_down_is_asked_less_and_less_often() -> None:
    store = Moody(claim=1000, backlog=0)
    async with bench(store=store) as it:
        await it.submit()
        await until(lambda: store.calls["claim"] >= 3)
        # 0, then after 0.1 and 0.2 s.
        assert store.calls["claim"] == 3
        store.failures.clear()
        (await it.started(1)).succeed()


async def test_calls_go_on_while_the_store_is_down() -> None:
    store = Moody(claim=1000)
    async with bench(store=store) as it:
        await it.submit()
        await until(lambda: store.calls["claim"] >= 1)
        call = asyncio.create_task(it.scheduler.call(task()))
        (await it.started(1)).end()
        assert (await call).report.outcome is Outcome.SUCCEEDED


async def test_an_end_that_can_not_be_recorded_is_recorded_later() -> None:
    store = Moody(settle=2)
    async with bench(store=store) as it:
        job = await it.submit()
        (await it.started(1)).succeed()
        done = await it.became(job, State.SUCCEEDED)
        assert done.attempts == 1
        assert store.calls["settle"] == 3
        assert len(it.ear.jobs) == 1


async def test_a_lane_is_free_again_while_an_end_waits_for_the_store() -> None:
    store = Moody(settle=1)
    async with bench(store=store) as it:
        first, second = await it.submit(), await it.submit()
        (await it.started(1)).succeed()
        (await it.started(2)).succeed()
        for job in (first, second):
            await it.became(job, State.SUCCEEDED)


async def test_a_stop_does_not_wait_for_a_store_that_is_down_for_good() -> None:
    store = Moody(settle=1000)
    store.error = StorageUnavailable("the job database is away")
    async with bench(store=store) as it:
        job = await it.submit()
        (await it.started(1)).succeed()
        await until(lambda: store.calls["settle"] >= 1)
    await store.open()
    left = await store.get(job.id)
    assert left is not None
    # The next start of the server takes it back.
    assert left.state is State.RUNNING


async def test_a_stop_waits_a_little_for_a_lock_so_that_a_drain_costs_the_job_nothing() -> None:
    store = Moody(settle=3)
    async with bench(store=store) as it:
        job = await it.submit()
        await it.started(1)
    await store.open()
    left = await store.get(job.id)
    assert left is not None
    assert (left.state, left.drained, left.lost) == (State.QUEUED, 1, 0)


async def test_an_idle_scheduler_asks_the_store_for_nothing() -> None:
    store = Moody()
    async with bench(store=store) as it:
        job = await it.submit()
        (await it.started(1)).succeed()
        await it.became(job, State.SUCCEEDED)
        await until(lambda: it.lanes.idle == 1)
        before = store.calls.total()
        with pytest.raises(TimeoutError):
            await until(lambda: store.calls.total() != before, seconds=0.1)
        assert store.calls["claim"] == 1
