"""How many bytes every job store counts, who makes room for others, and a rehearsal that changes nothing."""

from __future__ import annotations

import pytest

from imgsvc import jobstore
from imgsvc.errors import NotFound, ResultExpired, StorageUnavailable
from imgsvc.jobs import Job, State
from imgsvc.jobstore import Ending, JobStore, Stored
from tests.contracts.jobstore.asking import everything, in_state, there
from tests.records import DAY, NOW, a_batch, a_job, an_image, one_more_try, results, success

pytestmark = pytest.mark.anyio

WEIGHT = 1000


async def ended(store: JobStore, at: int, weight: int = WEIGHT, batch: str | None = None) -> Job:
    """A job that succeeded at a time, with a result of so many bytes."""
    await store.add(a_job(batch=batch), rank=0)
    job = there(await store.claim(NOW, lane=1))
    (result,) = results(job)
    ending = Ending(State.SUCCEEDED, "succeeded", at, results=(result.model_copy(update={"bytes": weight}),))
    return there(await store.settle(job.id, 1, ending))


async def test_bytes_are_counted_for_results_and_images_that_are_there(store: JobStore) -> None:
    assert await store.stored() == Stored(0, 0)
    job = await store.add(a_job(an_image("cat", bytes=70)), rank=0)
    assert await store.stored() == Stored(0, 70)
    claimed = there(await store.claim(NOW, lane=1))
    await store.settle(job.id, 1, one_more_try())
    assert await store.stored() == Stored(0, 70)
    claimed = there(await store.claim(NOW, lane=1))
    await store.settle(job.id, 2, success(claimed))
    assert await store.stored() == Stored(1234, 70)
    await store.add_image(an_image("cat", bytes=70))
    assert await store.stored() == Stored(1234, 70)
    await store.delete_image(job.image.id, NOW)
    assert await store.stored() == Stored(1234, 0)
    await store.add_image(an_image("cat", bytes=70))
    assert await store.stored() == Stored(1234, 70)
    await store.delete(job.id, NOW)
    assert await store.stored() == Stored(0, 70)


async def test_bytes_are_no_longer_counted_once_a_job_has_expired(store: JobStore) -> None:
    await in_state(store, State.SUCCEEDED)
    await store.expire(NOW + DAY, limit=10)
    assert await store.stored() == Stored(0, 4000)
    await store.unneeded_images(NOW + DAY, limit=10)
    assert await store.stored() == Stored(0, 0)


async def test_room_is_made_by_the_first_to_end_and_no_more_than_is_wanted(store: JobStore) -> None:
    # The clock has been set back and forth meanwhile.
    jobs = {at: await ended(store, NOW + at) for at in (10, 5, 40, 20)}
    assert len(await store.make_room(NOW + 50, down_to=4 * WEIGHT, limit=10)) == 0
    gone = await store.make_room(NOW + 50, down_to=2 * WEIGHT, limit=10)
    assert {job.id for job in gone} == {jobs[10].id, jobs[5].id}
    assert (await store.stored()).results == 2 * WEIGHT
    for at in (10, 5):
        with pytest.raises(ResultExpired):
            await store.get(jobs[at].id)
    for at in (40, 20):
        assert await store.get(jobs[at].id) == jobs[at]
    await store.forget(NOW + 31 * DAY)
    assert await store.get(jobs[10].id) is None


async def test_a_byte_too_many_costs_a_whole_job(store: JobStore) -> None:
    first, second = await ended(store, NOW + 1), await ended(store, NOW + 2)
    assert list(await store.make_room(NOW + 3, down_to=2 * WEIGHT - 1, limit=10)) == [first]
    assert await store.get(second.id) == second


async def test_room_is_made_some_at_a_time(store: JobStore) -> None:
    for at in range(6):
        await ended(store, NOW + at)
    rounds = [len(await store.make_room(NOW + 9, down_to=WEIGHT, limit=2)) for _ in range(4)]
    assert rounds == [2, 2, 1, 0]


async def test_the_last_to_end_stays_however_large_it_is(store: JobStore) -> None:
    old, new = await ended(store, NOW), await ended(store, NOW + 1, weight=10**12)
    assert list(await store.make_room(NOW + 2, down_to=0, limit=10)) == [old]
    assert len(await store.make_room(NOW + 2, down_to=0, limit=10)) == 0
    newer = await ended(store, NOW + 3)
    assert list(await store.make_room(NOW + 4, down_to=0, limit=10)) == [new]
    assert await store.get(newer.id) == newer


async def test_a_batch_that_is_spared_makes_no_room(store: JobStore) -> None:
    batch = a_batch()
    await store.add_batch(batch)
    fetched = [await ended(store, NOW + at, batch=batch.id) for at in range(3)]
    others = [await ended(store, NOW + 3 + at) for at in range(3)]
    gone = await store.make_room(NOW + 9, down_to=0, limit=1, spare=[batch.id, "bat_other"])
    assert list(gone) == [others[0]]
    assert list(await store.make_room(NOW + 9, down_to=0, limit=10, spare={batch.id})) == [others[1]]
    assert await store.make_room(NOW + 9, down_to=0, limit=10, spare={batch.id}) in ([], ())
    assert {job.id for job in await store.make_room(NOW + 9, down_to=0, limit=10)} == {
        job.id for job in fetched
    }


@pytest.mark.parametrize("state", [state for state in State if state is not State.SUCCEEDED])
async def test_a_job_without_results_makes_no_room_and_keeps_its_image(store: JobStore, state: State) -> None:
    await ended(store, NOW + 1)
    await ended(store, NOW + 2)
    job = await in_state(store, state)
    assert len(await store.make_room(NOW + 3, down_to=0, limit=10)) == 1
    assert await store.get(job.id) == job
    assert job.image.key not in await store.unneeded_images(NOW + 3, limit=10)


async def test_an_image_goes_with_the_job_that_made_room_unless_another_needs_it(store: JobStore) -> None:
    first = await ended(store, NOW + 1)
    await store.add(a_job(first.image), rank=0)
    second = await ended(store, NOW + 2)  # it was the other's turn: it shares the image
    alone = await ended(store, NOW + 3)
    await ended(store, NOW + 4)
    assert second.image == first.image
    assert len(await store.make_room(NOW + 5, down_to=0, limit=10)) == 3
    assert alone.image.key in await store.unneeded_images(NOW + 5, limit=10)


async def test_a_rehearsal_answers_as_ever_and_changes_nothing(store: JobStore) -> None:
    done, running = await in_state(store, State.SUCCEEDED), await in_state(store, State.RUNNING)
    standing = await everything(store)
    await store.close()
    await store.open(create=False, rehearsal=True)
    assert await everything(store) == standing
    assert list(await store.expire(NOW + DAY, limit=10)) == [done]
    assert list(await store.unneeded_images(NOW + DAY, limit=10)) == [done.image.key]
    with pytest.raises(ResultExpired):
        await store.get(done.id)
    with pytest.raises(NotFound):
        await store.add(a_job(done.image), rank=0, stored=True)
    await store.cancel(running.id, NOW)
    await store.add_image(an_image())
    await store.set_paused(True)
    changed = await everything(store)
    assert changed != standing
    await store.close()
    await store.open()
    assert await everything(store) == standing
    assert await store.get(done.id) == done


async def test_where_there_is_no_record_yet_none_is_made_unless_wanted(store: JobStore) -> None:
    await store.close()
    await store.open(create=False)
    assert await store.stored() == Stored(0, 0)
    await store.close()


async def test_a_store_in_memory_has_no_record_before_it_is_opened() -> None:
    empty = jobstore.connect("memory:")
    with pytest.raises(StorageUnavailable, match="no record"):
        await empty.open(create=False)
    await empty.open()
    await empty.close()
    await empty.open(create=False)
    await empty.close()
