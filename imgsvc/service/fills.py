"""Reduced masters made in idle time because they may be wanted: one image after the other, level by level."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field

from imgsvc.errors import ImgsvcError
from imgsvc.imaging.levels import Level
from imgsvc.imaging.limits import Limits
from imgsvc.jobs import Image
from imgsvc.masters import Kept, Wanted
from imgsvc.scheduler import Scheduler, Spare, Suspect
from imgsvc.service.memory import Memory
from imgsvc.storage import Storage
from imgsvc.worker import Outcome, Report, Task

_log = logging.getLogger(__name__)

#: Makes the bytes of an image that is not stored readable for workers, under the `key` of the image that it
#: gives, until its context is left.
Hold = Callable[[], AbstractAsyncContextManager[Image]]


@dataclass(frozen=True, slots=True)
class Missing:
    """A master that an image could have and has not."""

    #: What it is known by.
    digest: str
    level: Level
    #: Where it is to be kept; to be stamped.
    key: str


@dataclass(slots=True, eq=False)
class _Due:
    """An image that may lack masters."""

    image: Image
    #: Makes the image readable where it is not stored.
    hold: Hold | None
    #: Its image has been purged.
    unwanted: bool = False


@dataclass(slots=True, eq=False)
class _Fill:
    """A master that waits for an idle lane, or is being made on one."""

    image: str
    spare: Spare
    #: Set when all is said and done.
    over: asyncio.Event = field(default_factory=asyncio.Event)
    #: Nobody wants it any more.
    unwanted: bool = False

    def drop(self) -> None:
        self.unwanted = True
        if not self.spare.running:  # what runs is soon over: no process is worth that
            self.spare.kill()


class Fills:
    """Which images are due, and the masters that are on their way.

    To be due costs next to nothing, for a busy server hears of many images that it will never come to: all
    that is to be said of a task is put together when a lane could have it.
    """

    def __init__(
        self,
        storage: Storage,
        scheduler: Scheduler,
        limits: Limits,
        *,
        most: int,
        lacks: Callable[[Image], Iterator[Missing]],
        made: Callable[[str, Kept | None, bool], None],
    ) -> None:
        """At most `most` images are due. `lacks` gives the masters that an image has not and that there is
        room for, each when it is asked for; `made` is told a key, what was kept under it, None where nothing
        was, and whether the image has been purged.
        """
        self._storage = storage
        self._scheduler = scheduler
        self._limits = limits
        self._most = most
        self._lacks = lacks
        self._made = made
        #: By image id, the longest due first.
        self._due: OrderedDict[str, _Due] = OrderedDict()
        self._under_way: set[_Due] = set()
        self._fills: dict[str, _Fill] = {}
        #: Masters that can't be made.
        self._vain = Memory()
        self._workers = 0
        #: How many have been made and kept.
        self.filled = 0

    def __repr__(self) -> str:
        return f"<Fills: {len(self._due)} images due, masters: {len(self._fills)} under way>"

    @property
    def pending(self) -> int:
        """Images that are due, or being seen to."""
        return len(self._due) + len(self._under_way)

    def add(self, image: Image, hold: Hold | None) -> None:
        """An image is due: what it lacks is made when a lane is idle and nobody waits; maybe never.

        Of too many the longest due is dropped: what was wanted last is most likely to be of use.
        """
        self._due[image.id] = _Due(image, hold)
        self._due.move_to_end(image.id)
        while len(self._due) > self._most:
            self._due.popitem(last=False)
        if self._due and self._workers < self._scheduler.spare_lanes:
            self._workers += 1
            self._scheduler.crew.start(self._work())

    def drop(self, image: str) -> None:
        """An image has been purged: nothing is made of it any more."""
        self._due.pop(image, None)
        for due in self._under_way:
            due.unwanted = due.unwanted or due.image.id == image
        for fill in self._fills.values():
            if fill.image == image:
                fill.drop()

    async def over(self, digest: str) -> bool:
        """Where this master is being made just now: returns when that is over."""
        fill = self._fills.get(digest)
        if fill is None:
            return False
        if not fill.spare.running:
            fill.drop()  # whoever asks makes it sooner
            return False
        await fill.over.wait()
        return True

    async def _work(self) -> None:
        """See to what is due until nothing is: one master at a time."""
        try:
            while self._due and not self._scheduler.draining:
                _, due = self._due.popitem(last=False)
                self._under_way.add(due)
                try:
                    await self._see_to(due)
                except ImgsvcError as error:  # it is gone, or has changed
                    _log.info("a master is not made: %s", error)
                finally:
                    self._under_way.discard(due)
        finally:
            self._workers -= 1

    async def _see_to(self, due: _Due) -> None:
        if next(self._lacking(due.image), None) is None:
            return
        async with nullcontext(due.image) if due.hold is None else due.hold() as readable:
            for missing in self._lacking(due.image):
                if due.unwanted:
                    return
                await self._make(readable, missing)

    def _lacking(self, image: Image) -> Iterator[Missing]:
        for missing in self._lacks(image):
            if missing.digest not in self._fills and missing.digest not in self._vain:
                yield missing

    async def _make(self, image: Image, missing: Missing) -> None:
        fill = self._fills[missing.digest] = _Fill(image.id, self._spare(image, missing))
        try:
            report = await fill.spare.ended
            if report is not None:
                self._ended(missing, fill, report)
        finally:
            del self._fills[missing.digest]
            fill.over.set()

    def _spare(self, image: Image, missing: Missing) -> Spare:
        task = Task(
            storage=self._storage.url,
            source=image.key,
            source_bytes=image.bytes,
            targets=(),
            master=Wanted(level=str(missing.level), key=missing.key),
            limits=self._limits,
        )
        return self._scheduler.spare(task, Suspect(image.id, frozenset({f"master {missing.level}"})))

    def _ended(self, missing: Missing, fill: _Fill, report: Report) -> None:
        kept = report.master if report.outcome is Outcome.SUCCEEDED else None
        if report.outcome in {Outcome.REFUSED, Outcome.TIMED_OUT}:
            self._vain.add(missing.digest)
        self.filled += kept is not None
        self._made(missing.key, kept, fill.unwanted)
