"""How many uploads may be under way at once: the next ones wait a moment, and are told when to come back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from imgsvc.errors import Unavailable
from imgsvc.scheduler import Rate

#: Seconds that an upload waits for a slot before its body is read: short, as its client only sees silence.
_PATIENCE_S = 2.0


class Slots:
    """A semaphore that can say how long it will take."""

    def __init__(self, limit: int, patience: float = _PATIENCE_S) -> None:
        self.limit = limit
        self._patience = patience
        self._free = asyncio.Semaphore(limit)
        self._rate = Rate(limit)
        #: Uploads that have a slot, and that wait for one.
        self.taken = self.waiting = 0

    def __repr__(self) -> str:
        return f"<Slots {self.taken} of {self.limit} taken, {self.waiting} waiting>"

    @asynccontextmanager
    async def slot(self, refusal: type[Unavailable]) -> AsyncIterator[None]:
        """One of the slots; raises `refusal` when none was free in time."""
        if self._free.locked():
            await self._wait(refusal)
        else:
            await self._free.acquire()
        self.taken += 1
        began = time.monotonic()
        try:
            yield
        finally:
            self.taken -= 1
            self._free.release()
            self._rate.took(time.monotonic() - began)

    async def _wait(self, refusal: type[Unavailable]) -> None:
        self.waiting += 1
        try:
            async with asyncio.timeout(self._patience):
                await self._free.acquire()
        except TimeoutError:
            raise refusal(
                f"{self.limit} uploads are under way; that is the limit",
                limit=self.limit,
                actual=self.limit,
                retry_after=self._rate.retry_after(self.waiting),
            ) from None
        finally:
            self.waiting -= 1
