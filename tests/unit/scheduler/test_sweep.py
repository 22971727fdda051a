"""What the sweep removes, and what it leaves alone."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from imgsvc import jobstore, storage
from imgsvc.errors import ResultExpired, StorageUnavailable
from imgsvc.jobs import Job, Priority, Result, State, answer_key, image_key, new_id, result_key
from imgsvc.jobstore import Answer, Ending, JobStore, Receipt, rank
from imgsvc.scheduler.pending import Pending
from imgsvc.scheduler.sweep import Sweeper, Swept
from imgsvc.storage import Rehearsal, Shelves, Storage
from tests.records import a_batch
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

    async def ended_job(self, size: int = 6, **changes: object) -> Job:
        """A job that has succeeded, with its image and one result as blobs."""
        job = parts.job(created_at=self.time, **changes)
        await self.store.add(job, rank=rank(job.created_at, Priority.NORMAL, 60))
        claimed = await self.store.claim(self.time, lane=1)
        assert claimed is not None
        key = result_key(claimed.id, 1, 0)
        self.storage.put(claimed.image.key, b"image")
        self.storage.put(key, b"r" * size)
        result = Result(
            name="default",
            key=key,
            content_type="image/png",
            bytes=size,
            width=1,
            height=1,
            frames=1,
            sha256="0" * 64,
        )
        ending = Ending(state=State.SUCCEEDED, outcome="succeeded", at=self.time, results=(result,))
        ended = await self.store.settle(claimed.id, 1, ending)
        assert ended is not None
        return ended

    async def ended_jobs(self, count: int, size: int = 10) -> list[Job]:
        """Jobs that ended one after the other, each with an image of its own."""
        jobs = []
        for _ in range(count):
            self.time += 1
            digest = hashlib.sha256(str(self.time).encode()).hexdigest()
            jobs.append(await self.ended_job(size, image=parts.image(digest)))
        return jobs

    async def there(self, jobs: Sequence[Job]) -> list[bool]:
        """Which of them are still there, each with its result."""
        found = []
        for job in jobs:
            try:
                await self.store.get(job.id)
            except ResultExpired:
                found.append(False)
            else:
                found.append(self.has(job.results[0].key))
        return found

    def has(self, key: str) -> bool:
        """Is there such a blob?"""
        return key in self.blobs()

    def blobs(self) -> set[str]:
        return {key for room in ROOMS for key in self.storage.keys(room)}


class Broken(Rehearsal):
    """Shelves from which one blob can't be taken."""

    def __init__(self, shelves: Shelves, key: str) -> None:
        super().__init__(shelves)
        self._shelves = shelves
        self.key = key

    def delete(self, key: str) -> None:
        if key == self.key:
            raise StorageUnavailable("the disk is read-only")
        self._shelves.delete(key)


@asynccontextmanager
async def yard(result_bytes: int | None = None) -> AsyncIterator[Yard]:
    store = jobstore.connect("memory:")
    await store.open()
    blobs = storage.connect(f"memory:{new_id('yard')}")
    pending = Pending()
    sweeper = Sweeper(
        store,
        blobs,
        pending,
        boot="now",
        interval_s=3600,
        clock=lambda: it.time,
        result_bytes=result_bytes,
    )
    it = Yard(store, blobs, pending, sweeper)
    yield it
    await store.close()


async def test_an_expired_job_goes_with_its_result_and_its_image() -> None:
    async with yard() as it:
        job = await it.ended_job(retention_s=10)
        await it.sweeper.due()
        assert len(it.blobs()) == 2
        it.time += 10_000
        await it.sweeper.due()
        assert it.blobs() == set()
        with pytest.raises(ResultExpired):
            await it.store.get(job.id)


async def test_an_image_that_another_job_needs_stays() -> None:
    async with yard() as it:
        await it.ended_job(retention_s=10)
        other = parts.job(created_at=it.time)
        await it.store.add(other, rank=0)
        it.time += 10_000
        await it.sweeper.due()
        assert {key.partition("/")[0] for key in it.blobs()} == {"images"}


async def test_a_blob_that_no_record_names_is_removed() -> None:
    async with yard() as it:
        await it.ended_job()
        named = it.blobs()
        stray = parts.job()
        it.storage.put(result_key(stray.id, 1, 0), b"stray")
        it.storage.put(image_key("img_" + "f" * 32) + ".part-12", b"half")
        await it.sweeper.strays()
        assert it.blobs() == named


async def test_a_blob_that_is_being_written_is_left_alone() -> None:
    async with yard() as it:
        key = result_key(parts.job().id, 1, 0)
        it.storage.put(key, b"whole")
        it.storage.put(key + ".part-7", b"half")
        with it.pending.hold([key]):
            await it.sweeper.strays()
            assert len(it.blobs()) == 2
        await it.sweeper.strays()
        assert it.blobs() == set()


async def test_what_dead_boots_staged_is_removed() -> None:
    async with yard() as it:
        it.storage.put("staging/before/upload", b"1")
        it.storage.put("staging/now/upload", b"2")
        await it.sweeper.strays()
        assert it.blobs() == {"staging/now/upload"}


async def test_more_than_a_handful_is_swept_in_one_go() -> None:
    async with yard() as it:
        for number in range(450):
            it.storage.put(f"results/00/00/{parts.job().id}-1-{number}", b"")
        await it.sweeper.strays()
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


async def test_results_over_their_cap_go_first_ended_first_down_to_the_low_water_mark() -> None:
    async with yard(result_bytes=100) as it:
        jobs = await it.ended_jobs(10)
        assert await it.sweeper.due() == Swept()
        jobs += await it.ended_jobs(1)
        swept = await it.sweeper.due()
        assert await it.there(jobs) == [False] * 2 + [True] * 9
        assert swept == Swept(crowded=2, images=2, blobs=4, bytes=30)
        assert (await it.store.stored()).results == 90
        assert await it.sweeper.due() == Swept()


async def test_without_a_cap_nothing_goes_before_its_time() -> None:
    async with yard() as it:
        jobs = await it.ended_jobs(3, size=10**6)
        assert await it.sweeper.due() == Swept()
        assert await it.there(jobs) == [True] * 3


async def test_a_cap_takes_neither_what_waits_nor_what_runs_nor_their_images() -> None:
    async with yard(result_bytes=10) as it:
        old, _ = await it.ended_jobs(2)
        waiting = parts.job(image=old.image, created_at=it.time)
        await it.store.add(waiting, rank=1)
        running = await it.store.add(parts.job(image=parts.image("f" * 64), created_at=it.time), rank=0)
        assert await it.store.claim(it.time, lane=1)
        swept = await it.sweeper.due()
        assert (swept.crowded, swept.images) == (1, 0)
        assert await it.store.get(waiting.id)
        assert await it.store.get(running.id)
        assert it.has(old.image.key)


async def test_the_last_result_stays_alone_over_the_cap_and_is_not_swept_again_and_again() -> None:
    async with yard(result_bytes=10) as it:
        jobs = await it.ended_jobs(2, size=1000)
        sweeping = asyncio.create_task(it.sweeper.run())
        await until(lambda: not it.has(jobs[0].results[0].key))
        assert await it.there(jobs) == [False, True]
        assert not it.sweeper.hurries
        sweeping.cancel()
        with suppress(asyncio.CancelledError):
            await sweeping


async def test_the_job_with_which_results_are_too_many_makes_the_sweep_come_soon() -> None:
    async with yard(result_bytes=100) as it:
        sweeping = asyncio.create_task(it.sweeper.run())
        jobs = await it.ended_jobs(10)
        for job in jobs:
            it.sweeper.ended(job)
            assert not it.sweeper.hurries
        (last,) = await it.ended_jobs(1, size=1)
        it.sweeper.ended(last)
        assert it.sweeper.hurries
        await until(lambda: not it.sweeper.hurries)
        await until(lambda: not it.has(jobs[0].results[0].key))
        sweeping.cancel()
        with suppress(asyncio.CancelledError):
            await sweeping


async def test_a_batch_that_is_being_fetched_makes_no_room_until_it_is_there() -> None:
    async with yard(result_bytes=10) as it:
        await it.store.add_batch(a_batch("bat_1", at=it.time))
        fetched = await it.ended_job(100, batch="bat_1", image=parts.image("a" * 64))
        (newest,) = await it.ended_jobs(1)
        with it.sweeper.fetched.hold(["bat_1"]):
            assert await it.sweeper.due() == Swept()
        assert (await it.sweeper.due()).crowded == 1
        assert await it.there([fetched, newest]) == [False, True]


async def test_results_heard_of_are_not_counted_twice_once_the_store_has_told_of_them() -> None:
    async with yard(result_bytes=100) as it:
        for job in await it.ended_jobs(6):
            it.sweeper.ended(job)
        await it.sweeper.due()
        for job in await it.ended_jobs(4):
            it.sweeper.ended(job)
        assert not it.sweeper.hurries


async def test_an_open_result_is_read_to_its_end_although_it_made_room(tmp_path: Path) -> None:
    async with yard(result_bytes=10) as it:
        it.sweeper = Sweeper(
            it.store,
            storage.connect(f"file://{tmp_path}"),
            it.pending,
            boot="now",
            interval_s=3600,
            clock=lambda: it.time,
            result_bytes=10,
        )
        it.storage = storage.connect(f"file://{tmp_path}")
        old, new = await it.ended_jobs(2, size=5000)
        with it.storage.open(old.results[0].key) as file:
            assert file.read(1000) == b"r" * 1000
            assert (await it.sweeper.due()).crowded == 1
            assert not it.has(old.results[0].key)
            assert file.read() == b"r" * 4000
        assert await it.there([new]) == [True]


async def test_what_vanished_behind_our_back_stops_no_sweep_and_is_not_counted() -> None:
    async with yard(result_bytes=10) as it:
        expired = await it.ended_job(retention_s=1, image=parts.image("a" * 64))
        it.time += 1000
        crowded, _ = await it.ended_jobs(2)
        for job in (expired, crowded):
            it.storage.delete(job.results[0].key)
            it.storage.delete(job.image.key)
        assert await it.sweeper.due() == Swept(expired=1, crowded=1, images=2)
        assert await it.there([expired, crowded]) == [False, False]
        assert (await it.store.stored()).results == 10


async def test_one_whole_sweep_tells_all_that_it_removed() -> None:
    async with yard() as it:
        await it.ended_job(retention_s=1)
        it.time += 1000
        it.storage.put("results/00/00/job_a-1-0", b"123")
        it.storage.put("results/00/00/job_a-1-0.part-9", b"12")
        it.storage.put("staging/before/upload", b"1")
        swept = await it.sweeper.everything()
        assert swept == Swept(expired=1, images=1, blobs=2, strays=2, staged=1, bytes=17)
        assert await it.sweeper.everything() == Swept()


def empty_folders(top: Path) -> set[str]:
    folders = (path for path in top.glob("**/*") if path.is_dir())
    return {str(path.relative_to(top)) for path in folders if not any(path.iterdir())}


async def test_empty_folders_go_and_this_boots_own_stays(tmp_path: Path) -> None:
    async with yard() as it:
        it.storage = storage.connect(f"file://{tmp_path}")
        it.sweeper = Sweeper(
            it.store, it.storage, it.pending, boot="now", interval_s=3600, clock=lambda: it.time
        )
        await it.ended_job()
        named = it.blobs()
        it.storage.put("results/00/00/job_a-1-0", b"123")
        for folder in ("images/00/11", "staging/now", "staging/before/deeper"):
            (tmp_path / folder).mkdir(parents=True)
        await it.sweeper.everything()
        assert it.blobs() == named
        assert empty_folders(tmp_path) == {"staging/now"}


async def test_a_blob_that_can_not_be_removed_is_told_and_left_to_a_later_sweep() -> None:
    async with yard() as it:
        job = await it.ended_job(retention_s=1)
        broken = Broken(it.storage, job.results[0].key)
        it.sweeper = Sweeper(it.store, broken, it.pending, boot="now", interval_s=3600, clock=lambda: it.time)
        it.time += 1000
        swept = await it.sweeper.everything()
        assert (swept.expired, swept.blobs, swept.failed) == (1, 1, 1)
        broken.key = ""
        assert await it.sweeper.everything() == Swept(strays=1, bytes=6)


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
        await it.sweeper.due()
        await it.sweeper.strays()
        assert it.blobs() == set(pictures)
        it.time += 10
        await it.sweeper.due()
        assert it.blobs() == set(pictures[1::2])
        it.time += 1
        await it.sweeper.due()
        assert it.blobs() == set()
        assert await it.store.expire_receipts(it.time, limit=1) == (0, [])


async def test_an_answer_that_no_receipt_names_is_an_orphan() -> None:
    async with yard() as it:
        lost, held = answer_key(), answer_key()
        for key in (lost, held, f"{lost}.part-1234"):
            it.storage.put(key, b"p")
        with it.pending.hold([held]):
            await it.sweeper.strays()
            assert it.blobs() == {held}
