"""How jobs leave every job store, and are lost and found."""

from __future__ import annotations

import asyncio

import pytest

from imgsvc.errors import NotFound, ResultExpired
from imgsvc.jobs import State, new_id
from imgsvc.jobstore import JobStore, Page
from tests.contracts.jobstore.asking import in_state, there
from tests.records import (
    DAY,
    MINUTE,
    NOW,
    a_job,
    a_problem,
    an_image,
    success,
)

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("state", State)
async def test_a_removed_job_is_given_back_as_it_was_and_remembered(store: JobStore, state: State) -> None:
    job = await in_state(store, state)
    assert await store.delete(job.id, NOW) == job
    assert await store.delete(job.id, NOW) is None
    for asked in (store.get(job.id), store.cancel(job.id, NOW)):
        with pytest.raises(ResultExpired):
            await asked
    assert await store.list(limit=10) == Page((), None)
    assert await store.counts() == dict.fromkeys(State, 0)
    assert await store.claim(NOW, lane=1) is None
    assert await store.settle(job.id, job.attempts, success(job)) is None
    assert await store.fail(job.id, a_problem(), NOW) is None
    assert await store.position(job.id) is None


async def test_a_job_that_never_was_is_not_found(store: JobStore) -> None:
    assert await store.get(new_id("job")) is None
    with pytest.raises(NotFound):
        await store.delete(new_id("job"), NOW)


async def test_a_removal_is_remembered_for_thirty_days(store: JobStore) -> None:
    early, late = [await store.add(a_job(), rank=0) for _ in range(2)]
    await store.delete(early.id, NOW)
    await store.delete(late.id, NOW + DAY)
    await store.forget(NOW + 30 * DAY)
    with pytest.raises(ResultExpired):
        await store.get(early.id)
    await store.forget(NOW + 30 * DAY + 1)
    assert await store.get(early.id) is None
    assert await store.cancel(early.id, NOW) is None
    with pytest.raises(NotFound):
        await store.delete(early.id, NOW)
    assert await store.delete(late.id, NOW) is None


async def test_thousands_of_removals_are_forgotten(store: JobStore) -> None:
    jobs = await asyncio.gather(*[store.add(a_job(), rank=0) for _ in range(500)])
    await asyncio.gather(*[store.delete(job.id, NOW) for job in jobs])
    await store.forget(NOW + 31 * DAY)
    assert {await store.get(job.id) for job in jobs} == {None}


async def test_the_next_expiry_is_that_of_the_job_or_image_whose_time_is_up_first(store: JobStore) -> None:
    assert await store.next_expiry() is None
    await in_state(store, State.QUEUED)
    await store.add_image(an_image())
    assert await store.next_expiry() is None
    await store.add_image(an_image(expires_at=NOW + 400 * DAY))
    assert await store.next_expiry() == NOW + 400 * DAY
    ended = await in_state(store, State.FAILED)
    assert await store.next_expiry() == ended.expires_at
    await store.expire(NOW + 300 * DAY, limit=10)
    assert await store.next_expiry() == NOW + 400 * DAY
    await store.unneeded_images(NOW + 400 * DAY, limit=10)
    assert await store.next_expiry() is None


async def test_ended_jobs_expire_oldest_end_first_and_no_others(store: JobStore) -> None:
    ends = {}
    for minutes in (5, 1, 3):
        job = there(await store.cancel((await store.add(a_job(retention_s=minutes * 60), rank=0)).id, NOW))
        ends[minutes] = job
    waiting = await store.add(a_job(retention_s=0.001), rank=1)
    running = await store.add(a_job(retention_s=0.001), rank=0)
    assert there(await store.claim(NOW, lane=1)).id == running.id
    assert len(await store.expire(NOW + MINUTE - 1, limit=10)) == 0
    assert list(await store.expire(NOW + 10 * MINUTE, limit=2)) == [ends[1], ends[3]]
    assert list(await store.expire(NOW + 10 * MINUTE, limit=2)) == [ends[5]]
    assert len(await store.expire(NOW + 400 * DAY, limit=10)) == 0
    assert await store.get(waiting.id) == waiting
    with pytest.raises(ResultExpired):
        await store.get(ends[1].id)
    await store.forget(NOW + 31 * DAY)
    assert await store.get(ends[1].id) is None


async def test_a_fraction_of_a_second_is_kept_in_a_retention(store: JobStore) -> None:
    job = await store.add(a_job(retention_s=1.5), rank=0)
    assert there(await store.cancel(job.id, NOW)).expires_at == NOW + 1500


async def test_running_jobs_were_lost_with_the_server(store: JobStore) -> None:
    done = await in_state(store, State.SUCCEEDED)
    lost = await in_state(store, State.RUNNING)
    waiting = await in_state(store, State.QUEUED)
    (recovered,) = await store.recover(NOW + 9, max_lost=5)
    assert recovered == await store.get(lost.id)
    assert (recovered.state, recovered.attempts, recovered.lost) == (State.QUEUED, 1, 1)
    assert recovered.started_at is None
    assert (recovered.history[0].ended_at, recovered.history[0].outcome) == (NOW + 9, "lost")
    assert await store.get(done.id) == done
    assert await store.get(waiting.id) == waiting
    assert len(await store.recover(NOW + 9, max_lost=5)) == 0
    assert await store.settle(lost.id, 1, success(lost)) is None


async def test_a_job_that_was_lost_too_often_fails(store: JobStore) -> None:
    job = await store.add(a_job(), rank=0)
    for times in (1, 2):
        await store.claim(NOW, lane=1)
        (recovered,) = await store.recover(NOW, max_lost=2)
        assert (recovered.state, recovered.lost) == (State.QUEUED, times)
    await store.claim(NOW, lane=1)
    (failed,) = await store.recover(NOW + 1, max_lost=2)
    assert failed == await store.get(job.id)
    assert (failed.state, failed.lost, failed.attempts) == (State.FAILED, 3, 3)
    assert failed.error
    assert failed.error.code == "worker-crashed"
    assert failed.finished_at == NOW + 1
    assert failed.expires_at
    assert [attempt.outcome for attempt in failed.history] == ["lost", "lost", "lost"]
