"""What the sweep removes, and what it leaves alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import pytest

from imgsvc import jobstore, storage
from imgsvc.errors import ResultExpired
from imgsvc.jobs import Job, Priority, Result, State, answer_key, image_key, result_key
from imgsvc.jobstore import Answer, Ending, JobStore, Receipt, rank
from imgsvc.scheduler.pending import Pending
from imgsvc.scheduler.sweep import Sweeper
from imgsvc.storage import Storage
from tests.unit.scheduler import parts
from tests.unit.scheduler.bench import until

pytestmark = pytest.mark.anyio

ROOMS = ("images", "results", "answers", "staging")


@dataclass
class Yard:
    """A sweeper with a clock that the test sets."""

    store: JobStore
    storage: Storage
    pending: Pending
    sweeper: Sweeper
    time: int = 1_000_000

    async def ended_job(self, **changes: object) -> Job:
        """A job that has succeeded, with its image and one result as blobs."""
        job = parts.job(created_at=self.time, **changes)
        await self.store.add(job, rank=rank(job.created_at, Priority.NORMAL, 60))
        claimed = await self.store.claim(self.time, lane=1)
        assert claimed is not None
        key = result_key(claimed.id, 1, 0)
        self.storage.put(claimed.image.key, b"image")
        self.storage.put(key, b"result")
        result = Result(
            name="default",
            key=key,
            content_type="image/png",
            bytes=6,
            width=1,
            height=1,
            frames=1,
            sha256="0" * 64,
        )
        ending = Ending(state=State.SUCCEEDED, outcome="succeeded", at=self.time, results=(result,))
        ended = await self.store.settle(claimed.id, 1, ending)
        assert ended is not None
        return ended

    def blobs(self) -> set[str]:
        return {key for room in ROOMS for key in self.storage.keys(room)}


@asynccontextmanager
async def yard(interval_s: float = 3600) -> AsyncIterator[Yard]:
    store = jobstore.connect("memory:")
    await store.open()
    blobs = storage.connect(f"memory:{id(store)}")
    pending = Pending()
    sweeper = Sweeper(store, blobs, pending, boot="now", interval_s=interval_s, clock=lambda: it.time)
    it = Yard(store, blobs, pending, sweeper)
    yield it
    await store.close()


async def test_an_expired_job_goes_with_its_result_and_its_image() -> None:
    async with yard() as it:
        job = await it.ended_job(retention_s=10)
        await it.sweeper.expired()
        assert len(it.blobs()) == 2
        it.time += 10_000
        await it.sweeper.expired()
        assert it.blobs() == set()
        with pytest.raises(ResultExpired):
            await it.store.get(job.id)


async def test_an_image_that_another_job_needs_stays() -> None:
    async with yard() as it:
        await it.ended_job(retention_s=10)
        other = parts.job(created_at=it.time)
        await it.store.add(other, rank=0)
        it.time += 10_000
        await it.sweeper.expired()
        assert {key.partition("/")[0] for key in it.blobs()} == {"images"}


async def test_a_blob_that_no_record_names_is_removed() -> None:
    async with yard() as it:
        await it.ended_job()
        named = it.blobs()
        stray = parts.job()
        it.storage.put(result_key(stray.id, 1, 0), b"stray")
        it.storage.put(image_key("img_" + "f" * 32) + ".part-12", b"half")
        await it.sweeper.orphans()
        assert it.blobs() == named


async def test_a_blob_that_is_being_written_is_left_alone() -> None:
    async with yard() as it:
        key = result_key(parts.job().id, 1, 0)
        it.storage.put(key, b"whole")
        it.storage.put(key + ".part-7", b"half")
        with it.pending.hold([key]):
            await it.sweeper.orphans()
            assert len(it.blobs()) == 2
        await it.sweeper.orphans()
        assert it.blobs() == set()


async def test_what_dead_boots_staged_is_removed() -> None:
    async with yard() as it:
        it.storage.put("staging/before/upload", b"1")
        it.storage.put("staging/now/upload", b"2")
        await it.sweeper.orphans()
        assert it.blobs() == {"staging/now/upload"}


async def test_more_than_a_handful_is_swept_in_one_go() -> None:
    async with yard() as it:
        for number in range(450):
            it.storage.put(f"results/00/00/{parts.job().id}-1-{number}", b"")
        await it.sweeper.orphans()
        assert it.blobs() == set()


async def test_a_killed_workers_traces_are_found_by_their_keys() -> None:
    async with yard() as it:
        mine, other = "results/00/00/job_a-1-0", "results/00/00/job_a-1-00"
        for key in (mine, mine + ".part-3", other):
            it.storage.put(key, b"")
        await it.sweeper.remove_traces([mine])
        assert it.blobs() == {other}


async def test_what_expires_soon_is_swept_soon() -> None:
    async with yard() as it:
        sweeping = asyncio.create_task(it.sweeper.run())
        job = await it.ended_job(retention_s=0.1)
        it.sweeper.expect(job.expires_at)
        it.time += 100
        await until(lambda: it.blobs() == set())
        sweeping.cancel()
        with suppress(asyncio.CancelledError):
            await sweeping


async def test_what_expires_after_the_soonest_is_swept_soon_too() -> None:
    async with yard() as it:
        sweeping = asyncio.create_task(it.sweeper.run())
        for image, retention_s in (("1", 0.1), ("2" * 64, 0.2)):
            job = await it.ended_job(image=parts.image(image), retention_s=retention_s)
            it.sweeper.expect(job.expires_at)
        it.time += 100
        await until(lambda: len(it.blobs()) == 2)
        it.time += 100
        await until(lambda: it.blobs() == set())
        sweeping.cancel()
        with suppress(asyncio.CancelledError):
            await sweeping


async def test_keys_are_pending_as_long_as_anyone_holds_them() -> None:
    pending = Pending()
    with pending.hold(["a", "b"]):
        with pending.hold(["a"]):
            assert "a" in pending
        assert "a" in pending
    assert len(pending) == 0


async def test_receipts_go_at_their_time_and_their_pictures_with_them() -> None:
    async with yard() as it:
        pictures = []
        for number in range(250):
            receipt = Receipt(f"k{number}", "POST /", "abc", it.time, it.time + 10 + number % 2)
            picture = Answer(200, (), blob=answer_key(), size=1)
            assert picture.blob
            it.storage.put(picture.blob, b"p")
            await it.store.answered(receipt, picture)
            pictures.append(picture.blob)
        await it.sweeper.expired()
        await it.sweeper.orphans()
        assert it.blobs() == set(pictures)
        it.time += 10
        await it.sweeper.expired()
        assert it.blobs() == set(pictures[1::2])
        it.time += 1
        await it.sweeper.expired()
        assert it.blobs() == set()
        assert await it.store.expire_receipts(it.time, limit=1) == (0, [])


async def test_an_answer_that_no_receipt_names_is_an_orphan() -> None:
    async with yard() as it:
        lost, held = answer_key(), answer_key()
        for key in (lost, held, f"{lost}.part-1234"):
            it.storage.put(key, b"p")
        with it.pending.hold([held]):
            await it.sweeper.orphans()
            assert it.blobs() == {held}
