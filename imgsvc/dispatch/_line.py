"""Who is free, and who waits for one that is: first come, first served."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Line(Generic[T]):
    """Things that are offered, taken and put back; nobody waits while one is free."""

    def __init__(self) -> None:
        self._offered: set[T] = set()
        self._taken: set[T] = set()
        #: Offered and not taken; the one used last is at the end.
        self._free: list[T] = []
        self._waiting: deque[asyncio.Future[T]] = deque()

    def __repr__(self) -> str:
        return f"<Line free={len(self._free)} taken={len(self._taken)} waiting={len(self._waiting)}>"

    def offer(self, thing: T) -> None:
        """It can be taken, now or as soon as it is put back."""
        self._offered.add(thing)
        self._pass_on(thing)

    def withdraw(self, thing: T) -> None:
        """It can't be taken until it is offered again; who has it may keep it."""
        self._offered.discard(thing)
        if thing in self._free:
            self._free.remove(thing)

    async def take(self) -> T:
        """Wait for one; canceling this loses none."""
        if self._free:
            thing = self._free.pop()  # used last: its caches are warm
            self._taken.add(thing)
            return thing
        waiter: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self.put_back(waiter.result())  # it was given one in the same moment
            raise

    def put_back(self, thing: T) -> None:
        """Whoever took it is done with it."""
        self._taken.discard(thing)
        self._pass_on(thing)

    def dismiss(self, error: Exception) -> None:
        """Everyone who waits gets this error."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_exception(error)

    def _pass_on(self, thing: T) -> None:
        if thing in self._taken or thing not in self._offered or thing in self._free:
            return
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                self._taken.add(thing)
                waiter.set_result(thing)
                return
        self._free.append(thing)
