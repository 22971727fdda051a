"""Is there room for more work: in the queue, and on the disk? Counted so that nobody overshoots."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from imgsvc.errors import InsufficientStorage, QueueFull
from imgsvc.jobstore import Backlog, JobStore
from imgsvc.scheduler import Policy
from imgsvc.storage import Storage

#: Seconds that an answer of the file system, and of the store, is good for.
_DISK_S, _QUEUE_S = 1.0, 0.2
#: Seconds between two looks at a disk that is nearly full.
_AGAIN_S = 0.05
#: Bytes that are made free, beside the reserve, when something could not be written: a large result or two.
_URGENT = 16 * 1024 * 1024
#: Seconds between two looks at a queue that may be full, and how long it is doubted.
_DOUBT_S, _PATIENCE_S = 0.01, 0.5


@dataclass(slots=True)
class _Load:
    """So many jobs, and the bytes of their images."""

    jobs: int = 0
    bytes: int = 0

    def add(self, jobs: int, size: int) -> None:
        self.jobs += jobs
        self.bytes += size


class Place:
    """One job's place in the queue, from before its body is read until it is added or refused.

    Or that of several jobs which come and are added together.
    """

    def __init__(self, room: Room, size: int, jobs: int = 1) -> None:
        self._room = room
        self._jobs = jobs
        self._held = True
        self._adding = False
        #: Bytes that it is reserved for.
        self.size = size

    @property
    def held(self) -> bool:
        """Is it still reserved?"""
        return self._held

    async def grow(self, size: int) -> None:
        """So many bytes have come: what is more than was declared is reserved too. Raises QueueFull."""
        if (more := size - self.size) > 0:
            await self._room.find(jobs=0, size=more)
            self.size = size
            self._room.reserved.add(0, more)

    async def widen(self, jobs: int) -> None:
        """It is for so many jobs, as has turned out. Raises QueueFull."""
        if (more := jobs - self._jobs) > 0:
            await self._room.find(jobs=more, size=0)
            self._jobs = jobs
            self._room.reserved.add(more, 0)

    def leave(self) -> None:
        """Give it back, unless a job is just being added in it: that one's end does it then."""
        if not self._adding:
            self.end()

    def begin(self, size: int) -> None:
        """A job with an image of so many bytes is being added."""
        self._adding = True
        self._room.reserved.add(0, size - self.size)
        self._room.settling.add(self._jobs, size)
        self.size = size

    def end(self) -> None:
        """It is not reserved any more."""
        if self._adding:
            self._room.settling.add(-self._jobs, -self.size)
        if self._held:
            self._room.reserved.add(-self._jobs, -self.size)
        self._held = self._adding = False


class Room:
    """Says no before anything is kept: QueueFull, InsufficientStorage.

    Between two looks at the store it adds up what came and takes nothing off for what went, so it never
    thinks that there is more room than there is; before it refuses, it looks again. A job that is added
    while it looks may be counted twice: then it looks until it is sure.
    """

    def __init__(
        self, store: JobStore, storage: Storage, policy: Policy, retry_after: Callable[[int | None], float]
    ) -> None:
        self._store = store
        self._storage = storage
        self._policy = policy
        #: When to come back, for a backlog of so many jobs (None: what waits now).
        self._retry_after = retry_after
        #: Gives up so many bytes of what can be made again, or all there is of it: how many it was.
        self.spare: Callable[[int], Awaitable[int]] = _nothing_to_spare
        self._free: int | None = None
        self._free_at = -_DISK_S
        self._waiting = _Load()
        self._counted_at = -_QUEUE_S
        #: What has a place and is not in the queue yet; of that, what is being added; and all that was added.
        self.reserved, self.settling, self._added = _Load(), _Load(), _Load()
        #: What the last look may have counted twice.
        self._doubt = _Load()

    # -- the queue ------------------------------------------------------------------------------

    async def reserve(self, size: int, *, jobs: int = 1) -> Place:
        """A place for jobs with images of so many bytes; it must be left. Raises QueueFull."""
        await self.find(jobs=jobs, size=size)
        self.reserved.add(jobs, size)
        return Place(self, size, jobs)

    @asynccontextmanager
    async def place(self, size: int) -> AsyncIterator[Place]:
        """A place while a body of so many bytes (as far as is known) comes in. Raises QueueFull."""
        place = await self.reserve(size)
        try:
            yield place
        finally:
            place.leave()

    @asynccontextmanager
    async def adding(self, size: int, place: Place | None = None, *, jobs: int = 1) -> AsyncIterator[None]:
        """While a job with an image of `size` bytes is added: in its place, or in a new one.

        Or several jobs, with so many bytes together. Raises QueueFull.
        """
        if place is None or not place.held:
            place = await self.reserve(size, jobs=jobs)
        else:
            await place.grow(size)
            await place.widen(jobs)
        place.begin(size)
        try:
            yield
            self._waiting.add(jobs, size)
            self._added.add(jobs, size)
        finally:
            place.end()

    async def find(self, *, jobs: int, size: int) -> None:
        """Returns when there is room for so much more; raises QueueFull."""
        if time.monotonic() - self._counted_at >= _QUEUE_S:
            await self._count()
        until = time.monotonic() + _PATIENCE_S
        while self._full(jobs, size, _NOTHING):
            backlog = await self._count()
            if not self._full(jobs, size, _NOTHING):
                return
            if self._full(jobs, size, self._doubt) or time.monotonic() >= until:
                raise self._refusal(backlog, jobs)
            await asyncio.sleep(_DOUBT_S)

    def _full(self, jobs: int, size: int, doubt: _Load) -> bool:
        """Too full for so much more, also without what may have been counted twice?"""
        policy, taken, reserved = self._policy, self._waiting, self.reserved
        return (
            taken.jobs + reserved.jobs - doubt.jobs + jobs > policy.queue_limit
            or taken.bytes + reserved.bytes - doubt.bytes + size > policy.queue_bytes
        )

    async def _count(self) -> Backlog:
        jobs, size = self._added.jobs, self._added.bytes
        backlog = await self._store.backlog()
        # What was added meanwhile may be in the answer or not, and so may what is being added.
        jobs, size = self._added.jobs - jobs, self._added.bytes - size
        self._waiting = _Load(backlog.queued + jobs, backlog.bytes + size)
        self._doubt = _Load(jobs + self.settling.jobs, size + self.settling.bytes)
        self._counted_at = time.monotonic()
        return backlog

    def _refusal(self, backlog: Backlog, jobs: int) -> QueueFull:
        policy, reserved = self._policy, self.reserved
        if backlog.queued + reserved.jobs + jobs > policy.queue_limit:
            what, limit, actual = "jobs wait or come in", policy.queue_limit, backlog.queued + reserved.jobs
        else:
            what, limit, actual = "bytes wait or come in", policy.queue_bytes, backlog.bytes + reserved.bytes
        return QueueFull(
            f"{actual} {what}; the limit is {limit}",
            limit=limit,
            actual=actual,
            retry_after=self._retry_after(backlog.queued + reserved.jobs),
        )

    # -- the disk -------------------------------------------------------------------------------

    async def disk(self) -> None:
        """Raises InsufficientStorage when less than the reserve is free."""
        if time.monotonic() - self._free_at >= _DISK_S:
            self._free_at = time.monotonic()
            await self._look()
        self.wrote(0)

    async def relieve(self, *, urgent: bool = False) -> bool:
        """Have what can be made again make room where the disk is below its reserve: was any made?

        `urgent`: something could not be written for want of room, so the reserve may be no measure.
        """
        if not urgent and time.monotonic() - self._free_at < _DISK_S:
            return False
        return await self._look(_URGENT if urgent else 0)

    async def _look(self, more: int = 0) -> bool:
        """Look at the disk, and make room where less than the reserve and `more` is free: was any made?"""
        self._free_at = time.monotonic()
        self._free = await asyncio.to_thread(self._storage.free_bytes)
        missing = self._policy.disk_reserve + more - self._free if self._free is not None else more
        if missing <= 0 or not await self.spare(missing):
            return False
        self._free = await asyncio.to_thread(self._storage.free_bytes)
        return True

    def wrote(self, size: int) -> None:
        """So many bytes more are on the disk. Raises InsufficientStorage when they touch the reserve."""
        if self._free is None:
            return
        self._free -= size
        if self._free < self._policy.disk_reserve and time.monotonic() - self._free_at > _AGAIN_S:
            # What was written may be gone again; a look costs microseconds.
            self._free_at = time.monotonic()
            self._free = self._storage.free_bytes()
        if self._free is not None and self._free < self._policy.disk_reserve:
            raise InsufficientStorage(
                "the disk is nearly full",
                limit=self._policy.disk_reserve,
                retry_after=self._retry_after(None),
            )


_NOTHING = _Load()


async def _nothing_to_spare(_: int) -> int:
    return 0
