"""The store on SQLite and the one in memory say the same thing in two languages: they agree."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from imgsvc import jobstore
from imgsvc.errors import ImgsvcError
from imgsvc.jobs import Job, State, image_key
from imgsvc.jobstore import Ending, JobStore, Receipt
from tests.contracts.jobstore.asking import everything
from tests.records import (
    DAY,
    MINUTE,
    NOW,
    a_batch,
    a_failed_job,
    a_job,
    a_picture,
    a_problem,
    a_receipt,
    an_answer,
    an_image,
    results,
    success,
)

pytestmark = pytest.mark.anyio

Call = Callable[[JobStore], Awaitable[object]]

BATCHES = [f"bat_{number:032x}" for number in range(3)]
REFERENCES = ["one", "two"]


class Chance:
    """Calls at random, on few images and few jobs, so that they meet."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._jobs: list[Job] = []
        self._now = NOW

    def call(self) -> Call:
        """One more call, later than the last one."""
        self._now += self._random.choice([0, 1, 100, MINUTE, 20 * MINUTE, 2 * DAY])
        kinds = [
            *[self._add] * 4,
            self._add_failed,
            *[self._claim] * 4,
            *[self._settle] * 4,
            self._add_image,
            self._answer,
            self._cancel,
            self._fail,
            self._delete,
            self._delete_image,
            self._housekeeping,
            self._in_bulk,
            self._with_a_batch,
            self._ask,
            self._ask_of_a_batch,
        ]
        return self._random.choice(kinds)()

    def _job(self) -> Job:
        return self._random.choice(self._jobs[-12:]) if self._jobs else a_job()

    def _add(self) -> Call:
        image = an_image(f"content {self._random.randrange(6)}", at=self._now)
        job = a_job(
            image,
            batch=self._random.choice([None, None, *BATCHES]),
            reference=self._random.choice([None, *REFERENCES]),
            not_before=self._random.choice([None, None, self._now + MINUTE]),
            retention_s=self._random.choice([1, 3600, 86400]),
            at=self._now,
        )
        self._jobs.append(job)
        rank, stored = self._random.randrange(5), self._random.random() < 0.3
        receipt = self._receipt() if self._random.random() < 0.5 else None
        if self._random.random() < 0.2:
            first = self._job()
            job = job.evolve(retry_of=first.id, batch=first.batch, reference=first.reference)
        return lambda store: store.add(job, rank=rank, stored=stored, receipt=receipt)

    def _receipt(self) -> Receipt:
        key, meaning = self._random.choice("abc"), self._random.choice("xy")
        return a_receipt(key, meaning=meaning, at=self._now)

    def _answer(self) -> Call:
        receipt = self._receipt()
        answer = self._random.choice([an_answer(), a_picture()])
        later = replace(receipt, expires_at=self._now + self._random.choice([1, MINUTE, DAY]))

        async def call(store: JobStore) -> object:
            standing = await store.receipt(receipt.key, receipt.created_at)
            return await store.answered(standing or later, answer), standing

        return call

    def _add_failed(self) -> Call:
        job = a_failed_job(
            image=an_image(f"content {self._random.randrange(6)}", at=self._now),
            batch=self._random.choice([None, *BATCHES]),
            reference=self._random.choice([None, *REFERENCES]),
            retention_s=self._random.choice([1, 3600, 86400]),
            at=self._now,
        )
        self._jobs.append(job)
        return lambda store: store.add_failed(job)

    def _with_a_batch(self) -> Call:
        its, now = self._random.choice(BATCHES), self._now
        batch = a_batch(its, limit=self._random.choice([2, 100]), retention_s=60, at=now)
        calls: list[Call] = [
            lambda store: store.add_batch(batch),
            lambda store: store.close_batch(its, now),
            lambda store: store.cancel_batch(its, now),
            lambda store: store.remove_batch(its, now),
            lambda store: store.delete_members(its, now, limit=2),
            lambda store: store.expire_batches(now),
        ]
        # Those that open are the likeliest, or little would happen.
        return self._random.choices(calls, [6, 1, 1, 1, 1, 2])[0]

    def _claim(self) -> Call:
        now, lane = self._now, self._random.randrange(3)
        return lambda store: store.claim(now, lane=lane)

    def _settle(self) -> Call:
        job, attempt = self._job(), self._random.choice([1, 1, 1, 2])
        if self._random.random() < 0.5:
            ending = success(job.evolve(attempts=attempt), self._now)
        else:
            ending = Ending(
                self._random.choice([*State]),
                "whatever",
                self._now,
                results=results(job.evolve(attempts=attempt)),
                error=a_problem(),
                not_before=self._random.choice([None, self._now + MINUTE]),
                drained=self._random.random() < 0.2,
                lost=self._random.random() < 0.2,
            )
        return lambda store: store.settle(job.id, attempt, ending)

    def _add_image(self) -> Call:
        content, expires_at = self._random.randrange(6), self._random.choice([None, self._now + MINUTE])
        image = an_image(f"content {content}", at=self._now, expires_at=expires_at)
        receipt = self._receipt() if self._random.random() < 0.5 else None
        return lambda store: store.add_image(image, receipt=receipt)

    def _cancel(self) -> Call:
        job, now = self._job(), self._now
        return lambda store: store.cancel(job.id, now)

    def _fail(self) -> Call:
        job, now = self._job(), self._now
        return lambda store: store.fail(job.id, a_problem(), now)

    def _delete(self) -> Call:
        job, now = self._job(), self._now
        return lambda store: store.delete(job.id, now)

    def _delete_image(self) -> Call:
        job, now = self._job(), self._now
        return lambda store: store.delete_image(job.image.id, now)

    def _housekeeping(self) -> Call:
        now, limit = self._now, self._random.choice([1, 100])
        down_to = self._random.choice([0, 3000, 5000, 10**9])

        async def call(store: JobStore) -> object:
            expired = await store.expire(now, limit=limit)
            crowded = await store.make_room(now, down_to=down_to, limit=limit)
            unneeded = await store.unneeded_images(now, limit=100)
            removed, blobs = await store.expire_receipts(now, limit=100)
            await store.forget(now)
            return [*expired], [*crowded], sorted(unneeded), removed, sorted(blobs)

        return call

    def _in_bulk(self) -> Call:
        now, batch = self._now, self._random.choice([None, *BATCHES])

        async def call(store: JobStore) -> object:
            if batch is None:
                return [*await store.recover(now, max_lost=1)]
            return [*await store.cancel_queued(now, batch=batch)]

        return call

    def _ask(self) -> Call:
        job, now = self._job(), self._now
        keys = [job.image.key, image_key(job.image.id), *(r.key for r in results(job.evolve(attempts=1)))]

        async def call(store: JobStore) -> object:
            known, place = await store.known_keys(keys), await store.position(job.id)
            return (
                known,
                place,
                await store.next_start(now),
                await store.next_expiry(),
                await store.image(job.image.id),
                await store.get(job.id),
            )

        return call

    def _ask_of_a_batch(self) -> Call:
        its, reference = self._random.choice(BATCHES), self._random.choice(REFERENCES)
        after = self._random.randrange(3)

        async def call(store: JobStore) -> object:
            return (
                await store.top_batches(limit=2),
                await store.interrupted_batches(),
                await store.member(its, reference),
                await store.batch_failures(its, limit=2),
                await store.batch_results(its, after=after, limit=3),
                await store.batch(its),
            )

        return call


async def answer(call: Call, store: JobStore) -> object:
    try:
        return await call(store)
    except ImgsvcError as error:
        return error.code
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize("seed", range(8))
async def test_the_two_stores_agree(tmp_path: Path, seed: int) -> None:
    stores = [jobstore.connect("memory:"), jobstore.connect(f"sqlite://{tmp_path}/jobs.sqlite3")]
    for store in stores:
        await store.open()
    chance = Chance(seed)
    for step in range(250):
        call = chance.call()
        one, other = [await answer(call, store) for store in stores]
        assert one == other, f"step {step}"
        one, other = [await everything(store) for store in stores]
        assert one == other, f"after step {step}"
    for store in stores:
        await store.close()
