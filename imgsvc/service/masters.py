"""Reduced masters of stored images: planned by sizes, kept as long as there is room, made in idle time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from imgsvc.errors import Unavailable
from imgsvc.imaging import master
from imgsvc.imaging.levels import Level, level, levels
from imgsvc.imaging.limits import Limits
from imgsvc.imaging.version import RENDER_VERSION
from imgsvc.jobs import Image
from imgsvc.masters import Kept, Wanted
from imgsvc.pipeline import Pipeline
from imgsvc.scheduler import Policy, Scheduler
from imgsvc.service.cache import Cache
from imgsvc.service.facts import facts_of
from imgsvc.service.fills import Fills, Hold, Missing
from imgsvc.service.memory import Memory
from imgsvc.service.requests import MasterStats
from imgsvc.storage import Storage
from imgsvc.worker import Report

#: Bytes of a pixel of a master, at most.
_PIXEL = 4
#: A master that is one part in so many of all their room, or more, is not kept: it would drive out others.
_SHARE = 4
#: One that takes longer than a millisecond or two to write is left to a lane's idle time where its image is
#: seen for the first time, for whoever waits would wait for it; and so is any while others wait for a lane.
_QUICK = 4 * 2**20


@dataclass(slots=True)
class Plan:
    """The master that a render starts from."""

    level: Level
    wanted: Wanted
    #: It is there, and need only be read.
    kept: bool


def _hashed(file: BinaryIO) -> str:
    return master.digest(file.read())


def digest(image: Image, its: Level) -> str:
    """What a master is known by: sha256 of all that its bytes depend on."""
    return hashlib.sha256(f"{image.sha256}\n{its}\n{RENDER_VERSION}".encode()).hexdigest()


class Masters:
    """What renders start from instead of the original. A render never fails for want of one."""

    def __init__(self, storage: Storage, scheduler: Scheduler, limits: Limits, policy: Policy) -> None:
        # Where there are none any more, those of an earlier server go.
        room = policy.master_bytes if policy.master_side else 0
        self.cache = Cache(storage, "masters", room, hashed=_hashed)
        self._storage = storage
        self._scheduler = scheduler
        self._limits = limits
        self._side = policy.master_side if policy.master_bytes else 0
        self._reserve = policy.disk_reserve
        self._fills = Fills(
            storage, scheduler, limits, most=policy.spare_tasks, lacks=self._lacking, made=self._filled
        )
        self._seen = Memory()

    def __repr__(self) -> str:
        return f"<Masters: {self.cache!r}, {self._fills!r}>"

    @property
    def pending(self) -> int:
        """Images whose masters wait for idle time, or are being made in it."""
        return self._fills.pending

    def path(self, image: Image, pipeline: Pipeline) -> str:
        """What a render depends on beside the image and the pipeline."""
        # A JPEG's masters are its decoder's own, and change nothing: no need to look.
        its = None if image.format == "jpeg" else self._level(image, pipeline)
        return "direct" if its is None else its.path

    async def plan(self, image: Image, pipeline: Pipeline) -> Plan | None:
        """How a render is to be made; None: from the original. Waits for a fill that is making its master."""
        its = self._level(image, pipeline)
        if its is None:
            return None
        what = digest(image, its)
        entry = await self.cache.look(what)
        if entry is None and await self._fills.over(what):
            entry = await self.cache.look(what)
        if entry is not None:
            self.cache.counts.hits += 1
        else:
            self.cache.counts.misses += 1
        key = self.cache.fresh(image.id, what) if self._worth_keeping(image, its) else None
        wanted = Wanted(level=str(its), at=None if entry is None else entry.key, key=key)
        return Plan(its, wanted, kept=entry is not None)

    def made(
        self, image: Image, plan: Plan | None, report: Report, *, stale: bool, hold: Hold | None = None
    ) -> None:
        """A render has succeeded: take in what it has kept, and have made what may be wanted next.

        `stale`: its image has been purged meanwhile. `hold`: the image is not stored, and readable only
        within this.
        """
        kept = report.master
        if kept is not None:
            self._take(kept.key, kept.bytes, stale=stale)
        if not stale and (plan is None or not plan.kept):
            self._seen.add(image.id)
            if self._may_have(image):
                self._fills.add(image, hold)

    def failed(self, plan: Plan | None) -> None:
        """A render has failed: nothing of its master stays."""
        if plan is not None and plan.wanted.key is not None:
            self.cache.clear(plan.wanted.key)

    def stats(self) -> MasterStats:
        """The counts, and what is kept now."""
        return MasterStats(
            hits=self.cache.counts.hits,
            misses=self.cache.counts.misses,
            filled=self._fills.filled,
            evictions=self.cache.counts.evictions,
            broken=self.cache.counts.broken,
            entries=len(self.cache),
            bytes=self.cache.size,
            limit=self.cache.limit,
        )

    async def purge(self, image: str) -> int:
        """Remove all masters of an image, and keep none that are on their way: how many there were."""
        self._fills.drop(image)
        self._seen.forget(image)  # who asks next is a first visitor, and pays for no others
        return await self.cache.purge(image)

    def _level(self, image: Image, pipeline: Pipeline) -> Level | None:
        if not self._may_have(image):
            return None
        return level(facts_of(image), pipeline, self._side, self._limits.reduce_gap)

    def _may_have(self, image: Image) -> bool:
        return image.frames == 1 and 0 < self._side < max(image.width, image.height)

    def _worth_keeping(self, image: Image, its: Level) -> bool:
        """Is it to be kept by the render that makes it?"""
        size = _bytes(image, its)
        quick = size <= _QUICK and not self._scheduler.waiting
        return (quick or not its.exact or image.id in self._seen) and self._has_room(size)

    def _has_room(self, size: int) -> bool:
        if size * _SHARE > self.cache.limit:
            return False
        try:
            free = self._storage.free_bytes()
        except Unavailable:
            return False
        return free is None or free - size > self._reserve

    # -- made in idle time -----------------------------------------------------------------------

    def _lacking(self, image: Image) -> Iterator[Missing]:
        """Every master that some pipeline may start from and that is not there."""
        for its in levels(facts_of(image), self._side):
            what = digest(image, its)
            if not self.cache.has(what) and self._has_room(_bytes(image, its)):
                yield Missing(what, its, self.cache.fresh(image.id, what))

    def _filled(self, key: str, kept: Kept | None, unwanted: bool) -> None:
        if kept is None:
            self.cache.clear(key)
        else:
            self._take(kept.key, kept.bytes, stale=unwanted)

    def _take(self, key: str, size: int, *, stale: bool) -> None:
        entry = self.cache.entry(key, size)
        if stale:
            self.cache.discard(entry)
        else:
            self.cache.add(entry)


def _bytes(image: Image, its: Level) -> int:
    return its.size(facts_of(image).size).pixels * _PIXEL
