"""What every job store does about mistakes, closing and cancelling."""

from __future__ import annotations

import asyncio

import pytest

from imgsvc.errors import StorageUnavailable
from imgsvc.jobs import State
from imgsvc.jobstore import JobStore
from tests.contracts.jobstore.asking import everything, in_state
from tests.records import (
    a_job,
    an_image,
    success,
)

pytestmark = pytest.mark.anyio


async def test_a_job_that_is_not_new_is_not_added(store: JobStore) -> None:
    job = await store.add(a_job(), rank=0)
    standing = await everything(store)
    not_new = [
        a_job().evolve(state="running"),
        a_job().evolve(attempts=1),
        a_job(an_image()).evolve(id=job.id),
    ]
    for wrong in not_new:
        with pytest.raises(ValueError, match=r"new job|there already"):
            await store.add(wrong, rank=0)
    assert await everything(store) == standing


async def test_a_key_that_does_not_carry_its_owner_is_refused(store: JobStore) -> None:
    stray = an_image().model_copy(update={"key": an_image().key})
    job = await in_state(store, State.RUNNING)
    other = a_job().evolve(attempts=1)
    standing = await everything(store)
    with pytest.raises(ValueError, match="does not carry"):
        await store.add_image(stray)
    with pytest.raises(ValueError, match="does not carry"):
        await store.add(a_job(stray), rank=0)
    with pytest.raises(ValueError, match="does not carry"):
        await store.settle(job.id, 1, success(other))
    assert await everything(store) == standing


async def test_a_write_that_fails_takes_no_neighbour_with_it(store: JobStore) -> None:
    taken = await store.add(a_job(), rank=0)
    good = [a_job() for _ in range(20)]
    bad = [a_job().evolve(id=taken.id) for _ in range(20)]
    mixed = [job for pair in zip(good, bad, strict=True) for job in pair]
    answers = await asyncio.gather(*[store.add(job, rank=0) for job in mixed], return_exceptions=True)
    assert answers[::2] == good
    assert {type(answer) for answer in answers[1::2]} == {ValueError}
    assert (await store.counts())[State.QUEUED] == 21
    assert len((await store.images(limit=100)).items) == 21


async def test_a_closed_store_answers_that_it_is_unavailable(store: JobStore) -> None:
    job = await store.add(a_job(), rank=0)
    await store.ping()
    await store.close()
    await store.close()
    for asked in (store.get(job.id), store.add(a_job(), rank=0), store.ping(), store.paused()):
        with pytest.raises(StorageUnavailable):
            await asked


async def test_a_closed_store_can_be_opened_again(store: JobStore) -> None:
    done = await in_state(store, State.SUCCEEDED)
    waiting = await in_state(store, State.QUEUED)
    await store.set_paused(True)
    standing = await everything(store)
    await store.close()
    await store.open()
    assert await everything(store) == standing
    assert await store.get(done.id) == done
    assert await store.position(waiting.id) == 1


async def test_what_was_handed_in_before_a_close_is_done(store: JobStore) -> None:
    jobs = [a_job() for _ in range(50)]
    adding = [asyncio.ensure_future(store.add(job, rank=0)) for job in jobs]
    await asyncio.sleep(0)
    await store.close()
    assert [task.result() for task in adding] == jobs


async def test_a_caller_that_is_cancelled_leaves_the_store_whole(store: JobStore) -> None:
    jobs = [a_job() for _ in range(40)]
    adding = [asyncio.ensure_future(store.add(job, rank=0)) for job in jobs]
    await asyncio.sleep(0)
    for task in adding[::2]:
        task.cancel()
    await asyncio.gather(*adding, return_exceptions=True)
    after = await store.add(a_job(), rank=0)
    listed = {job.id for job in (await store.list(limit=100)).items}
    assert listed >= {job.id for job in jobs[1::2]} | {after.id}
    assert listed <= {job.id for job in jobs} | {after.id}
    assert (await store.counts())[State.QUEUED] == len(listed) == (await store.backlog()).queued
