"""Keys in progress and keys that are known."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from imgsvc.errors import IdempotencyKeyInUse, IdempotencyKeyReused, ResultExpired, StorageBusy
from imgsvc.jobstore import Answer, Receipt
from imgsvc.jobstore.memory.store import MemoryStore
from imgsvc.scheduler import now
from imgsvc.service import Keys
from imgsvc.service.blobs import Blobs
from tests.records import an_answer
from tests.unit.scheduler.bench import Bench, bench

pytestmark = pytest.mark.anyio

HERE = "POST /v1/jobs"


class BusyStore(MemoryStore):
    """A store that can't keep an answer when the test says so."""

    busy = False

    async def answered(self, receipt: Receipt, answer: Answer) -> bool:
        """See `JobStore.answered`."""
        if self.busy:
            raise StorageBusy("the job database is busy")
        return await super().answered(receipt, answer)


@dataclass
class Ring:
    """Keys with a clock that the test sets."""

    keys: Keys
    bench: Bench
    store: BusyStore
    #: From now on: the sweep goes by the clock on the wall.
    time: int = field(default_factory=now)

    async def answer(self, answer: Answer, key: str = "k", meaning: str = "this") -> None:
        async with self.keys.claim(key, HERE) as claim:
            assert claim.means(meaning) is None
            await claim.answered(answer)

    def blobs(self) -> list[str]:
        return list(self.bench.storage.keys("answers"))


@asynccontextmanager
async def ring(store: BusyStore | None = None) -> AsyncIterator[Ring]:
    store = store or BusyStore()
    async with bench(store=store) as around:
        blobs = Blobs(around.storage)
        keys = Keys(store, around.scheduler, blobs, retention_s=10, clock=lambda: it.time)
        it = Ring(keys, around, store)
        yield it


async def test_a_claimed_key_is_nobody_elses() -> None:
    async with ring() as it, it.keys.claim("k", HERE):
        for place in (HERE, "POST /v1/images"):
            with pytest.raises(IdempotencyKeyInUse):
                async with it.keys.claim("k", place):
                    pass
        async with it.keys.claim("another", HERE):
            assert repr(it.keys) == "<Keys of 2 requests in progress>"


@pytest.mark.parametrize("error", [None, ValueError(), asyncio.CancelledError()])
async def test_a_key_without_an_answer_is_free_again(error: BaseException | None) -> None:
    async with ring() as it:
        try:
            async with it.keys.claim("k", HERE) as claim:
                claim.means("this")
                if error:
                    raise error
        except (ValueError, asyncio.CancelledError):
            pass
        async with it.keys.claim("k", "POST /v1/images") as claim:
            assert claim.known is None
        assert repr(it.keys) == "<Keys of 0 requests in progress>"


async def test_a_store_that_fails_leaves_the_key_free() -> None:
    async with ring() as it:
        await it.store.close()
        with pytest.raises(Exception, match="closed"):
            async with it.keys.claim("k", HERE):
                pass
        await it.store.open()
        async with it.keys.claim("k", HERE):
            pass


async def test_a_repeat_is_known_by_what_it_means() -> None:
    async with ring() as it:
        await it.answer(an_answer())
        async with it.keys.claim("k", HERE) as claim:
            known = claim.means("this")
            assert known is not None
            assert known.answer == an_answer()
            with pytest.raises(IdempotencyKeyReused, match="parameters or its image"):
                claim.means("that")
        with pytest.raises(IdempotencyKeyReused, match="another path"):
            async with it.keys.claim("k", "POST /v1/images"):
                pass


async def test_a_known_answer_is_given_to_any_number_at_once() -> None:
    async with ring() as it:
        await it.answer(an_answer())
        async with it.keys.claim("k", HERE) as one, it.keys.claim("k", HERE) as other:
            assert one.known == other.known
            assert repr(it.keys) == "<Keys of 0 requests in progress>"


class SlowStore(BusyStore):
    """A store whose look-ups are answered when the test says so, with what they saw before."""

    def __init__(self) -> None:
        super().__init__()
        self.looked, self.go = asyncio.Event(), asyncio.Event()
        self.go.set()

    async def receipt(self, key: str, now: int) -> Receipt | None:
        """See `JobStore.receipt`."""
        found = await super().receipt(key, now)
        self.looked.set()
        await self.go.wait()
        return found


async def test_a_request_that_was_done_during_the_look_up_is_seen() -> None:
    async with ring(SlowStore()) as it:
        assert isinstance(it.store, SlowStore)
        it.store.go.clear()

        async def late() -> Receipt | None:
            async with it.keys.claim("k", HERE) as claim:
                return claim.known

        looking = asyncio.ensure_future(late())
        await it.store.looked.wait()
        go, it.store.go = it.store.go, asyncio.Event()
        it.store.go.set()
        await it.answer(an_answer())
        go.set()
        known = await looking
        assert known is not None
        assert known.answer == an_answer()


async def test_a_request_that_was_faster_during_the_look_up_has_the_key() -> None:
    async with ring(SlowStore()) as it:
        assert isinstance(it.store, SlowStore)
        it.store.go.clear()

        async def claim() -> None:
            async with it.keys.claim("k", HERE):
                held.set()
                await asyncio.Event().wait()

        held = asyncio.Event()
        both = [asyncio.ensure_future(claim()) for _ in range(2)]
        await it.store.looked.wait()
        it.store.go.set()
        await held.wait()
        done, waiting = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        (refused,) = done
        with pytest.raises(IdempotencyKeyInUse):
            await refused


async def test_a_key_is_known_for_its_time() -> None:
    async with ring() as it:
        await it.answer(an_answer())
        it.time += 9_999
        async with it.keys.claim("k", HERE) as claim:
            assert claim.known is not None
        it.time += 1
        async with it.keys.claim("k", HERE) as claim:
            assert claim.known is None


async def test_an_answer_needs_a_meaning() -> None:
    async with ring() as it, it.keys.claim("k", HERE) as claim:
        with pytest.raises(ValueError, match="must be told"):
            await claim.answered(an_answer())


async def test_an_answer_that_can_not_be_kept_is_given_all_the_same() -> None:
    async with ring() as it:
        it.store.busy = True
        await it.answer(an_answer())
        async with it.keys.claim("k", HERE) as claim:
            assert claim.known is None


def a_picture(blob: str) -> Answer:
    return replace(an_answer(b""), blob=blob, size=7)


async def test_a_picture_stays_with_its_answer() -> None:
    async with ring() as it:
        async with it.keys.claim("k", HERE) as claim:
            claim.means("this")
            key = claim.room()
            it.bench.storage.put(key, b"picture")
            # No record names it yet, and yet the sweep leaves it alone.
            await it.bench.scheduler.sweeper.strays()
            await claim.answered(a_picture(key))
        await it.bench.scheduler.sweeper.strays()
        assert it.blobs() == [key]
        async with await it.keys.open(a_picture(key)) as blob:
            assert blob.data == b"picture"


@pytest.mark.parametrize("busy", [False, True])
async def test_a_picture_that_no_answer_names_goes(busy: bool) -> None:
    async with ring() as it:
        it.store.busy = busy
        async with it.keys.claim("k", HERE) as claim:
            claim.means("this")
            key = claim.room()
            it.bench.storage.put(key, b"picture")
            if busy:
                await claim.answered(a_picture(key))
        assert it.blobs() == []
        assert len(it.bench.scheduler.pending) == 0
        with pytest.raises(ResultExpired):
            await it.keys.open(a_picture(key))
