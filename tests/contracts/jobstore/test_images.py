"""What keeps an image in every job store, and what ends it."""

from __future__ import annotations

import pytest

from imgsvc.errors import ImageInUse, NotFound
from imgsvc.jobs import Image, State, image_key, new_id, result_key
from imgsvc.jobstore import JobStore
from tests.contracts.jobstore.asking import everything, in_state, there
from tests.records import (
    DAY,
    NOW,
    a_job,
    an_image,
    failure,
    success,
)

pytestmark = pytest.mark.anyio


async def test_an_added_image_is_there(store: JobStore) -> None:
    image = an_image(kept=True, expires_at=NOW + DAY)
    assert await store.add_image(image) == (image, True)
    assert await store.image(image.id) == image
    assert await store.image(an_image().id) is None


async def test_the_same_content_is_one_image_and_the_first_key_stands(store: JobStore) -> None:
    first, second = an_image("cat", kept=True), an_image("cat", kept=True, at=NOW + 5)
    assert first.key != second.key
    await store.add_image(first)
    assert await store.add_image(second) == (first, False)
    assert (await store.images(limit=10)).items == (first,)
    job = await store.add(a_job(second), rank=0)
    assert job.image == first


async def test_jobs_share_an_image(store: JobStore) -> None:
    first = await store.add(a_job(an_image("cat")), rank=0)
    second = await store.add(a_job(an_image("cat")), rank=0)
    assert second.image == first.image
    assert await store.get(second.id) == second
    assert await store.image(first.image.id) == first.image


async def test_a_job_on_a_stored_image_needs_it_to_be_there(store: JobStore) -> None:
    image = an_image(kept=True)
    with pytest.raises(NotFound):
        await store.add(a_job(image), rank=0, stored=True)
    assert await store.counts() == dict.fromkeys(State, 0)
    await store.add_image(image)
    job = await store.add(
        a_job(an_image("x").model_copy(update={"id": image.id, "key": image.key})), rank=0, stored=True
    )
    assert job.image == image
    await store.cancel(job.id, NOW)
    await store.delete_image(image.id, NOW)
    with pytest.raises(NotFound):
        await store.add(a_job(image), rank=0, stored=True)


async def test_a_deleted_image_is_gone_and_remembered_and_its_ended_jobs_still_show_it(
    store: JobStore,
) -> None:
    job = await in_state(store, State.SUCCEEDED)
    assert await store.delete_image(job.image.id, NOW) == job.image.key
    assert await store.image(job.image.id) is None
    assert (await store.images(limit=10)).items == ()
    assert await store.delete_image(job.image.id, NOW) is None
    assert await store.get(job.id) == job
    assert await store.known_keys([job.image.key]) == frozenset()
    assert len(await store.unneeded_images(NOW + DAY, limit=10)) == 0


async def test_an_image_that_never_was_is_not_found(store: JobStore) -> None:
    with pytest.raises(NotFound):
        await store.delete_image(an_image().id, NOW)


@pytest.mark.parametrize("state", State)
async def test_an_image_that_is_needed_is_not_deleted(store: JobStore, state: State) -> None:
    job = await in_state(store, state)
    if state.ended:
        assert await store.delete_image(job.image.id, NOW) == job.image.key
    else:
        standing = await everything(store)
        with pytest.raises(ImageInUse):
            await store.delete_image(job.image.id, NOW)
        assert await everything(store) == standing


async def test_a_removal_of_an_image_is_remembered_for_thirty_days(store: JobStore) -> None:
    shown = await in_state(store, State.SUCCEEDED)
    image, _ = await store.add_image(an_image())
    for its in (image.id, shown.image.id):
        await store.delete_image(its, NOW)
        assert await store.delete_image(its, NOW + 30 * DAY) is None
    await store.forget(NOW + 30 * DAY + 1)
    for its in (image.id, shown.image.id):
        with pytest.raises(NotFound):
            await store.delete_image(its, NOW + 30 * DAY + 1)
    assert await store.get(shown.id) == shown


async def test_a_deleted_image_can_come_back_under_a_new_key(store: JobStore) -> None:
    old = await in_state(store, State.SUCCEEDED)
    await store.delete_image(old.image.id, NOW)
    again = old.image.model_copy(update={"key": image_key(old.image.id), "created_at": NOW + 5, "kept": True})
    assert await store.add_image(again) == (again, True)
    assert there(await store.get(old.id)).image == again
    await store.delete_image(again.id, NOW)
    third = again.model_copy(update={"key": image_key(old.image.id), "kept": False})
    job = await store.add(a_job(third), rank=0)
    assert job.image == third
    assert await store.known_keys([old.image.key, again.key, third.key]) == {third.key}


async def test_an_image_that_jobs_brought_goes_with_the_last_of_them(store: JobStore) -> None:
    image = an_image("cat")
    one = await store.add(a_job(image), rank=0)
    two = await store.add(a_job(an_image("cat")), rank=0, stored=True)
    for job in (one, two):
        await store.cancel(job.id, NOW)
    await store.delete(one.id, NOW)
    assert len(await store.unneeded_images(NOW + 400 * DAY, limit=10)) == 0
    await store.delete(two.id, NOW)
    assert await store.image(image.id) == image
    assert list(await store.unneeded_images(NOW, limit=10)) == [image.key]
    assert await store.image(image.id) is None
    assert len(await store.unneeded_images(NOW, limit=10)) == 0
    assert await store.delete_image(image.id, NOW) is None


async def test_an_image_goes_when_its_jobs_expire(store: JobStore) -> None:
    job = await in_state(store, State.SUCCEEDED)
    await store.expire(NOW + DAY, limit=10)
    assert list(await store.unneeded_images(NOW + DAY, limit=10)) == [job.image.key]


async def test_unneeded_images_are_forgotten_some_at_a_time(store: JobStore) -> None:
    jobs = [await store.add(a_job(), rank=0) for _ in range(5)]
    for job in jobs:
        await store.delete(job.id, NOW)
    rounds = [await store.unneeded_images(NOW, limit=2) for _ in range(4)]
    assert [len(keys) for keys in rounds] == [2, 2, 1, 0]
    assert {key for keys in rounds for key in keys} == {job.image.key for job in jobs}


async def test_an_image_kept_for_its_own_sake_stays_when_its_jobs_go(store: JobStore) -> None:
    image, _ = await store.add_image(an_image())
    job = await store.add(a_job(image), rank=0, stored=True)
    await store.delete(job.id, NOW)
    assert len(await store.unneeded_images(NOW + 400 * DAY, limit=10)) == 0
    assert await store.image(image.id) == image


async def test_an_image_says_whether_it_is_kept_for_its_own_sake(store: JobStore) -> None:
    stored, _ = await store.add_image(an_image("stored"))
    used = await store.add(a_job(an_image("stored")), rank=0)
    brought = await store.add(a_job(), rank=0)
    assert [image.kept for image in (stored, used.image, brought.image)] == [True, True, False]
    await store.cancel(used.id, NOW)
    await store.delete_image(stored.id, NOW)
    assert not there(await store.get(used.id)).image.kept


async def test_an_image_whose_time_is_up_goes(store: JobStore) -> None:
    image, _ = await store.add_image(an_image(expires_at=NOW + 10))
    assert len(await store.unneeded_images(NOW + 9, limit=10)) == 0
    assert list(await store.unneeded_images(NOW + 10, limit=10)) == [image.key]


async def test_an_image_whose_time_is_up_stays_while_it_is_needed(store: JobStore) -> None:
    image, _ = await store.add_image(an_image(expires_at=NOW + 10))
    job = await store.add(a_job(image), rank=0, stored=True)
    assert len(await store.unneeded_images(NOW + 10, limit=10)) == 0
    await store.claim(NOW, lane=1)
    assert len(await store.unneeded_images(NOW + 10, limit=10)) == 0
    await store.settle(job.id, 1, failure())
    assert list(await store.unneeded_images(NOW + 10, limit=10)) == [image.key]
    assert there(await store.get(job.id)).image.key == image.key


async def test_an_image_that_a_job_brought_too_outlives_its_own_time_with_that_job(store: JobStore) -> None:
    await store.add_image(an_image("cat", expires_at=NOW + 10))
    job = await store.add(a_job(an_image("cat")), rank=0)
    assert job.image.expires_at == NOW + 10
    await store.cancel(job.id, NOW)
    assert len(await store.unneeded_images(NOW + 10, limit=10)) == 0
    assert there(await store.image(job.image.id)).expires_at is None
    await store.delete(job.id, NOW)
    assert list(await store.unneeded_images(NOW + 10, limit=10)) == [job.image.key]


async def test_an_image_that_was_let_go_and_is_brought_again_has_no_time_of_its_own(store: JobStore) -> None:
    image, _ = await store.add_image(an_image("cat", expires_at=NOW + 10))
    await store.add(a_job(image), rank=0, stored=True)
    assert len(await store.unneeded_images(NOW + 10, limit=10)) == 0
    job = await store.add(a_job(an_image("cat")), rank=0)
    assert job.image == image.model_copy(update={"expires_at": None, "kept": False})
    assert await store.image(image.id) == job.image


async def test_an_image_of_jobs_only_has_no_time_of_its_own(store: JobStore) -> None:
    job = await store.add(a_job(an_image(kept=True, expires_at=NOW + 10)), rank=0)
    assert (job.image.kept, job.image.expires_at) == (False, None)
    assert await store.get(job.id) == job


@pytest.mark.parametrize(
    ("first", "second", "stands"),
    [(10, 20, 20), (20, 10, 20), (None, 10, None), (10, None, None), (None, None, None)],
)
async def test_adding_an_image_again_never_shortens_its_time(
    store: JobStore, first: int | None, second: int | None, stands: int | None
) -> None:
    await store.add_image(an_image("cat", expires_at=first))
    standing, new = await store.add_image(an_image("cat", expires_at=second))
    assert (standing.expires_at, new) == (stands, False)


@pytest.mark.parametrize("expires_at", [None, NOW + 10])
async def test_an_image_that_only_jobs_had_kept_is_kept_for_its_own_sake_once_added(
    store: JobStore, expires_at: int | None
) -> None:
    job = await store.add(a_job(an_image("cat")), rank=0)
    standing, new = await store.add_image(an_image("cat", expires_at=expires_at))
    assert not new
    assert standing == job.image.model_copy(update={"expires_at": expires_at, "kept": True})
    await store.delete(job.id, NOW)
    assert len(await store.unneeded_images(NOW, limit=10)) == 0
    assert await store.image(standing.id) == standing


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
async def test_images_are_listed_newest_first_and_completely(store: JobStore, limit: int) -> None:
    added = [(await store.add_image(an_image(at=NOW + number // 3)))[0] for number in range(7)]
    found: list[Image] = []
    cursor = None
    while True:
        page = await store.images(limit=limit, cursor=cursor)
        found += page.items
        if cursor is None:
            added.append((await store.add_image(an_image(at=NOW + 99)))[0])
        cursor = page.next_cursor
        if not cursor:
            break
    assert found == sorted(added[:7], key=lambda image: (image.created_at, image.id), reverse=True)


async def test_known_keys_are_those_that_a_record_names(store: JobStore) -> None:
    running = await in_state(store, State.RUNNING)
    done = there(await store.settle(running.id, 1, success(running)))
    image, _ = await store.add_image(an_image())
    known = [done.results[0].key, done.image.key, image.key]
    unknown = [
        result_key(done.id, 2, 0),
        result_key(done.id, 1, 1),
        result_key(new_id("job"), 1, 0),
        done.results[0].key + ".part-0123",
        done.image.key + ".part-0123",
        image_key(image.id),
        "results/ab/cd/nonsense",
        "cache/ab/cd/x-1",
    ]
    assert await store.known_keys([*known, *unknown]) == frozenset(known)
    await store.delete(done.id, NOW)
    assert await store.known_keys(known) == frozenset(known[1:])
