"""What every job store keeps of requests with an Idempotency-Key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from imgsvc.errors import IdempotencyKeyInUse, NotFound
from imgsvc.jobs import State, answer_key, new_id
from imgsvc.jobstore import JobStore, Receipt
from tests.contracts.jobstore.asking import everything, there
from tests.records import DAY, NOW, a_batch, a_job, a_picture, a_receipt, an_answer, an_image

pytestmark = pytest.mark.anyio

Make = Callable[[JobStore, Receipt], Awaitable[str]]


async def make_job(store: JobStore, receipt: Receipt) -> str:
    return (await store.add(a_job(), rank=0, receipt=receipt)).id


async def make_image(store: JobStore, receipt: Receipt) -> str:
    return (await store.add_image(an_image(), receipt=receipt))[0].id


async def make_batch(store: JobStore, receipt: Receipt) -> str:
    batch = a_batch()
    await store.add_batch(batch, receipt=receipt)
    return batch.id


async def make_whole_batch(store: JobStore, receipt: Receipt) -> str:
    """As a form does: the receipt is that of the batch once it is closed."""
    batch = await make_batch(store, a_receipt(new_id("key"), at=receipt.created_at))
    await store.close_batch(batch, NOW, receipt=receipt)
    return batch


AT_ONCE = [make_job, make_image, make_batch]
MAKES = pytest.mark.parametrize("make", [*AT_ONCE, make_whole_batch])


async def test_an_unknown_key_has_no_receipt(store: JobStore) -> None:
    assert await store.receipt("k", NOW) is None


@MAKES
async def test_a_receipt_is_kept_with_what_its_request_made(store: JobStore, make: Make) -> None:
    subject = await make(store, a_receipt())
    assert await store.receipt("k", NOW) == replace(a_receipt(), subject=subject)
    assert await store.answered(a_receipt(), an_answer())
    assert await store.receipt("k", NOW) == replace(a_receipt(), subject=subject, answer=an_answer())
    assert await store.receipt("K", NOW) is None


@pytest.mark.parametrize("make", AT_ONCE)
@pytest.mark.parametrize("answered", [False, True])
async def test_a_key_that_is_taken_lets_nothing_be_made(store: JobStore, make: Make, answered: bool) -> None:
    await make(store, a_receipt())
    if answered:
        await store.answered(a_receipt(), an_answer())
    before, receipt = await everything(store), await store.receipt("k", NOW)
    for other in (a_receipt(), a_receipt(at=NOW + DAY - 1), a_receipt(meaning="else", place="elsewhere")):
        with pytest.raises(IdempotencyKeyInUse):
            await make(store, other)
    assert await everything(store) == before
    assert await store.receipt("k", NOW) == receipt


async def test_a_batch_is_not_closed_under_a_key_that_is_taken(store: JobStore) -> None:
    batch = a_batch()
    await store.add_batch(batch)
    await make_job(store, a_receipt())
    with pytest.raises(IdempotencyKeyInUse):
        await store.close_batch(batch.id, NOW, receipt=a_receipt())
    assert await store.batch(batch.id) == batch


async def test_a_job_that_is_there_under_its_reference_needs_no_receipt(store: JobStore) -> None:
    batch = a_batch()
    await store.add_batch(batch)
    first = await store.add(a_job(batch=batch.id, reference="r"), rank=0)
    again = a_job(batch=batch.id, reference="r")
    assert await store.add(again, rank=0, receipt=a_receipt()) == first
    assert await store.receipt("k", NOW) is None


async def test_what_can_not_be_added_leaves_no_receipt(store: JobStore) -> None:
    with pytest.raises(NotFound):
        await store.add(a_job(), rank=0, stored=True, receipt=a_receipt())
    job = await store.add(a_job(), rank=0)
    with pytest.raises(ValueError, match="is there already"):
        await store.add(job, rank=0, receipt=a_receipt())
    assert await store.receipt("k", NOW) is None


@MAKES
async def test_a_key_is_free_when_its_time_is_up(store: JobStore, make: Make) -> None:
    await make(store, a_receipt())
    await store.answered(a_receipt(), an_answer())
    assert await store.receipt("k", NOW + DAY - 1) is not None
    assert await store.receipt("k", NOW + DAY) is None
    later = a_receipt(at=NOW + DAY, meaning="else")
    subject = await make(store, later)
    assert await store.receipt("k", NOW + DAY) == replace(later, subject=subject)


async def test_an_answer_brings_its_receipt_where_nothing_was_made(store: JobStore) -> None:
    assert await store.answered(a_receipt(), an_answer())
    assert await store.receipt("k", NOW) == replace(a_receipt(), answer=an_answer())
    later = a_receipt(at=NOW + DAY)
    assert await store.answered(later, an_answer(b""))
    assert await store.receipt("k", NOW + DAY) == replace(later, answer=an_answer(b""))


@pytest.mark.parametrize(
    "other",
    [
        a_receipt(),
        a_receipt(meaning="else"),
        a_receipt(place="POST /v1/images"),
        a_receipt(at=NOW + DAY - 1),
    ],
)
async def test_the_first_answer_stands(store: JobStore, other: Receipt) -> None:
    await store.answered(a_receipt(), an_answer())
    assert not await store.answered(other, an_answer(b"else"))
    assert there(await store.receipt("k", NOW)).answer == an_answer()


@pytest.mark.parametrize(
    "other", [a_receipt(meaning="else"), a_receipt(place="elsewhere"), a_receipt(at=NOW + 1)]
)
async def test_nobody_answers_for_another_request(store: JobStore, other: Receipt) -> None:
    await make_job(store, a_receipt())
    assert not await store.answered(other, an_answer())
    assert there(await store.receipt("k", NOW)).answer is None


async def test_a_receipt_outlives_its_job_and_its_image(store: JobStore) -> None:
    job = await store.add(a_job(), rank=0, receipt=a_receipt())
    await store.delete(job.id, NOW)
    await store.unneeded_images(NOW, limit=10)
    assert there(await store.receipt("k", NOW)).subject == job.id


async def test_receipts_whose_time_is_up_are_removed_oldest_first(store: JobStore) -> None:
    pictures = {}
    for number in range(5):
        receipt = a_receipt(f"k{number}", at=NOW - number)
        pictures[number] = a_picture() if number % 2 else an_answer()
        await store.answered(receipt, pictures[number])
    await make_job(store, a_receipt("young", at=NOW + 1))
    assert await store.expire_receipts(NOW + DAY - 5, limit=10) == (0, [])
    assert await store.expire_receipts(NOW + DAY, limit=2) == (2, [pictures[3].blob])
    assert await store.receipt("k4", NOW) is None
    assert await store.receipt("k2", NOW) is not None
    assert await store.expire_receipts(NOW + DAY, limit=10) == (3, [pictures[1].blob])
    assert await store.receipt("young", NOW) is not None
    assert (await store.counts())[State.QUEUED] == 1


async def test_the_blob_of_an_answer_is_known_as_long_as_its_receipt(store: JobStore) -> None:
    picture = a_picture()
    assert picture.blob
    keys = [picture.blob, answer_key(), "answers/ab/cd/ef"]
    assert await store.known_keys(keys) == frozenset()
    await store.answered(a_receipt(), picture)
    assert there(await store.receipt("k", NOW)).answer == picture
    assert await store.known_keys(keys) == {picture.blob}
    await store.expire_receipts(NOW + DAY, limit=1)
    assert await store.known_keys(keys) == frozenset()


async def test_an_answer_lies_in_no_other_room(store: JobStore) -> None:
    with pytest.raises(ValueError, match="not one of an answer"):
        await store.answered(a_receipt(), replace(a_picture(), blob=an_image().key))
    assert await store.receipt("k", NOW) is None


@pytest.mark.parametrize("key", ["k" * 255, "\\", "' OR 1=1 --", "a b", "%00"])
async def test_a_key_is_any_text(store: JobStore, key: str) -> None:
    await store.answered(a_receipt(key), an_answer())
    assert there(await store.receipt(key, NOW)).key == key
