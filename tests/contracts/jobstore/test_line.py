"""Who is served next by every job store, and what waits."""

from __future__ import annotations

import asyncio
import random

import pytest

from imgsvc.jobs import Priority, State, new_id
from imgsvc.jobstore import Backlog, JobStore, rank
from tests.contracts.jobstore.asking import in_state, there
from tests.records import (
    NOW,
    a_job,
    a_problem,
    an_image,
    one_more_try,
    success,
)

pytestmark = pytest.mark.anyio


async def test_claims_follow_rank_then_id(store: JobStore) -> None:
    jobs = [a_job() for _ in range(30)]
    ranks = {job.id: random.Random(number).randrange(5) for number, job in enumerate(jobs)}
    for job in random.Random(1).sample(jobs, 30):
        await store.add(job, rank=ranks[job.id])
    claimed = [there(await store.claim(NOW, lane=1)).id for _ in jobs]
    assert claimed == sorted(ranks, key=lambda its: (ranks[its], its))
    assert await store.claim(NOW, lane=1) is None


async def test_a_higher_class_goes_first_and_waiting_lifts_a_lower_one(store: JobStore) -> None:
    async def added(at: int, priority: Priority) -> str:
        job = a_job(at=at)
        return (await store.add(job, rank=rank(at, priority, 60))).id

    old_low = await added(NOW - 121_000, Priority.LOW)
    low = await added(NOW - 2, Priority.LOW)
    normal = await added(NOW - 1, Priority.NORMAL)
    high = await added(NOW, Priority.HIGH)
    order = [there(await store.claim(NOW, lane=1)).id for _ in range(4)]
    assert order == [old_low, high, normal, low]


async def test_a_job_waits_for_its_time_and_holds_nobody_up(store: JobStore) -> None:
    later = await store.add(a_job(not_before=NOW + 1000), rank=0)
    now = await store.add(a_job(), rank=1)
    assert there(await store.claim(NOW, lane=1)).id == now.id
    assert await store.claim(NOW + 999, lane=1) is None
    assert there(await store.claim(NOW + 1000, lane=1)).id == later.id


async def test_the_next_start_is_the_earliest_that_is_still_to_come(store: JobStore) -> None:
    assert await store.next_start() is None
    await store.add(a_job(), rank=0)
    assert await store.next_start() is None
    early = await store.add(a_job(not_before=NOW + 10), rank=1)
    await store.add(a_job(not_before=NOW + 30), rank=1)
    assert await store.next_start() == NOW + 10
    assert await store.next_start(NOW) == NOW + 10
    assert await store.next_start(NOW + 10) == NOW + 30
    assert await store.next_start(NOW + 30) is None
    await store.cancel(early.id, NOW)
    assert await store.next_start() == NOW + 30


async def test_a_time_that_is_too_far_away_has_come(store: JobStore) -> None:
    near = await store.add(a_job(not_before=NOW + 60), rank=1)
    far = await store.add(a_job(not_before=NOW + 61), rank=2)
    await store.hasten(NOW + 60)
    assert there(await store.get(near.id)).not_before == NOW + 60
    assert there(await store.claim(NOW, lane=1)).id == far.id
    assert await store.claim(NOW, lane=1) is None


async def test_the_last_ranks_are_those_of_queued_jobs(store: JobStore) -> None:
    assert await store.last_ranks() == {}
    for number in (5, 9, 7):
        await store.add(a_job(), rank=number)
    low = await store.add(a_job().evolve(priority=Priority.LOW), rank=3)
    assert await store.last_ranks() == {Priority.NORMAL: 9, Priority.LOW: 3}
    assert there(await store.claim(NOW, lane=1)).id == low.id
    assert await store.last_ranks() == {Priority.NORMAL: 9}
    for _ in range(3):
        await store.claim(NOW, lane=1)
    assert await store.last_ranks() == {}


async def test_a_retry_is_not_started_before_its_time(store: JobStore) -> None:
    job = await in_state(store, State.RUNNING)
    again = there(await store.settle(job.id, 1, one_more_try(not_before=NOW + 500)))
    assert again.not_before == await store.next_start() == NOW + 500
    assert await store.claim(NOW + 499, lane=1) is None
    assert there(await store.claim(NOW + 500, lane=1)).not_before is None


async def test_no_two_claimers_get_one_job(store: JobStore) -> None:
    jobs = [await store.add(a_job(), rank=number) for number in range(40)]
    claims = await asyncio.gather(*[store.claim(NOW, lane=lane) for lane in range(50)])
    claimed = [job.id for job in claims if job]
    assert sorted(claimed) == sorted(job.id for job in jobs)


async def test_a_place_in_the_line_counts_from_one(store: JobStore) -> None:
    last = await store.add(a_job(), rank=9)
    first = await store.add(a_job(not_before=NOW + 1000), rank=1)
    middle = await store.add(a_job(), rank=5)
    places = [await store.position(job.id) for job in (first, middle, last)]
    assert places == [1, 2, 3]
    claimed = there(await store.claim(NOW, lane=1))
    assert claimed.id == middle.id
    assert await store.position(middle.id) is None
    assert await store.position(last.id) == 2
    assert await store.position(new_id("job")) is None


async def test_places_follow_rank_then_id_and_close_up(store: JobStore) -> None:
    jobs = [await store.add(a_job(), rank=-(number % 3)) for number in range(30)]
    line = sorted(jobs, key=lambda job: (-(jobs.index(job) % 3), job.id))
    unknown = new_id("job")
    places = await store.positions([*(job.id for job in jobs), unknown])
    assert places == {job.id: place for place, job in enumerate(line, 1)}
    assert [await store.position(job.id) for job in line] == list(range(1, 31))
    gone = {there(await store.claim(NOW, lane=1)).id, line[4].id, line[7].id, line[29].id}
    await store.cancel(line[4].id, NOW)
    await store.delete(line[7].id, NOW)
    await store.fail(line[29].id, a_problem(), NOW)
    left = [job.id for job in line if job.id not in gone]
    assert await store.positions([job.id for job in jobs]) == {its: n for n, its in enumerate(left, 1)}
    assert await store.positions([]) == {}


async def test_a_job_that_comes_back_takes_the_place_that_it_had(store: JobStore) -> None:
    first, second = [await store.add(a_job(), rank=number) for number in range(2)]
    assert there(await store.claim(NOW, lane=1)).id == first.id
    assert await store.positions([first.id, second.id]) == {second.id: 1}
    await store.settle(first.id, 1, one_more_try())
    assert await store.positions([first.id, second.id]) == {first.id: 1, second.id: 2}


async def test_what_waits_is_counted_by_priority(store: JobStore) -> None:
    assert await store.depths() == dict.fromkeys(Priority, 0)
    for number, priority in enumerate([Priority.HIGH, Priority.LOW, Priority.LOW, Priority.NORMAL]):
        await store.add(a_job().evolve(priority=priority), rank=number)
    await store.claim(NOW, lane=1)
    assert await store.depths() == {Priority.HIGH: 0, Priority.NORMAL: 1, Priority.LOW: 2}
    await store.cancel_queued(NOW)
    assert await store.depths() == dict.fromkeys(Priority, 0)


async def test_a_refused_change_moves_nobody(store: JobStore) -> None:
    job = await store.add(a_job(), rank=5)
    with pytest.raises(ValueError, match="there already"):
        await store.add(job, rank=1)
    assert await store.positions([job.id]) == {job.id: 1}
    assert (await store.depths())[Priority.NORMAL] == 1


async def test_the_backlog_counts_what_is_to_do_and_each_image_once(store: JobStore) -> None:
    assert await store.backlog() == Backlog(0, 0, 0, None)
    shared = an_image(bytes=1000)
    one = await store.add(a_job(shared, at=NOW + 1), rank=1)
    two = await store.add(a_job(shared, at=NOW + 2), rank=2)
    three = await store.add(a_job(an_image(bytes=30), at=NOW + 3), rank=3)
    assert await store.backlog() == Backlog(3, 0, 1030, NOW + 1)
    assert there(await store.claim(NOW, lane=1)).id == one.id
    assert await store.backlog() == Backlog(2, 1, 1030, NOW + 2)
    await store.settle(one.id, 1, success(there(await store.get(one.id))))
    assert await store.backlog() == Backlog(2, 0, 1030, NOW + 2)
    await store.cancel(two.id, NOW)
    assert await store.backlog() == Backlog(1, 0, 30, NOW + 3)
    await store.delete(three.id, NOW)
    assert await store.backlog() == Backlog(0, 0, 0, None)


async def test_queued_jobs_are_found_by_their_image_some_at_a_time(store: JobStore) -> None:
    mine, other = an_image(), an_image()
    jobs = [await store.add(a_job(mine), rank=number) for number in range(5)]
    await store.add(a_job(other), rank=9)
    assert there(await store.claim(NOW, lane=1)).id == jobs[0].id
    await store.cancel(jobs[2].id, NOW)
    queued = [jobs[1], jobs[3], jobs[4]]
    assert list(await store.queued_with(mine.id, after="", limit=9)) == queued
    assert list(await store.queued_with(mine.id, after="", limit=2)) == queued[:2]
    assert list(await store.queued_with(mine.id, after=jobs[3].id, limit=2)) == queued[2:]
    assert list(await store.queued_with(an_image().id, after="", limit=9)) == []


async def test_counts_name_every_state(store: JobStore) -> None:
    assert await store.counts() == dict.fromkeys(State, 0)
    for state in (State.SUCCEEDED, State.FAILED, State.FAILED, State.CANCELED, State.RUNNING, State.QUEUED):
        await in_state(store, state)
    assert await store.counts() == {
        State.QUEUED: 1,
        State.RUNNING: 1,
        State.SUCCEEDED: 1,
        State.FAILED: 2,
        State.CANCELED: 1,
    }


async def test_pausing_is_kept(store: JobStore) -> None:
    assert not await store.paused()
    await store.set_paused(True)
    assert await store.paused()
    await store.set_paused(False)
    assert not await store.paused()
