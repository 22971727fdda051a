"""All jobs of a batch are canceled or removed, to the end."""

from __future__ import annotations

import pytest

from imgsvc import jobstore
from imgsvc.batches import Batch, BatchStatus
from imgsvc.errors import NotFound, ResultExpired
from imgsvc.jobs import State
from imgsvc.jobstore import JobStore
from imgsvc.scheduler.clock import now
from tests.records import a_batch
from tests.unit.scheduler.bench import bench, until, until_async

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store() -> JobStore:
    store = jobstore.connect("memory:")
    await store.open()
    return store


async def opened(store: JobStore) -> Batch:
    batch = a_batch(at=now())
    await store.add_batch(batch)
    return batch


async def test_canceling_a_batch_kills_what_runs_and_cancels_what_waits(store: JobStore) -> None:
    batch = await opened(store)
    async with bench(store=store) as it:
        jobs = [await it.submit(batch=batch.id) for _ in range(3)]
        other = await it.submit()
        lane = await it.started(1)
        canceled = await it.scheduler.cancel_batch(batch.id)
        assert canceled is not None
        assert (canceled.status, canceled.counts.canceled) == (BatchStatus.CANCELED, 3)
        await until(lambda: lane.canceled)
        for job in jobs:
            assert await it.state(job) is State.CANCELED
        assert {heard.id for heard in it.ear.jobs} == {job.id for job in jobs}
        await it.became(other, State.RUNNING)
        assert await it.scheduler.cancel_batch("bat_" + "0" * 32) is None


async def test_removing_a_batch_kills_what_runs_and_removes_all(store: JobStore) -> None:
    batch = await opened(store)
    async with bench(store=store) as it:
        done, running, waiting = [await it.submit(batch=batch.id) for _ in range(3)]
        (await it.started(1)).succeed()
        await it.became(done, State.SUCCEEDED)
        lane = await it.started(2)
        await it.scheduler.remove_batch(batch.id)
        await until(lambda: lane.canceled)
        for job in (done, running, waiting):
            with pytest.raises(ResultExpired):
                await store.get(job.id)
        assert await store.images(limit=10) == jobstore.ImagePage((), None)
        await it.scheduler.remove_batch(batch.id)
        with pytest.raises(NotFound):
            await it.scheduler.remove_batch("bat_" + "0" * 32)


@pytest.mark.parametrize("removed", [True, False])
async def test_the_next_server_does_what_the_last_one_had_begun(
    store: JobStore, removed: bool
) -> None:  # a case
    batch = await opened(store)
    async with bench(store=store) as it:
        await it.scheduler.pause(paused=True)
        jobs = [await it.submit(batch=batch.id) for _ in range(3)]
    await store.open()
    await (store.remove_batch if removed else store.cancel_batch)(batch.id, now())
    async with bench(store=store):

        async def over() -> bool:
            return not await store.interrupted_batches()

        await until_async(over)
        if removed:
            with pytest.raises(ResultExpired):
                await store.get(jobs[0].id)
        else:
            found = await store.batch(batch.id)
            assert found is not None
            assert found.counts.canceled == 3
