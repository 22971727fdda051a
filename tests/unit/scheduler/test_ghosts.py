"""A start that does not count any more may still write and report: nothing comes of it."""

from __future__ import annotations

import pytest

from imgsvc.jobs import State, result_key
from imgsvc.jobstore import Ending
from imgsvc.scheduler import Policy
from tests.records import results
from tests.unit.scheduler.bench import bench, until
from tests.unit.scheduler.parts import crash

pytestmark = pytest.mark.anyio

AT_ONCE = Policy(retry_base_s=0)


async def test_what_an_earlier_start_reports_late_changes_nothing() -> None:
    async with bench(policy=AT_ONCE) as it:
        job = await it.submit()
        (await it.started(1)).end(crash())
        lane = await it.started(2)
        running = await it.became(job, State.RUNNING)
        ghost = running.evolve(attempts=1)
        late = Ending(State.SUCCEEDED, "succeeded", running.created_at, results=results(ghost))
        assert await it.store.settle(job.id, 1, late) is None
        assert await it.store.get(job.id) == running
        lane.succeed()
        done = await it.became(job, State.SUCCEEDED)
        assert [result.key for result in done.results] == [result_key(job.id, 2, 0)]
        assert await it.store.settle(job.id, 1, late) is None
        assert await it.store.get(job.id) == done


async def test_what_an_earlier_start_writes_late_harms_no_result_and_is_swept() -> None:
    async with bench(policy=AT_ONCE) as it:
        job = await it.submit()
        first = await it.started(1)
        assert first.task is not None
        stale = first.task.targets[0].key
        first.end(crash())
        second = await it.started(2)
        assert second.task is not None
        good = second.task.targets[0].key
        it.storage.put(good, b"good")
        it.storage.put(stale, b"late")
        second.succeed()
        await it.became(job, State.SUCCEEDED)
        await until(lambda: it.lanes.idle == 1)
        await it.scheduler.sweeper.strays()
        assert list(it.storage.keys("results")) == [good]
        assert it.storage.read(good) == b"good"
