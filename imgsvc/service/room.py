"""Is there room for more work: in the queue, and on the disk? Counted so that nobody overshoots."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from imgsvc.errors import InsufficientStorage, QueueFull
from imgsvc.jobstore import Backlog, JobStore
from imgsvc.scheduler import Policy
from imgsvc.storage import Storage

#: Seconds that an answer of the file system, and of the store, is good for.
_DISK_S, _QUEUE_S = 1.0, 0.2
#: Seconds between two looks at a disk that is nearly full.
_AGAIN_S = 0.05


class Room:
    """Says no before anything is kept: QueueFull, InsufficientStorage.

    Between two looks at the store it adds up what came and takes nothing off for what went, so it never
    thinks that there is more room than there is; before it refuses, it looks again.
    """

    def __init__(
        self, store: JobStore, storage: Storage, policy: Policy, retry_after: Callable[[], float]
    ) -> None:
        self._store = store
        self._storage = storage
        self._policy = policy
        self._retry_after = retry_after
        self._free: int | None = None
        self._free_at = -_DISK_S
        self._jobs = self._bytes = 0
        self._counted_at = -_QUEUE_S
        self._reserved_jobs = self._reserved_bytes = 0

    # -- the queue ------------------------------------------------------------------------------

    async def queue(self) -> None:
        """Raises QueueFull when no further job may wait now."""
        await self._check(jobs=1, size=0)

    @asynccontextmanager
    async def place(self, size: int) -> AsyncIterator[None]:
        """A place in the queue for a job with an image of `size` bytes, while it is being added.

        Raises QueueFull.
        """
        await self._check(jobs=1, size=size)
        self._reserved_jobs += 1
        self._reserved_bytes += size
        try:
            yield
            self._jobs += 1
            self._bytes += size
        finally:
            self._reserved_jobs -= 1
            self._reserved_bytes -= size

    async def _check(self, *, jobs: int, size: int) -> None:
        if time.monotonic() - self._counted_at >= _QUEUE_S:
            await self._count()
        if self._full(jobs, size):
            backlog = await self._count()
            if self._full(jobs, size):
                raise self._refusal(backlog)

    def _full(self, jobs: int, size: int) -> bool:
        policy = self._policy
        return (
            self._jobs + self._reserved_jobs + jobs > policy.queue_limit
            or self._bytes + self._reserved_bytes + size > policy.queue_bytes
        )

    async def _count(self) -> Backlog:
        # What is reserved now may be in the answer or not: it counts as reserved in any case.
        backlog = await self._store.backlog()
        self._jobs, self._bytes = backlog.queued, backlog.bytes
        self._counted_at = time.monotonic()
        return backlog

    def _refusal(self, backlog: Backlog) -> QueueFull:
        policy = self._policy
        if backlog.queued + self._reserved_jobs >= policy.queue_limit:
            detail, limit, actual = "jobs wait", policy.queue_limit, backlog.queued
        else:
            detail, limit, actual = "bytes of images wait", policy.queue_bytes, backlog.bytes
        return QueueFull(
            f"{actual} {detail}; the limit is {limit}",
            limit=limit,
            actual=actual,
            retry_after=self._retry_after(),
        )

    # -- the disk -------------------------------------------------------------------------------

    async def disk(self) -> None:
        """Raises InsufficientStorage when less than the reserve is free."""
        if time.monotonic() - self._free_at >= _DISK_S:
            self._free_at = time.monotonic()
            self._free = await asyncio.to_thread(self._storage.free_bytes)
        self.wrote(0)

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
                "the disk is nearly full", limit=self._policy.disk_reserve, retry_after=self._retry_after()
            )

    async def free_bytes(self) -> int | None:
        """Bytes free for new blobs, where that can be told."""
        return await asyncio.to_thread(self._storage.free_bytes)
