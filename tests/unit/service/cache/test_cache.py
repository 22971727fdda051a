"""The cache on its storage."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from imgsvc.service.cache import Cache, Entry
from imgsvc.storage import Storage, connect

pytestmark = pytest.mark.anyio

IMAGE, OTHER = "img_" + "ab" * 16, "img_" + "cd" * 16
LARGE = 3 * 2**20 // 2


def digest(number: int) -> str:
    return f"{number:064x}"


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return connect(f"file://{tmp_path}/data")


@asynccontextmanager
async def opened(storage: Storage, limit: int = 1 << 30, memory: int = 0) -> AsyncIterator[Cache]:
    cache = Cache(storage, "cache", limit, memory=memory)
    cache.open()
    await cache.ready()
    yield cache
    await cache.close()


def write(cache: Cache, storage: Storage, number: int, body: bytes, image: str = IMAGE) -> Entry:
    """As a worker does, and whoever hears of it."""
    sha256 = hashlib.sha256(body).hexdigest()
    key = f"{cache.fresh(image, digest(number))}-{sha256}-png-3x2"
    storage.put(key, body, durable=False)
    entry = cache.entry(key, len(body))
    cache.add(entry, body)
    return entry


async def body(cache: Cache, number: int) -> bytes | None:
    kept = await cache.find(digest(number))
    if kept is None:
        return None
    async with kept.blob:
        return b"".join([piece async for piece in kept.blob.chunks()])


def files(storage: Storage) -> set[str]:
    return set(storage.keys("cache"))


@pytest.mark.parametrize("size", [0, 10, LARGE])
async def test_what_was_put_in_comes_out(storage: Storage, size: int) -> None:
    data = os.urandom(size)
    async with opened(storage) as cache:
        assert await body(cache, 1) is None
        write(cache, storage, 1, data)
        assert await body(cache, 1) == data


@pytest.mark.parametrize("size", [10, LARGE])
async def test_it_survives_a_restart(storage: Storage, size: int) -> None:
    data = os.urandom(size)
    async with opened(storage) as cache:
        entry = write(cache, storage, 1, data)
    async with opened(storage) as cache:
        assert len(cache) == 1
        assert await body(cache, 1) == data
        assert cache.of(IMAGE) == [entry]


@pytest.mark.parametrize("size", [10, LARGE])
@pytest.mark.parametrize("damage", ["flipped", "cut", "longer", "gone"])
async def test_what_was_damaged_while_nobody_looked_is_never_given_out(
    storage: Storage, size: int, damage: str
) -> None:
    async with opened(storage) as cache:
        entry = write(cache, storage, 1, os.urandom(size))
    path = storage.path(entry.key)
    assert path is not None
    data = path.read_bytes()
    match damage:
        case "flipped":
            path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        case "cut":
            path.write_bytes(data[:-1])
        case "longer":
            path.write_bytes(data + b"x")
        case "gone":
            path.unlink()
    async with opened(storage) as cache:
        assert await body(cache, 1) is None
        assert len(cache) == 0
    assert files(storage) == set()


async def test_a_file_that_vanishes_under_the_server_is_a_miss(storage: Storage) -> None:
    async with opened(storage) as cache:
        entry = write(cache, storage, 1, b"here")
        storage.delete(entry.key)
        assert await body(cache, 1) is None
        assert cache.counts.broken == 1


async def test_what_is_held_in_memory_needs_no_file(storage: Storage) -> None:
    async with opened(storage, memory=1 << 20) as cache:
        entry = write(cache, storage, 1, b"held")
        storage.delete(entry.key)
        assert await body(cache, 1) == b"held"


async def test_half_written_files_and_strangers_are_removed_at_the_start(storage: Storage) -> None:
    async with opened(storage) as cache:
        entry = write(cache, storage, 1, b"whole")
    storage.put(f"{entry.key}.part-0a1b2c3d", b"wh")
    storage.put("cache/ab/ab/something", b"else")
    async with opened(storage):
        pass
    assert files(storage) == {entry.key}


async def test_the_cap_holds_and_the_least_recently_used_go_first(storage: Storage) -> None:
    async with opened(storage, limit=3 * 4096) as cache:
        for number in range(3):
            write(cache, storage, number, b"x" * 100)
        assert await body(cache, 0) is not None
        write(cache, storage, 3, b"x" * 100)
        assert [await body(cache, number) is not None for number in range(4)] == [True, False, True, True]
        assert cache.counts.evictions == 1
    assert len(files(storage)) == 3


async def test_a_restart_with_less_room_keeps_what_was_used_last(storage: Storage) -> None:
    async with opened(storage) as cache:
        entries = [write(cache, storage, number, b"x" * 100) for number in range(4)]
    for age, entry in enumerate(entries):
        path = storage.path(entry.key)
        assert path is not None
        os.utime(path, (1_000_000 - age, 1_000_000 - age))  # the first one was used last
    async with opened(storage, limit=2 * 4096) as cache:
        assert [await body(cache, number) is not None for number in range(4)] == [True, True, False, False]
    assert files(storage) == {entries[0].key, entries[1].key}


async def test_a_use_is_noted_on_the_disk(storage: Storage) -> None:
    async with opened(storage) as cache:
        entry = write(cache, storage, 1, b"used")
        path = storage.path(entry.key)
        assert path is not None
        os.utime(path, (1_000_000, 1_000_000))
        await body(cache, 1)
    assert path.stat().st_mtime > 1_000_000


async def test_what_is_used_all_the_time_outlives_what_came_since_over_a_restart(storage: Storage) -> None:
    async with opened(storage) as cache:
        for number in range(12):
            write(cache, storage, number, b"x" * 100)
            assert await body(cache, 0) is not None
    async with opened(storage, limit=3 * 4096) as cache:
        kept = [number for number in range(12) if await body(cache, number) is not None]
    assert len(kept) == 3
    assert kept[0] == 0


async def test_with_no_room_nothing_stays(storage: Storage) -> None:
    async with opened(storage, limit=0) as cache:
        write(cache, storage, 1, b"x")
        assert await body(cache, 1) is None
    assert files(storage) == set()


async def test_purging_an_image_removes_its_files_and_no_others(storage: Storage) -> None:
    async with opened(storage, memory=1 << 20) as cache:
        for number in range(3):
            write(cache, storage, number, b"mine")
        other = write(cache, storage, 9, b"theirs", OTHER)
        assert await cache.purge(IMAGE) == 3
        assert files(storage) == {other.key}
        assert [await body(cache, number) for number in range(3)] == [None, None, None]
        assert await body(cache, 9) == b"theirs"
        assert await cache.purge(IMAGE) == 0


async def test_what_is_being_sent_is_read_to_its_end_although_it_goes(storage: Storage) -> None:
    data = os.urandom(LARGE)
    async with opened(storage) as cache:
        write(cache, storage, 1, data)
        kept = await cache.find(digest(1))
        assert kept is not None
        async with kept.blob:
            await cache.purge(IMAGE)
            assert b"".join([piece async for piece in kept.blob.chunks()]) == data


async def test_work_that_failed_leaves_nothing_under_its_key(storage: Storage) -> None:
    async with opened(storage) as cache:
        key, neighbour = cache.fresh(IMAGE, digest(1)), write(cache, storage, 2, b"stays")
        storage.put(f"{key}-{'0' * 64}-png-3x2", b"whole")
        storage.put(f"{key}-{'0' * 64}-png-3x2.part-0a1b2c3d", b"half")
        cache.clear(key)
    assert files(storage) == {neighbour.key}


async def test_a_key_of_another_shape_is_no_entry(storage: Storage) -> None:
    async with opened(storage) as cache:
        with pytest.raises(ValueError, match="not the key"):
            cache.entry("cache/ab/ab/whatever", 1)


async def test_lookups_wait_until_what_is_there_has_been_taken_up(storage: Storage) -> None:
    async with opened(storage) as cache:
        write(cache, storage, 1, b"before")
    cache = Cache(storage, "cache", 1 << 20)
    cache.open()
    assert await body(cache, 1) == b"before"
    await cache.close()


async def test_it_gives_up_what_was_not_used_for_longest_when_the_disk_needs_it(storage: Storage) -> None:
    async with opened(storage) as cache:
        entries = [write(cache, storage, number, b"x" * 100) for number in range(4)]
        assert await cache.shrink(4097) == 2 * 4096
        assert files(storage) == {entry.key for entry in entries[2:]}
        assert await cache.shrink(1 << 30) == 2 * 4096
        assert await cache.shrink(1) == 0
    assert files(storage) == set()


async def test_as_much_is_kept_free_as_writers_have_under_way(storage: Storage) -> None:
    block, blocks = b"x" * 4096, 100
    cache = Cache(storage, "cache", blocks * len(block), writers=2)
    for number in range(92):
        write(cache, storage, number, block)
    assert (len(cache), cache.counts.evictions) == (92, 0)
    for number in range(92, 200):
        write(cache, storage, number, block)
    assert (len(cache), cache.counts.evictions) == (92, 108)
    assert await body(cache, 199) == block
    await cache.close()


async def test_no_more_than_an_eighth_is_kept_free(storage: Storage) -> None:
    large = b"x" * 40_960
    cache = Cache(storage, "cache", 8 * len(large), writers=100)
    for number in range(20):
        write(cache, storage, number, large)
    assert len(cache) == 7
    await cache.close()


def short(file: BinaryIO) -> str:
    """Another hash than that of all bytes."""
    return hashlib.sha256(file.read(4)).hexdigest()


async def test_a_look_tells_where_something_is_and_no_more(storage: Storage) -> None:
    async with opened(storage) as cache:
        assert await cache.look(digest(1)) is None
        assert not cache.has(digest(1))
        entry = write(cache, storage, 1, b"body")
        assert cache.has(digest(1))
        assert await cache.look(digest(1)) == entry


@pytest.mark.parametrize(
    ("damaged", "found"), [(b"body", True), (b"b0dy", False), (b"bod", False), (None, False)]
)
async def test_a_look_after_a_restart_checks_the_bytes_first(
    storage: Storage, damaged: bytes | None, found: bool
) -> None:
    async with opened(storage) as cache:
        key = write(cache, storage, 1, b"body").key
    storage.delete(key)
    if damaged is not None:
        storage.put(key, damaged)
    async with opened(storage) as cache:
        assert (await cache.look(digest(1)) is not None) is found
        assert cache.has(digest(1)) is found
        assert cache.counts.broken == (0 if found or damaged is None else 1)


async def test_a_look_counts_as_a_use(storage: Storage) -> None:
    async with opened(storage, limit=8192) as cache:
        for number in (1, 2):
            write(cache, storage, number, b"body")
        await cache.look(digest(1))
        write(cache, storage, 3, b"body")
        assert [cache.has(digest(number)) for number in (1, 2, 3)] == [True, False, True]


async def test_what_is_hashed_may_be_something_else_than_all_bytes(storage: Storage) -> None:
    for content, sound in ((b"body, and more", True), (b"b0dy, and more", False)):
        cache = Cache(storage, "cache", 1 << 20, hashed=short)
        key = f"{cache.fresh(IMAGE, digest(1))}-{hashlib.sha256(b'body').hexdigest()}-png-3x2"
        storage.put(key, content, durable=False)
        cache.open()
        assert (await cache.look(digest(1)) is not None) is sound
        await cache.close()
        storage.delete(key)
