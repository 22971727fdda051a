"""Reduced masters of stored images: planned by sizes, kept as long as there is room, made in idle time."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import BinaryIO

from imgsvc.errors import ImgsvcError, Unavailable
from imgsvc.imaging import master
from imgsvc.imaging.levels import Level, level, levels
from imgsvc.imaging.limits import Limits
from imgsvc.imaging.version import RENDER_VERSION
from imgsvc.jobs import Image
from imgsvc.masters import Wanted
from imgsvc.pipeline import Pipeline
from imgsvc.scheduler import Policy, Scheduler, Spare, Suspect
from imgsvc.service.cache import Cache
from imgsvc.service.facts import facts_of
from imgsvc.service.requests import MasterStats
from imgsvc.storage import Storage
from imgsvc.worker import Outcome, Report, Task

_log = logging.getLogger(__name__)

#: Makes the bytes of an image that is not stored readable for workers, under the `key` of the image that it
#: gives, until its context is left.
Hold = Callable[[], AbstractAsyncContextManager[Image]]

#: Bytes of a pixel of a master, at most.
_PIXEL = 4
#: A master that is one part in so many of all their room, or more, is not kept: it would drive out others.
_SHARE = 4
#: One that takes longer than a millisecond or two to write is left to a lane's idle time where its image is
#: seen for the first time, for whoever waits would wait for it.
_QUICK = 4 * 2**20
#: Fills of images that are not stored, at most: for each one its image is copied, or kept from going.
_HELD = 30
#: Images that are known to have been seen, and fills that are known to be in vain.
_REMEMBERED = 4096


@dataclass(slots=True)
class Plan:
    """The master that a render starts from."""

    level: Level
    wanted: Wanted
    #: It is there, and need only be read.
    kept: bool


@dataclass(slots=True, eq=False)
class _Fill:
    """A master that is made because it may be wanted."""

    image: Image
    level: Level
    key: str
    #: Makes the image readable where it is not stored.
    hold: Hold | None
    #: None: the image is not readable yet.
    spare: Spare | None = None
    #: Set when all is said and done.
    over: asyncio.Event = field(default_factory=asyncio.Event)
    #: Nobody wants it any more.
    unwanted: bool = False

    @property
    def running(self) -> bool:
        return self.spare is not None and self.spare.running

    def drop(self) -> None:
        self.unwanted = True
        if self.spare is not None and not self.running:  # what runs is soon over: no process is worth that
            self.spare.kill()


@dataclass(slots=True)
class _Memory:
    """The last few things that have been seen."""

    _seen: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def __contains__(self, what: str) -> bool:
        return what in self._seen

    def add(self, what: str) -> None:
        self._seen[what] = None
        self._seen.move_to_end(what)
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)

    def forget(self, what: str) -> None:
        self._seen.pop(what, None)


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
        self._fills: dict[str, _Fill] = {}
        self._seen, self._vain = _Memory(), _Memory()
        self._filled = 0

    def __repr__(self) -> str:
        return f"<Masters: {self.cache!r}, {len(self._fills)} to be made>"

    @property
    def pending(self) -> int:
        """Masters that wait for idle time, or are being made in it."""
        return len(self._fills)

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
        if entry is None and await self._filled_now(what):
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
            self._fill(image, hold)

    def failed(self, plan: Plan | None) -> None:
        """A render has failed: nothing of its master stays."""
        if plan is not None and plan.wanted.key is not None:
            self.cache.clear(plan.wanted.key)

    def stats(self) -> MasterStats:
        """The counts, and what is kept now."""
        return MasterStats(
            hits=self.cache.counts.hits,
            misses=self.cache.counts.misses,
            filled=self._filled,
            evictions=self.cache.counts.evictions,
            broken=self.cache.counts.broken,
            entries=len(self.cache),
            bytes=self.cache.size,
            limit=self.cache.limit,
        )

    async def purge(self, image: str) -> int:
        """Remove all masters of an image, and keep none that are on their way: how many there were."""
        for fill in self._fills.values():
            if fill.image.id == image:
                fill.drop()
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
        quick = size <= _QUICK or not its.exact or image.id in self._seen
        return quick and self._has_room(size)

    def _has_room(self, size: int) -> bool:
        if size * _SHARE > self.cache.limit:
            return False
        try:
            free = self._storage.free_bytes()
        except Unavailable:
            return False
        return free is None or free - size > self._reserve

    # -- making them in idle time ---------------------------------------------------------------

    def _fill(self, image: Image, hold: Hold | None) -> None:
        """Have every master made that some pipeline may start from and that is not there."""
        if hold is not None and sum(fill.hold is not None for fill in self._fills.values()) >= _HELD:
            return
        for its in levels(facts_of(image), self._side):
            what = digest(image, its)
            missing = not self.cache.has(what) and what not in self._fills and what not in self._vain
            if missing and self._has_room(_bytes(image, its)):
                fill = self._fills[what] = _Fill(image, its, self.cache.fresh(image.id, what), hold)
                self._scheduler.crew.start(self._see_to(what, fill))

    async def _see_to(self, what: str, fill: _Fill) -> None:
        try:
            async with nullcontext(fill.image) if fill.hold is None else fill.hold() as readable:
                if fill.unwanted:
                    return
                fill.spare = self._spare(readable, fill)
                report = await fill.spare.ended
            if report is not None:
                self._fill_ended(what, fill, report)
        except ImgsvcError as error:  # it is gone, or has changed
            _log.info("a master is not made: %s", error)
        finally:
            if self._fills.get(what) is fill:
                del self._fills[what]
            fill.over.set()

    def _spare(self, image: Image, fill: _Fill) -> Spare:
        task = Task(
            storage=self._storage.url,
            source=image.key,
            source_bytes=image.bytes,
            targets=(),
            master=Wanted(level=str(fill.level), key=fill.key),
            limits=self._limits,
        )
        return self._scheduler.spare(task, Suspect(image.id, frozenset({f"master {fill.level}"})))

    async def _filled_now(self, what: str) -> bool:
        """Where this master is being made just now: returns when that is over."""
        fill = self._fills.get(what)
        if fill is None:
            return False
        if not fill.running:
            fill.drop()  # whoever asks makes it sooner
            return False
        await fill.over.wait()
        return True

    def _fill_ended(self, what: str, fill: _Fill, report: Report) -> None:
        if report.outcome is Outcome.SUCCEEDED and report.master is not None:
            self._filled += 1
            self._take(report.master.key, report.master.bytes, stale=fill.unwanted)
            return
        if report.outcome in {Outcome.REFUSED, Outcome.TIMED_OUT}:
            self._vain.add(what)
        self.cache.clear(fill.key)

    def _take(self, key: str, size: int, *, stale: bool) -> None:
        entry = self.cache.entry(key, size)
        if stale:
            self.cache.discard(entry)
        else:
            self.cache.add(entry)


def _bytes(image: Image, its: Level) -> int:
    return its.size(facts_of(image).size).pixels * _PIXEL
