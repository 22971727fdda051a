"""Removes what has expired and what no record names."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from imgsvc.errors import Unavailable
from imgsvc.jobs import Job
from imgsvc.jobstore import JobStore
from imgsvc.scheduler.clock import Clock
from imgsvc.scheduler.pending import Pending
from imgsvc.storage import Storage

_log = logging.getLogger(__name__)

#: Records or keys at a time: small enough that nobody notices.
_SOME = 200
#: Only a crash leaves blobs that no record names, and after a crash there is a start.
_ORPHANS_EVERY_S = 3600.0
#: Two sweeps are never closer than this, however soon something expires.
_SHORTEST_S = 0.5
#: Where blobs are that a record should name.
_ROOMS = ("images", "results", "answers")


class Sweeper:
    """Sweeps at the start, at an interval, and soon after something that it was told of expires.

    Records go before their blobs: a crash in between leaves a blob that no record names.
    """

    def __init__(
        self,
        store: JobStore,
        storage: Storage,
        pending: Pending,
        *,
        boot: str,
        interval_s: float,
        clock: Clock,
    ) -> None:
        self._store = store
        self._storage = storage
        self._pending = pending
        self._boot = boot
        self._interval_s = interval_s
        self._clock = clock
        self._soonest: int | None = None
        self._sooner = asyncio.Event()

    def expect(self, at: int | None) -> None:
        """Something expires at `at`."""
        if at is not None and (self._soonest is None or at < self._soonest):
            self._soonest = at
            self._sooner.set()

    async def run(self) -> None:
        """Sweep until canceled."""
        orphans_at = time.monotonic()
        while True:
            try:
                await self.expired()
                if time.monotonic() >= orphans_at:
                    await self.orphans()
                    orphans_at = time.monotonic() + _ORPHANS_EVERY_S
            except Unavailable as error:
                _log.warning("a sweep was cut short: %s", error)
            except Exception:  # noqa: BLE001  # a sweep that fails is tried again, it must not end all sweeping
                _log.exception("a sweep failed")
            await self._pause()

    async def expired(self) -> None:
        """Remove jobs, images, batches and receipts whose time is up, and memories older than theirs."""
        self._soonest = None
        now = self._clock()
        while jobs := await self._store.expire(now, limit=_SOME):
            await self.remove_results(jobs)
        await self.remove_unneeded_images()
        await self._remove_receipts(now)
        await self._store.expire_batches(now)
        await self._store.forget(now)
        self.expect(await self._store.next_expiry())

    async def orphans(self) -> None:
        """Remove the blobs that no record names and nobody is writing, and what dead boots staged."""
        for room in _ROOMS:
            keys = await asyncio.to_thread(self._storage.keys, room)
            while some := await asyncio.to_thread(_take, keys):
                # First who is writing, then what is recorded: see Pending.
                idle = [key for key in some if _blob(key) not in self._pending]
                known = await self._store.known_keys(idle)
                await self.remove(key for key in idle if key not in known)
        staged = await asyncio.to_thread(_staged, self._storage)
        await self.remove(key for key in staged if not key.startswith(f"staging/{self._boot}/"))

    async def remove_results(self, jobs: Iterable[Job]) -> None:
        """Remove the blobs of jobs whose record is gone."""
        await self.remove(result.key for job in jobs for result in job.results)

    async def remove_unneeded_images(self) -> None:
        """Forget and remove the images that nobody needs any more."""
        now = self._clock()
        while keys := await self._store.unneeded_images(now, limit=_SOME):
            await self.remove(keys)

    async def _remove_receipts(self, now: int) -> None:
        removed = _SOME
        while removed == _SOME:
            removed, keys = await self._store.expire_receipts(now, limit=_SOME)
            await self.remove(keys)

    async def remove(self, keys: Iterable[str]) -> None:
        """Remove blobs; one that can't be removed now is left to a later sweep."""
        if some := tuple(keys):
            await asyncio.to_thread(self._remove, some)

    async def remove_traces(self, keys: Iterable[str]) -> None:
        """Remove blobs that a killed worker may have written, whole or half."""
        await asyncio.to_thread(self._remove_traces, frozenset(keys))

    def _remove_traces(self, keys: frozenset[str]) -> None:
        for folder in {key.rpartition("/")[0] for key in keys}:
            try:
                self._remove([key for key in self._storage.keys(folder) if _blob(key) in keys])
            except Unavailable as error:
                _log.warning("what a killed worker left could not be looked for: %s", error)

    def _remove(self, keys: Sequence[str]) -> None:
        for key in keys:
            try:
                self._storage.delete(key)
            except Unavailable as error:
                _log.warning("a blob could not be removed: %s", error)

    async def _pause(self) -> None:
        await asyncio.sleep(_SHORTEST_S)
        until = time.monotonic() + self._interval_s - _SHORTEST_S
        while True:
            self._sooner.clear()
            left = until - time.monotonic()
            if self._soonest is not None:
                left = min(left, (self._soonest - self._clock()) / 1000)
            if left <= 0:
                return
            try:
                # Not wait_for: up to Python 3.11 it swallows a cancellation that comes with the event.
                async with asyncio.timeout(left):
                    await self._sooner.wait()
            except TimeoutError:
                return


def _blob(key: str) -> str:
    """The blob that a file belongs to: a half-written one has its blob's key, a dot and something."""
    return key.partition(".")[0]


def _take(keys: Iterator[str]) -> list[str]:
    return list(islice(keys, _SOME))


def _staged(storage: Storage) -> list[str]:
    return list(storage.keys("staging"))
