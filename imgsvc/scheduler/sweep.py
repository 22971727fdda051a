"""Removes what has expired, what is over the cap on results, and what no record names."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import islice

from imgsvc.errors import Unavailable
from imgsvc.jobs import Job, owner
from imgsvc.jobstore import JobStore
from imgsvc.scheduler.clock import Clock
from imgsvc.scheduler.pending import Pending
from imgsvc.storage import Shelves

_log = logging.getLogger(__name__)

#: Records or keys at a time: small enough that nobody notices.
_SOME = 200
#: Only a crash leaves blobs that no record names, and after a crash there is a start.
_STRAYS_EVERY_S = 3600.0
#: Two sweeps are never closer than this, however soon something expires.
_SHORTEST_S = 0.5
#: Where blobs are that a record should name.
_ROOMS = ("images", "results", "answers")
#: Results over their cap make room down to this part of it: room for a while, not for the next one only.
LOW_WATER = 0.9


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep has removed."""

    #: Jobs whose time was up, and those whose results were over the cap.
    expired: int = 0
    crowded: int = 0
    #: Images that nothing kept any more.
    images: int = 0
    #: Receipts whose answers nobody can ask for any more.
    receipts: int = 0
    #: Files of those jobs, images and receipts; files that no record named; uploads that came to nothing.
    blobs: int = 0
    strays: int = 0
    staged: int = 0
    #: Of all these files.
    bytes: int = 0
    #: Files that could not be removed now.
    failed: int = 0

    def counted_as(self, what: str) -> Swept:
        """The same with its blobs under another name."""
        return replace(self, **{"blobs": 0, what: self.blobs})

    def __add__(self, other: Swept) -> Swept:
        return Swept(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(Swept)))


class Sweeper:
    """Sweeps at the start, at an interval, and soon after what it was told of expires or is too much.

    Records go before their blobs: a crash in between leaves a blob that no record names. Whoever has a
    blob open reads it to its end.
    """

    def __init__(  # what it works on, and the bounds that it keeps
        self,
        store: JobStore,
        storage: Shelves,
        pending: Pending,
        *,
        boot: str,
        interval_s: float,
        clock: Clock,
        result_bytes: int | None = None,
    ) -> None:
        self._store = store
        self._storage = storage
        self._pending = pending
        self._boot = boot
        self._interval_s = interval_s
        self._clock = clock
        #: Batches whose results are on their way to somebody, file by file: they make no room meanwhile.
        self.fetched = Pending()
        #: The cap on the bytes of all results.
        self._cap = result_bytes
        #: Bytes of results that the store told of, and of those that were heard of since it was asked.
        self._told = self._heard = 0
        #: Has a job ended with which they may be over their cap?
        self.hurries = False
        #: Is told the ids of images that are forgotten, before their bytes are removed.
        self.forgotten: Callable[[Iterable[str]], Awaitable[None]] = _nobody
        self._soonest: int | None = None
        self._sooner = asyncio.Event()

    def expect(self, at: int | None) -> None:
        """Something expires at `at`."""
        if at is not None and (self._soonest is None or at < self._soonest):
            self._soonest = at
            self._sooner.set()

    def ended(self, job: Job) -> None:
        """A job has ended, and the record says so."""
        self.expect(job.expires_at)
        if job.results:
            self._heard += sum(result.bytes for result in job.results)
            # Never less than there are: what the store was told of while it was asked may count twice.
            if self._cap is not None and self._told + self._heard > self._cap:
                self.hurries = True
                self._sooner.set()

    async def run(self) -> None:
        """Sweep until canceled."""
        strays_at = time.monotonic()
        while True:
            await _tried(self.due)
            # Also when that was cut short by a full disk: this makes room without writing anything.
            if time.monotonic() >= strays_at and await _tried(self.strays) and await _tried(self.tidy):
                strays_at = time.monotonic() + _STRAYS_EVERY_S
            await self._pause()

    async def everything(self) -> Swept:
        """One whole sweep: what it has removed. First what makes room without writing anything."""
        swept = await self.strays() + await self.due()
        await self.tidy()
        return swept

    async def due(self) -> Swept:
        """Remove what has had its time, results over the cap, and memories that are old enough."""
        self._soonest, self.hurries = None, False
        now = self._clock()
        swept = Swept()
        while jobs := await self._store.expire(now, limit=_SOME):
            swept += Swept(expired=len(jobs)) + await self.remove_results(jobs)
        swept += await self._make_room(now)
        swept += await self.remove_unneeded_images()
        swept += await self._remove_receipts(now)
        await self._store.expire_batches(now)
        await self._store.forget(now)
        self.expect(await self._store.next_expiry())
        return swept

    async def _make_room(self, now: int) -> Swept:
        """Remove the jobs that ended first while the results are over their cap."""
        if self._cap is None:
            return Swept()
        swept = Swept()
        heard, held = self._heard, (await self._store.stored()).results
        if held > self._cap:
            down_to = int(self._cap * LOW_WATER)
            while jobs := await self._store.make_room(
                now, down_to=down_to, limit=_SOME, spare=self.fetched.keys()
            ):
                swept += Swept(crowded=len(jobs)) + await self.remove_results(jobs)
            if swept.crowded:
                _log.info("results were over their cap", extra={"jobs": swept.crowded, "bytes": swept.bytes})
            heard, held = self._heard, (await self._store.stored()).results
        self._told, self._heard = held, self._heard - heard
        return swept

    async def strays(self) -> Swept:
        """Remove the blobs that no record names and nobody is writing, and what dead boots staged."""
        swept = Swept()
        for room in _ROOMS:
            keys = await asyncio.to_thread(self._storage.keys, room)
            while some := await asyncio.to_thread(_take, keys):
                # First who is writing, then what is recorded: see Pending.
                idle = [key for key in some if _blob(key) not in self._pending]
                known = await self._store.known_keys(idle)
                swept += (await self.remove(key for key in idle if key not in known)).counted_as("strays")
        staged = await asyncio.to_thread(_staged, self._storage)
        dead = [key for key in staged if not key.startswith(f"staging/{self._boot}/")]
        return swept + (await self.remove(dead)).counted_as("staged")

    async def tidy(self) -> None:
        """Remove what all that was removed has left, such as empty folders."""
        for room in (*_ROOMS, "staging"):
            await asyncio.to_thread(self._storage.tidy, room, spare=f"staging/{self._boot}")

    async def remove_results(self, jobs: Iterable[Job]) -> Swept:
        """Remove the blobs of jobs whose record is gone."""
        return await self.remove(result.key for job in jobs for result in job.results)

    async def remove_unneeded_images(self) -> Swept:
        """Forget and remove the images that nobody needs any more."""
        swept = Swept()
        now = self._clock()
        while keys := await self._store.unneeded_images(now, limit=_SOME):
            await self.forgotten([image for key in keys if (image := owner(key)) is not None])
            swept += Swept(images=len(keys)) + await self.remove(keys)
        return swept

    async def _remove_receipts(self, now: int) -> Swept:
        swept, removed = Swept(), _SOME
        while removed == _SOME:
            removed, keys = await self._store.expire_receipts(now, limit=_SOME)
            swept += Swept(receipts=removed) + await self.remove(keys)
        return swept

    async def remove(self, keys: Iterable[str]) -> Swept:
        """Remove blobs; one that can't be removed now is left to a later sweep."""
        some = tuple(keys)
        return await asyncio.to_thread(self._remove, some) if some else Swept()

    async def remove_traces(self, keys: Iterable[str]) -> None:
        """Remove blobs that a killed worker may have written, whole or half."""
        await asyncio.to_thread(self._remove_traces, frozenset(keys))

    def _remove_traces(self, keys: frozenset[str]) -> None:
        for folder in {key.rpartition("/")[0] for key in keys}:
            try:
                self._remove([key for key in self._storage.keys(folder) if _blob(key) in keys])
            except Unavailable as error:
                _log.warning("what a killed worker left could not be looked for: %s", error)

    def _remove(self, keys: Sequence[str]) -> Swept:
        blobs = freed = failed = 0
        for key in keys:
            try:
                size = self._storage.size(key)
                self._storage.delete(key)
            except FileNotFoundError:  # it has vanished before
                pass
            except Unavailable as error:
                failed += 1
                _log.warning("a blob could not be removed: %s", error)
            else:
                blobs += 1
                freed += size
        return Swept(blobs=blobs, bytes=freed, failed=failed)

    async def _pause(self) -> None:
        await asyncio.sleep(_SHORTEST_S)
        until = time.monotonic() + self._interval_s - _SHORTEST_S
        while True:
            self._sooner.clear()
            left = 0.0 if self.hurries else until - time.monotonic()
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


async def _tried(sweep: Callable[[], Awaitable[object]]) -> bool:
    """Did it end as it should? What fails is tried again; it must not end all sweeping."""
    try:
        await sweep()
    except Unavailable as error:
        _log.warning("a sweep was cut short: %s", error)
    except Exception:  # noqa: BLE001  # whatever it is
        _log.exception("a sweep failed")
    else:
        return True
    return False


async def _nobody(_: Iterable[str]) -> None:
    """Nobody wants to know."""


def _blob(key: str) -> str:
    """The blob that a file belongs to: a half-written one has its blob's key, a dot and something."""
    return key.partition(".")[0]


def _take(keys: Iterator[str]) -> list[str]:
    return list(islice(keys, _SOME))


def _staged(storage: Shelves) -> list[str]:
    return list(storage.keys("staging"))
