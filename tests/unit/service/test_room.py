"""There is never less room than promised."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from imgsvc import jobstore
from imgsvc.errors import InsufficientStorage, QueueFull
from imgsvc.jobstore import Backlog, JobStore
from imgsvc.jobstore.memory.store import MemoryStore
from imgsvc.scheduler import Policy
from imgsvc.service.room import Room
from imgsvc.storage.memory import MemoryStorage
from tests.unit.scheduler import parts

pytestmark = pytest.mark.anyio


class SmallDisk(MemoryStorage):
    """A storage that says how much is free."""

    def __init__(self, free: int | None) -> None:
        super().__init__("memory:small")
        self.free = free
        self.looks = 0

    def free_bytes(self) -> int | None:
        self.looks += 1
        return self.free


class SlowStore(MemoryStore):
    """A store whose answers are old when they arrive."""

    async def backlog(self) -> Backlog:
        found = await super().backlog()
        await asyncio.sleep(0.02)
        return found


@asynccontextmanager
async def room(
    free: int | None = None, store: JobStore | None = None, **policy: int
) -> AsyncIterator[tuple[Room, JobStore, SmallDisk]]:
    store = store or jobstore.connect("memory:")
    await store.open()
    disk = SmallDisk(free)
    yield Room(store, disk, Policy(**policy), lambda backlog: 7.0 + (backlog or 0)), store, disk
    await store.close()


async def add(store: JobStore, content: str) -> None:
    await store.add(parts.job(image=parts.image(content)), rank=0)


async def test_a_full_queue_is_refused_with_its_limit_and_when_to_come_back() -> None:
    async with room(queue_limit=2) as (it, store, _):
        await add(store, "1")
        async with it.place(10):
            pass
        await add(store, "2")
        await asyncio.sleep(0.25)
        with pytest.raises(QueueFull) as caught:
            await it.reserve(10)
        assert (caught.value.problem.limit, caught.value.problem.actual) == (2, 2)
        assert caught.value.retry_after == 9.0  # for those two


async def test_concurrent_uploads_can_not_take_more_places_than_there_are() -> None:
    async with room(queue_limit=3) as (it, store, _):

        async def submit(number: int) -> bool:
            try:
                async with it.place(10) as place:
                    await asyncio.sleep(0)
                    async with it.adding(10, place):
                        await add(store, str(number))
            except QueueFull:
                return False
            return True

        taken = await asyncio.gather(*(submit(number) for number in range(10)))
        assert sum(taken) == 3
        assert (it.reserved.jobs, it.reserved.bytes, it.settling.jobs, it.settling.bytes) == (0, 0, 0, 0)


async def test_as_many_uploads_as_there_are_places_all_get_one() -> None:
    async with room(queue_limit=40) as (it, store, _):

        async def submit(number: int) -> None:
            await asyncio.sleep(random.Random(number).uniform(0, 0.3))
            async with it.place(10) as place:
                await asyncio.sleep(random.Random(-number).uniform(0, 0.1))
                async with it.adding(10, place):
                    await asyncio.sleep(0.001)
                    await add(store, str(number))  # in the store, and still being added
                    await asyncio.sleep(0.02)

        await asyncio.gather(*(submit(number) for number in range(40)))
        with pytest.raises(QueueFull):
            await it.reserve(10)


async def test_what_is_added_while_the_queue_is_counted_is_not_forgotten() -> None:
    async with room(store=SlowStore(), queue_limit=2) as (it, store, _):
        (await it.reserve(10)).leave()  # counts, and is right for a while
        first, second = await it.reserve(10), await it.reserve(10)
        third = asyncio.create_task(it.reserve(10))
        await asyncio.sleep(0.005)  # it counts: two are reserved, none is there
        for number, place in enumerate((first, second)):
            async with it.adding(10, place):
                await add(store, str(number))
        with pytest.raises(QueueFull):
            await third
        with pytest.raises(QueueFull):
            await it.reserve(10)


async def test_a_place_lasts_while_the_body_comes_in() -> None:
    async with room(queue_limit=1) as (it, _, _):
        async with it.place(10):
            with pytest.raises(QueueFull) as caught:
                await it.reserve(10)
        assert caught.value.problem.actual == 1
        (await it.reserve(10)).leave()


async def test_bytes_that_wait_are_bounded_too() -> None:
    async with room(queue_bytes=25) as (it, _, _):
        async with it.place(10), it.place(10):
            with pytest.raises(QueueFull) as caught:
                await it.reserve(10)
        assert caught.value.problem.limit == 25


async def test_bytes_that_were_not_declared_count_as_they_come() -> None:
    async with room(queue_bytes=25) as (it, _, _), it.place(0) as first, it.place(0) as second:
        await first.grow(15)
        await second.grow(10)
        await second.grow(5)
        with pytest.raises(QueueFull):
            await second.grow(11)
        first.leave()
        await second.grow(25)


async def test_several_jobs_in_one_place_take_as_many_as_they_are() -> None:
    async with room(queue_limit=4, queue_bytes=100) as (it, store, _), it.place(60) as place:
        with pytest.raises(QueueFull):
            async with it.adding(60, place, jobs=5):
                pass
        async with it.adding(60, place, jobs=3):
            for number in range(3):
                await add(store, str(number))
        async with it.place(10):
            with pytest.raises(QueueFull) as caught:
                await it.reserve(0)
        assert caught.value.problem.limit == 4
        assert (it.reserved.jobs, it.reserved.bytes, it.settling.jobs, it.settling.bytes) == (0, 0, 0, 0)


async def test_bytes_that_were_declared_and_did_not_come_are_free_again() -> None:
    async with room(queue_bytes=25) as (it, store, _), it.place(25) as place:
        async with it.adding(10, place):
            await add(store, "1")
        async with it.place(15):
            pass


async def test_a_place_that_was_not_used_is_free_again() -> None:
    async with room(queue_limit=1) as (it, _, _):
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                async with it.place(10):
                    raise ZeroDivisionError
            with pytest.raises(ZeroDivisionError):
                async with it.adding(10):
                    raise ZeroDivisionError
        async with it.place(10):
            pass


async def test_a_place_is_kept_by_a_job_that_is_being_added_when_its_client_leaves() -> None:
    async with room(queue_limit=1) as (it, store, _):
        async with it.place(10) as place:
            adding = it.adding(10, place)
            await adding.__aenter__()
        with pytest.raises(QueueFull):
            await it.reserve(10)
        await add(store, "1")
        await adding.__aexit__(None, None, None)
        assert it.reserved.jobs == 0
        with pytest.raises(QueueFull):
            await it.reserve(10)


async def test_a_job_whose_place_was_left_takes_another() -> None:
    async with room(queue_limit=1) as (it, _, _):
        async with it.place(10) as left:
            pass
        async with it.place(10):
            with pytest.raises(QueueFull):
                async with it.adding(10, left):
                    pass


async def test_a_disk_below_its_reserve_is_refused() -> None:
    async with room(free=99, disk_reserve=100) as (it, _, _):
        with pytest.raises(InsufficientStorage):
            await it.disk()


async def test_what_is_written_counts_before_the_disk_is_looked_at_again() -> None:
    async with room(free=150, disk_reserve=100) as (it, _, disk):
        await it.disk()
        it.wrote(40)
        disk.free = 100
        await asyncio.sleep(0.06)
        it.wrote(20)
        disk.free = 99
        await asyncio.sleep(0.06)
        with pytest.raises(InsufficientStorage):
            it.wrote(1)


async def test_the_disk_is_looked_at_once_for_many_uploads() -> None:
    async with room(free=10**9, disk_reserve=100) as (it, _, disk):
        for _ in range(50):
            await it.disk()
        assert disk.looks == 1


async def test_a_storage_that_can_not_tell_is_never_full() -> None:
    async with room(free=None, disk_reserve=100) as (it, _, _):
        await it.disk()
        it.wrote(10**12)


async def test_what_can_be_made_again_makes_room_before_anybody_is_refused() -> None:
    async with room(free=60, disk_reserve=100) as (it, _, disk):
        asked: list[int] = []

        async def spare(size: int) -> int:
            asked.append(size)
            disk.free = 110
            return 50

        it.spare = spare
        await it.disk()
        assert asked == [40]


async def test_when_nothing_can_be_spared_it_is_refused_all_the_same() -> None:
    async with room(free=60, disk_reserve=100) as (it, _, _):
        with pytest.raises(InsufficientStorage):
            await it.disk()


async def test_a_disk_with_room_asks_nobody_to_give_up_anything() -> None:
    async with room(free=100, disk_reserve=100) as (it, _, _):

        async def spare(size: int) -> int:
            pytest.fail(f"{size} bytes are asked for")

        it.spare = spare
        await it.disk()


async def test_a_render_has_room_made_below_the_reserve_once_a_second_and_refuses_nobody() -> None:
    async with room(free=60, disk_reserve=100) as (it, _, disk):
        asked: list[int] = []

        async def spare(size: int) -> int:
            asked.append(size)
            disk.free = 100
            return size

        it.spare = spare
        assert await it.relieve()
        assert not await it.relieve()
        assert asked == [40]


async def test_what_can_not_be_written_has_more_made_at_once() -> None:
    async with room(free=100, disk_reserve=100) as (it, _, _):
        asked: list[int] = []

        async def spare(size: int) -> int:
            asked.append(size)
            return size

        it.spare = spare
        assert not await it.relieve()
        assert await it.relieve(urgent=True)
        assert asked == [16 * 2**20]


async def test_nothing_is_given_up_where_the_disk_has_room() -> None:
    async with room(free=17 * 2**20, disk_reserve=2**20) as (it, _, _):

        async def spare(size: int) -> int:
            pytest.fail(f"{size} bytes are asked for")

        it.spare = spare
        assert not await it.relieve(urgent=True)
