"""Who may come in, asked before a body is read: not while draining, not past a bound, not on a full disk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from imgsvc.errors import Draining, QueueFull, QueueTimeout
from imgsvc.scheduler import Scheduler
from imgsvc.service.room import Place, Room
from imgsvc.service.slots import Slots


@dataclass(frozen=True, kw_only=True)
class Admission:
    """Contexts to be entered before a body is read; what was not used of them is given back."""

    scheduler: Scheduler
    room: Room
    slots: Slots

    @asynccontextmanager
    async def job(self, size: int | None = None) -> AsyncIterator[Place]:
        """For the body of a new job: its place in the queue, for `size` declared bytes.

        Raises Draining, InsufficientStorage and QueueFull.
        """
        await self.check()
        async with self.room.place(size or 0) as place, self.slots.slot(QueueFull):
            self.check_draining()  # it may have begun while a slot was waited for
            yield place

    @asynccontextmanager
    async def aside(self, *, call: bool = False) -> AsyncIterator[None]:
        """For a body that becomes no job: an image to store, or a call with its work.

        Raises Draining, InsufficientStorage and, with too many of them under way, QueueFull; QueueTimeout
        for calls.
        """
        await self.check()
        async with self.slots.slot(QueueTimeout if call else QueueFull):
            self.check_draining()
            yield

    @asynccontextmanager
    async def again(self) -> AsyncIterator[None]:
        """For a body that only has to be recognized: it needs no room. Raises QueueFull."""
        async with self.slots.slot(QueueFull):
            yield

    async def check(self) -> None:
        """Raises Draining and InsufficientStorage."""
        self.check_draining()
        await self.room.disk()

    def check_draining(self) -> None:
        """Raises Draining."""
        if self.scheduler.draining:
            raise Draining("the service is shutting down", retry_after=self.scheduler.retry_after())
