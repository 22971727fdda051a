"""Every call of a job store, as something to be timed on a store that has a history."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from benchmarks.history import KEYED, SHARED, batch_id
from imgsvc.jobs import Job, State, image_key, result_key
from imgsvc.jobstore import JobStore
from tests.records import DAY, a_batch, a_job, a_receipt, an_image, success

#: Rows that one sweep takes, and keys that one look for orphans asks for.
SWEEP = 200
#: Jobs that wait while all this is measured, in both stores.
WAITING = 500
#: A batch from which no sweep has taken a job yet.
WHOLE = batch_id(2)
#: Their place in the line, behind all others.
_LAST = 1 << 40


@dataclass
class Subject:
    """One store, and what of it the calls need."""

    store: JobStore
    #: Ended jobs, evenly from all of them, that no sweep takes.
    known: Sequence[Job]
    chance: Random
    #: The time, in milliseconds since the epoch.
    now: int
    #: Those of the ended jobs that have a reference of their own.
    referred: Sequence[Job] = ()
    #: How many jobs it had at first, and a batch that is open.
    size: int = 0
    batch: str = ""
    claimed: list[Job] = field(default_factory=list)
    waiting: list[Job] = field(default_factory=list)

    def any(self) -> Job:
        """One of the ended jobs."""
        return self.chance.choice(self.known)

    async def prepare(self) -> None:
        """Have some jobs wait, and a batch that they can join."""
        batch = a_batch(limit=1 << 40, at=self.now)
        await self.store.add_batch(batch)
        self.batch = batch.id
        self.referred = [job for job in self.known if job.reference not in {None, SHARED}]
        self.waiting = [await self.store.add(a_job(at=self.now), rank=_LAST) for _ in range(WAITING)]


async def add(subject: Subject) -> None:
    await subject.store.add(a_job(at=subject.now), rank=0)


async def claim(subject: Subject) -> None:
    job = await subject.store.claim(subject.now, lane=1)
    assert job
    subject.claimed.append(job)


async def settle(subject: Subject) -> None:
    # Later than all others, so that no sweep takes these.
    job = subject.claimed.pop()
    assert await subject.store.settle(job.id, 1, success(job, subject.now + 10 * DAY))


async def recover(subject: Subject) -> None:
    lost = await subject.store.recover(subject.now, max_lost=5)
    assert len(lost) == len(subject.claimed) == 2
    subject.claimed.clear()


async def get(subject: Subject) -> None:
    assert await subject.store.get(subject.any().id)


async def first_page(subject: Subject) -> None:
    assert len((await subject.store.list(limit=50)).items) == 50


async def a_page_from_the_middle(subject: Subject) -> None:
    assert (await subject.store.list(limit=50, cursor=subject.any().id)).items


async def first_page_of_failed(subject: Subject) -> None:
    assert len((await subject.store.list(limit=50, states=[State.FAILED])).items) == 50


async def first_page_of_two_states(subject: Subject) -> None:
    states = [State.FAILED, State.SUCCEEDED]
    assert len((await subject.store.list(limit=50, states=states)).items) == 50


async def first_page_of_a_batch(subject: Subject) -> None:
    assert len((await subject.store.list(limit=50, batch=WHOLE)).items) == 50


async def page_of_one_reference(subject: Subject) -> None:
    job = subject.chance.choice(subject.referred)
    assert (await subject.store.list(limit=50, reference=job.reference)).items == (job,)


async def first_page_of_a_shared_reference(subject: Subject) -> None:
    assert len((await subject.store.list(limit=50, reference=SHARED)).items) == 50


async def none_of_a_shared_reference_in_a_state(subject: Subject) -> None:
    assert not (await subject.store.list(limit=50, reference=SHARED, states=[State.RUNNING])).items


async def first_page_of_images(subject: Subject) -> None:
    assert len((await subject.store.images(limit=50)).items) == 50


async def join_a_batch(subject: Subject) -> None:
    reference = f"mine-{subject.chance.getrandbits(64)}"
    assert await subject.store.member(subject.batch, reference) is None
    await subject.store.add(a_job(batch=subject.batch, reference=reference, at=subject.now), rank=_LAST)


async def add_with_a_key(subject: Subject) -> None:
    receipt = a_receipt(f"key-{subject.chance.getrandbits(64)}", at=subject.now)
    assert await subject.store.receipt(receipt.key, subject.now) is None
    await subject.store.add(a_job(at=subject.now), rank=_LAST, receipt=receipt)


async def find_a_key(subject: Subject) -> None:
    number = subject.chance.randrange(subject.size // KEYED) * KEYED + 1
    found = await subject.store.receipt(f"key-{number}", subject.now)
    assert found
    assert found.answer


async def look_at_a_batch(subject: Subject) -> None:
    batch = await subject.store.batch(WHOLE)
    assert batch
    assert batch.counts.total


async def failures_of_a_batch(subject: Subject) -> None:
    assert await subject.store.batch_failures(WHOLE, limit=20)


async def results_of_a_batch(subject: Subject) -> None:
    assert len(await subject.store.batch_results(WHOLE, after=500, limit=50)) == 50


async def first_page_of_batches(subject: Subject) -> None:
    assert len((await subject.store.batches(limit=3)).items) == 3


async def batches_that_wait(subject: Subject) -> None:
    assert await subject.store.top_batches(limit=5)


async def position(subject: Subject) -> None:
    place = await subject.store.position(subject.waiting[WAITING // 2].id)
    assert place is not None
    assert place > WAITING // 2


async def backlog(subject: Subject) -> None:
    assert (await subject.store.backlog()).queued >= WAITING


async def counts(subject: Subject) -> None:
    assert sum((await subject.store.counts()).values())


async def stored_bytes(subject: Subject) -> None:
    assert (await subject.store.stored()).results


async def next_expiry(subject: Subject) -> None:
    assert await subject.store.next_expiry()


async def next_start(subject: Subject) -> None:
    assert await subject.store.next_start(subject.now) is None


async def known_keys(subject: Subject) -> None:
    jobs = [subject.any() for _ in range(SWEEP // 4)]
    keys = [
        key
        for job in jobs
        for key in (
            job.image.key,
            image_key(job.image.id),
            *[result.key for result in job.results],
            result_key(job.id, 7, 0),
        )
    ]
    found = await subject.store.known_keys(keys)
    assert len(found) == len({job.image.key for job in jobs} | {r.key for job in jobs for r in job.results})


async def expire_a_few(subject: Subject) -> None:
    """Some ten are due; then nothing is, and that has to be found out, too."""
    due = await subject.store.next_expiry()
    assert due
    assert 0 < len(await subject.store.expire(due, limit=SWEEP)) <= 10
    assert not await subject.store.expire(due, limit=SWEEP)


async def sweep(subject: Subject) -> None:
    assert len(await subject.store.expire(subject.now + 10**9, limit=SWEEP)) == SWEEP
    assert await subject.store.unneeded_images(subject.now, limit=10 * SWEEP)


async def make_room(subject: Subject) -> None:
    gone = await subject.store.make_room(subject.now, down_to=0, limit=SWEEP)
    assert len(gone) == SWEEP
    assert await subject.store.unneeded_images(subject.now, limit=10 * SWEEP)


async def delete(subject: Subject) -> None:
    job = await subject.store.add(a_job(at=subject.now), rank=0)
    assert await subject.store.delete(job.id, subject.now)


async def store_and_delete_an_image(subject: Subject) -> None:
    image, _ = await subject.store.add_image(an_image(at=subject.now))
    assert await subject.store.delete_image(image.id, subject.now)


async def forget(subject: Subject) -> None:
    await subject.store.forget(subject.now)


async def close_and_open(subject: Subject) -> None:
    await subject.store.close()
    await subject.store.open()


#: Each call, how often in a round, and how many rows it handles. Two claims are lost with every recovery.
CALLS: list[tuple[Callable[[Subject], Awaitable[None]], int, int]] = [
    (add, 42, 1),
    (claim, 42, 1),
    (settle, 40, 1),
    (recover, 1, 1),
    (get, 100, 1),
    (first_page, 10, 1),
    (a_page_from_the_middle, 10, 1),
    (first_page_of_failed, 10, 1),
    (first_page_of_two_states, 10, 1),
    (first_page_of_a_batch, 10, 1),
    (page_of_one_reference, 20, 1),
    (first_page_of_a_shared_reference, 10, 1),
    (none_of_a_shared_reference_in_a_state, 10, 1),
    (first_page_of_images, 10, 1),
    (join_a_batch, 10, 1),
    (look_at_a_batch, 20, 1),
    (failures_of_a_batch, 10, 1),
    (results_of_a_batch, 10, 1),
    (first_page_of_batches, 10, 1),
    (batches_that_wait, 20, 1),
    (add_with_a_key, 10, 1),
    (find_a_key, 20, 1),
    (position, 20, 1),
    (backlog, 50, 1),
    (counts, 50, 1),
    (stored_bytes, 50, 1),
    (next_expiry, 50, 1),
    (next_start, 50, 1),
    (known_keys, 5, SWEEP),
    (expire_a_few, 4, 1),
    (sweep, 1, SWEEP),
    (make_room, 1, SWEEP),
    (delete, 10, 1),
    (store_and_delete_an_image, 10, 1),
    (forget, 10, 1),
    (close_and_open, 1, 1),
]
