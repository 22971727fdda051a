"""What every job store knows of batches."""

from __future__ import annotations

import asyncio

import pytest

from imgsvc.batches import Batch, BatchStatus, Counts
from imgsvc.errors import InvalidParameter, NotFound, ResultExpired
from imgsvc.jobs import Job, State
from imgsvc.jobstore import BatchPage, JobStore
from tests.contracts.jobstore.asking import everything, there
from tests.records import DAY, MINUTE, NOW, a_batch, a_failed_job, a_job, an_image, failure, success

pytestmark = pytest.mark.anyio

NEVER_WAS = "bat_" + "0" * 32


@pytest.fixture
async def batch(store: JobStore) -> Batch:
    batch = a_batch()
    await store.add_batch(batch)
    return batch


async def now(store: JobStore, batch: Batch) -> Batch:
    return there(await store.batch(batch.id))


async def run(store: JobStore, *, well: bool = True) -> Job:
    job = there(await store.claim(NOW, lane=1))
    return there(await store.settle(job.id, job.attempts, success(job) if well else failure()))


async def test_a_batch_is_got_as_it_was_added(store: JobStore, batch: Batch) -> None:
    assert await store.batch(batch.id) == batch
    assert batch.status is BatchStatus.OPEN
    assert await store.batch(NEVER_WAS) is None
    with pytest.raises(ValueError, match="there already"):
        await store.add_batch(batch)


async def test_its_jobs_are_counted_by_state(store: JobStore, batch: Batch) -> None:
    jobs = [await store.add(a_job(batch=batch.id), rank=n) for n in range(5)]
    await store.add(a_job(), rank=9)
    await run(store)
    await run(store, well=False)
    await store.claim(NOW, lane=1)
    await store.cancel(jobs[3].id, NOW)
    counts = Counts(queued=1, running=1, succeeded=1, failed=1, canceled=1)
    assert (await now(store, batch)).counts == counts
    assert counts.total == 5
    await store.delete(jobs[0].id, NOW)
    assert (await now(store, batch)).counts == counts.model_copy(update={"succeeded": 0})


async def test_its_end_is_that_of_its_jobs_once_it_is_closed(store: JobStore, batch: Batch) -> None:
    first, second = [await store.add(a_job(batch=batch.id), rank=n) for n in range(2)]
    await run(store)
    assert (await now(store, batch)).status is BatchStatus.OPEN
    assert there(await store.close_batch(batch.id, NOW + 5)).status is BatchStatus.CLOSED
    await run(store)
    ended = await now(store, batch)
    assert (ended.status, ended.closed_at) == (BatchStatus.SUCCEEDED, NOW + 5)
    assert await store.close_batch(batch.id, NOW + 9) == ended
    assert {first.batch, second.batch} == {batch.id}


async def test_one_failed_job_makes_a_failed_batch(store: JobStore, batch: Batch) -> None:
    for number in range(2):
        await store.add(a_job(batch=batch.id, reference=f"no. {number}"), rank=number)
    await store.close_batch(batch.id, NOW)
    await run(store)
    failed = await run(store, well=False)
    assert (await now(store, batch)).status is BatchStatus.FAILED
    (told,) = await store.batch_failures(batch.id, limit=5)
    assert (told.job, told.reference, told.filename) == (failed.id, "no. 1", "cat.jpg")
    assert told.error == failed.error


@pytest.mark.parametrize(("succeeded", "status"), [(0, BatchStatus.CANCELED), (1, BatchStatus.SUCCEEDED)])
async def test_jobs_canceled_one_by_one_spoil_a_batch_only_when_all_are(
    store: JobStore, batch: Batch, succeeded: int, status: BatchStatus
) -> None:
    jobs = [await store.add(a_job(batch=batch.id), rank=n) for n in range(2)]
    for _ in range(succeeded):
        await run(store)
    await store.close_batch(batch.id, NOW)
    for job in jobs:
        await store.cancel(job.id, NOW)
    assert (await now(store, batch)).status is status


async def test_an_empty_batch_that_is_closed_has_succeeded(store: JobStore, batch: Batch) -> None:
    assert there(await store.close_batch(batch.id, NOW)).status is BatchStatus.SUCCEEDED


# -- joining --------------------------------------------------------------------------------------


async def test_a_reference_is_unique_in_its_batch(store: JobStore, batch: Batch) -> None:
    other = a_batch()
    await store.add_batch(other)
    first = await store.add(a_job(batch=batch.id, reference="one"), rank=0)
    before = await everything(store)
    assert await store.add(a_job(batch=batch.id, reference="one"), rank=0) == first
    assert await store.add_failed(a_failed_job(batch=batch.id, reference="one")) == first
    assert await everything(store) == before
    assert await store.member(batch.id, "one") == first
    for job in (
        a_job(batch=batch.id, reference="two"),
        a_job(batch=other.id, reference="one"),
        a_job(batch=batch.id),
        a_job(batch=batch.id),
        a_job(reference="one"),
        a_job(reference="one"),
    ):
        assert (await store.add(job, rank=0)).id == job.id
    assert await store.member(batch.id, "three") is None


async def test_a_reference_is_free_again_when_its_job_is_removed(store: JobStore, batch: Batch) -> None:
    first = await store.add(a_job(batch=batch.id, reference="one"), rank=0)
    await store.delete(first.id, NOW)
    second = a_job(batch=batch.id, reference="one")
    assert (await store.add(second, rank=0)).id == second.id


async def test_of_many_at_once_with_one_reference_one_joins(store: JobStore, batch: Batch) -> None:
    jobs = [a_job(batch=batch.id, reference="one") for _ in range(20)]
    added = await asyncio.gather(*[store.add(job, rank=0) for job in jobs])
    assert len({job.id for job in added}) == 1
    assert (await now(store, batch)).counts.total == 1
    assert (await store.counts())[State.QUEUED] == 1
    assert len((await store.images(limit=100)).items) == 1


async def test_a_repeat_is_answered_after_the_end(store: JobStore, batch: Batch) -> None:
    first = await store.add(a_job(batch=batch.id, reference="one"), rank=0)
    await store.close_batch(batch.id, NOW)
    assert await store.add(a_job(batch=batch.id, reference="one"), rank=0) == first


@pytest.mark.parametrize("how", ["close", "cancel"])
async def test_nothing_joins_a_batch_that_is_not_open(store: JobStore, batch: Batch, how: str) -> None:
    await (store.close_batch if how == "close" else store.cancel_batch)(batch.id, NOW)
    before = await everything(store)
    with pytest.raises(InvalidParameter, match="closed" if how == "close" else "canceled") as refused:
        await store.add(a_job(batch=batch.id), rank=0)
    assert refused.value.problem.errors[0].pointer == "/batch"
    assert await everything(store) == before


async def test_a_batch_takes_as_many_jobs_as_it_may_have_and_no_more(store: JobStore) -> None:
    batch = a_batch(limit=2)
    await store.add_batch(batch)
    jobs = [await store.add(a_job(batch=batch.id), rank=0) for _ in range(2)]
    with pytest.raises(InvalidParameter, match="limit is 2") as refused:
        await store.add(a_job(batch=batch.id), rank=0)
    assert (refused.value.problem.limit, refused.value.problem.actual) == (2, 2)
    await store.delete(jobs[0].id, NOW)
    await store.add(a_job(batch=batch.id), rank=0)


async def test_nothing_joins_a_batch_that_is_not_there(store: JobStore, batch: Batch) -> None:
    await store.remove_batch(batch.id, NOW)
    before = await everything(store)
    with pytest.raises(ResultExpired):
        await store.add(a_job(batch=batch.id), rank=0)
    with pytest.raises(NotFound):
        await store.add(a_job(batch=NEVER_WAS), rank=0)
    assert await everything(store) == before


# -- another try ----------------------------------------------------------------------------------


def another(job: Job) -> Job:
    return a_job(job.image, batch=job.batch, reference=job.reference).evolve(retry_of=job.id)


async def test_another_try_takes_the_place_of_a_failed_job(store: JobStore, batch: Batch) -> None:
    for number in range(3):
        await store.add(a_job(batch=batch.id, reference=f"{number}"), rank=number)
    await run(store)
    failed = await run(store, well=False)
    await run(store)
    await store.close_batch(batch.id, NOW)
    assert (await now(store, batch)).status is BatchStatus.FAILED
    again = await store.add(another(failed), rank=0, stored=True)
    assert (again.batch, again.reference) == (batch.id, "1")
    assert (await now(store, batch)).counts == Counts(queued=1, succeeded=2)
    assert there(await store.get(failed.id)).batch is None
    assert await store.member(batch.id, "1") == again
    done = await run(store)
    assert (await now(store, batch)).status is BatchStatus.SUCCEEDED
    results = await store.batch_results(batch.id, after=0, limit=9)
    assert [place for place, _ in results] == [1, 2, 3]
    assert results[1][1].id == done.id
    await store.delete(failed.id, NOW)
    assert (await now(store, batch)).counts == Counts(succeeded=3)


async def test_of_two_other_tries_one_takes_the_place(store: JobStore, batch: Batch) -> None:
    await store.add(a_job(batch=batch.id, reference="one"), rank=0)
    failed = await run(store, well=False)
    first, second = [await store.add(another(failed), rank=0, stored=True) for _ in range(2)]
    assert (first.batch, second.batch) == (batch.id, None)
    assert (await now(store, batch)).counts == Counts(queued=1)


@pytest.mark.parametrize("why", ["succeeded", "canceled batch", "removed batch"])
async def test_another_try_is_of_no_batch_where_it_can_take_no_place(
    store: JobStore, batch: Batch, why: str
) -> None:
    await store.add(a_job(batch=batch.id), rank=0)
    ended = await run(store, well=why == "succeeded")
    if why == "canceled batch":
        await store.cancel_batch(batch.id, NOW)
    if why == "removed batch":
        await store.remove_batch(batch.id, NOW)
    again = await store.add(another(ended), rank=0, stored=True)
    assert again.batch is None
    assert there(await store.get(ended.id)).batch == batch.id
    assert again == await store.get(again.id)


async def test_another_try_whose_image_has_gone_leaves_all_as_it_was(store: JobStore, batch: Batch) -> None:
    await store.add(a_job(batch=batch.id), rank=0)
    failed = await run(store, well=False)
    await store.delete_image(failed.image.id, NOW)
    before = await everything(store)
    with pytest.raises(NotFound):
        await store.add(another(failed), rank=0, stored=True)
    assert await everything(store) == before


# -- jobs that have failed before they began ------------------------------------------------------


async def test_a_file_that_is_no_picture_is_a_failed_job(store: JobStore, batch: Batch) -> None:
    job = a_failed_job(batch=batch.id)
    assert await store.add_failed(job) == job
    assert await store.get(job.id) == job
    assert (await now(store, batch)).counts == Counts(failed=1)
    assert (await store.counts())[State.FAILED] == 1
    assert await store.claim(NOW, lane=1) is None
    assert (await store.backlog()).bytes == 0


async def test_its_image_is_told_of_and_not_there(store: JobStore) -> None:
    job = await store.add_failed(a_failed_job(image=an_image("nonsense")))
    assert await store.image(job.image.id) is None
    assert (await store.images(limit=10)).items == ()
    assert await store.known_keys([job.image.key]) == frozenset()
    assert (
        await store.unneeded_images(NOW + DAY, limit=10) == type(await store.unneeded_images(NOW, limit=1))()
    )


async def test_two_bad_files_of_the_same_bytes_and_a_good_upload_of_them_agree(store: JobStore) -> None:
    """The limits may have been raised between the two."""
    bad = [await store.add_failed(a_failed_job(image=an_image("odd"))) for _ in range(2)]
    assert bad[0].image == bad[1].image
    good = await store.add(a_job(an_image("odd", at=NOW + 1)), rank=0)
    assert (good.image.width, good.image.format) == (400, "jpeg")
    assert await store.image(good.image.id) == good.image
    assert there(await store.get(bad[0].id)).image == good.image


async def test_a_failed_job_shows_the_image_that_is_there(store: JobStore) -> None:
    image, _ = await store.add_image(an_image("fine"))
    job = await store.add_failed(a_failed_job(image=an_image("fine")))
    assert job.image == image
    assert await store.image(image.id) == image


@pytest.mark.parametrize(
    "spoilt",
    [{"state": State.QUEUED}, {"error": None}, {"finished_at": None}, {"expires_at": None}, {"attempts": 1}],
)
async def test_a_failed_job_that_does_not_say_why_and_when_is_a_bug(
    store: JobStore, spoilt: dict[str, object]
) -> None:
    job = Job.model_validate(a_failed_job().__dict__ | spoilt)
    with pytest.raises(ValueError, match="fail"):
        await store.add_failed(job)


# -- the order ------------------------------------------------------------------------------------


async def test_results_come_in_the_order_in_which_the_jobs_joined(store: JobStore, batch: Batch) -> None:
    made = [a_job(batch=batch.id) for _ in range(6)]
    # A clock that was set back gives later jobs smaller ids.
    jobs = [await store.add(job, rank=n) for n, job in enumerate(reversed(made))]
    for number in range(5):
        await run(store, well=number != 1)
    found = await store.batch_results(batch.id, after=0, limit=10)
    assert [(place, job.id) for place, job in found] == [(n + 1, jobs[n].id) for n in (0, 2, 3, 4)]
    assert found[0][1] == await store.get(jobs[0].id)
    assert await store.batch_results(batch.id, after=1, limit=2) == found[1:3]
    assert len(await store.batch_results(batch.id, after=5, limit=2)) == 0


async def test_failures_are_bounded_and_the_oldest_come_first(store: JobStore, batch: Batch) -> None:
    jobs = [await store.add_failed(a_failed_job(batch=batch.id)) for _ in range(4)]
    found = await store.batch_failures(batch.id, limit=3)
    assert [failure.job for failure in found] == [job.id for job in jobs[:3]]


# -- lists ----------------------------------------------------------------------------------------


async def test_batches_are_listed_newest_first_page_by_page(store: JobStore) -> None:
    made = [a_batch() for _ in range(5)]
    for batch in made:
        await store.add_batch(batch)
    await store.remove_batch(made[3].id, NOW)
    first = await store.batches(limit=3)
    assert [batch.id for batch in first.items] == [made[n].id for n in (4, 2, 1)]
    second = await store.batches(limit=3, cursor=first.next_cursor)
    assert second == BatchPage((made[0],), None)
    with pytest.raises(InvalidParameter):
        await store.batches(limit=3, cursor=a_job().id)


async def test_the_batches_with_most_queued_jobs_are_the_top(store: JobStore) -> None:
    made = [a_batch() for _ in range(4)]
    for number, batch in enumerate(made):
        await store.add_batch(batch)
        for _ in range([1, 3, 0, 2][number]):
            await store.add(a_job(batch=batch.id), rank=0)
    top = await store.top_batches(limit=2)
    assert [(batch.id, batch.counts.queued) for batch in top] == [(made[1].id, 3), (made[3].id, 2)]
    await store.cancel_queued(NOW, batch=made[1].id)
    assert [batch.id for batch in await store.top_batches(limit=9)] == [made[3].id, made[0].id]


# -- the end --------------------------------------------------------------------------------------


async def test_canceling_marks_a_batch_until_its_jobs_are_canceled(store: JobStore, batch: Batch) -> None:
    job = await store.add(a_job(batch=batch.id), rank=0)
    canceled = there(await store.cancel_batch(batch.id, NOW + 1))
    assert canceled.status is BatchStatus.CANCELED
    assert (canceled.canceled_at, canceled.closed_at) == (NOW + 1, NOW + 1)
    assert await store.cancel_batch(batch.id, NOW + 2) == canceled
    assert [*await store.interrupted_batches()] == [(batch.id, False)]
    await store.cancel(job.id, NOW)
    assert [*await store.interrupted_batches()] == []


async def test_canceling_a_batch_that_has_ended_changes_nothing(store: JobStore, batch: Batch) -> None:
    await store.add(a_job(batch=batch.id), rank=0)
    await run(store)
    await store.close_batch(batch.id, NOW)
    ended = await store.cancel_batch(batch.id, NOW)
    assert there(ended).status is BatchStatus.SUCCEEDED
    assert await store.cancel_batch(NEVER_WAS, NOW) is None
    assert await store.close_batch(NEVER_WAS, NOW) is None


async def test_a_removed_batch_is_remembered_for_thirty_days(store: JobStore, batch: Batch) -> None:
    jobs = [await store.add(a_job(batch=batch.id), rank=n) for n in range(3)]
    await store.claim(NOW, lane=1)
    assert await store.remove_batch(batch.id, NOW)
    assert [*await store.interrupted_batches()] == [(batch.id, True)]
    for call in (store.batch(batch.id), store.close_batch(batch.id, NOW), store.cancel_batch(batch.id, NOW)):
        with pytest.raises(ResultExpired):
            await call
    removed = await store.delete_members(batch.id, NOW, limit=2)
    assert [(job.id, job.state) for job in removed] == [
        (jobs[0].id, State.RUNNING),
        (jobs[1].id, State.QUEUED),
    ]
    await store.forget(NOW + 31 * DAY)
    assert not await store.remove_batch(batch.id, NOW + MINUTE), "it still has a job"
    await store.delete_members(batch.id, NOW, limit=2)
    assert len(await store.delete_members(batch.id, NOW, limit=2)) == 0
    assert [*await store.interrupted_batches()] == []
    with pytest.raises(ResultExpired):
        await store.get(jobs[2].id)
    await store.forget(NOW + 30 * DAY)
    assert not await store.remove_batch(batch.id, NOW + 30 * DAY)
    with pytest.raises(NotFound):
        await store.remove_batch(batch.id, NOW + 31 * DAY)
    await store.forget(NOW + 31 * DAY)
    assert await store.batch(batch.id) is None
    with pytest.raises(NotFound):
        await store.remove_batch(NEVER_WAS, NOW)


async def test_a_batch_that_nobody_fills_goes_after_its_retention(store: JobStore) -> None:
    batch = a_batch(retention_s=60)
    await store.add_batch(batch)
    assert await store.next_expiry() == NOW + MINUTE
    await store.expire_batches(NOW + MINUTE - 1)
    assert await store.batch(batch.id) == batch
    await store.expire_batches(NOW + MINUTE)
    with pytest.raises(ResultExpired):
        await store.batch(batch.id)
    assert await store.next_expiry() is None


async def test_an_open_batch_whose_jobs_have_gone_waits_for_others(store: JobStore) -> None:
    batch = a_batch(retention_s=60)
    await store.add_batch(batch)
    job = await store.add(a_job(batch=batch.id), rank=0)
    await store.expire_batches(NOW + DAY)
    assert (await now(store, batch)).expires_at is None
    await store.delete(job.id, NOW)
    await store.expire_batches(NOW + DAY)
    assert (await now(store, batch)).expires_at == NOW + DAY + MINUTE
    await store.expire_batches(NOW + DAY + MINUTE)
    with pytest.raises(ResultExpired):
        await store.batch(batch.id)


async def test_an_ended_batch_goes_with_its_last_job(store: JobStore, batch: Batch) -> None:
    job = await store.add(a_job(batch=batch.id, retention_s=10), rank=0)
    await store.close_batch(batch.id, NOW)
    await store.cancel(job.id, NOW)
    await store.expire_batches(NOW + 9_999)
    await now(store, batch)
    assert len(await store.expire(NOW + 10_000, limit=10)) == 1
    await store.expire_batches(NOW + 10_000)
    with pytest.raises(ResultExpired):
        await store.batch(batch.id)
