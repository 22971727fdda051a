"""Work that is under way, shared by all who want the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

_Done = TypeVar("_Done")


class Flight(Generic[_Done]):
    """One piece of work under way, and how many wait for it."""

    def __init__(self, about: str) -> None:
        #: What it is about, such as an image's id: see `Flights.about`.
        self.about = about
        #: Has it begun to cost something? Until then it is given up when nobody waits for it any more.
        self.started = False
        #: What it is about has changed or gone meanwhile: what it comes to is of no use to later requests.
        self.stale = False
        self._task: asyncio.Task[_Done]
        self._waiting = 0
        self._began = asyncio.Event()
        #: When it started, by the loop's clock.
        self._since = 0.0

    def start(self) -> None:
        """From here on it goes on to its end, whoever waits."""
        self.started = True
        self._since = asyncio.get_running_loop().time()
        self._began.set()

    def _begin(self, work: Coroutine[Any, Any, _Done]) -> asyncio.Task[_Done]:
        self._task = asyncio.create_task(work)
        return self._task

    async def join(self) -> _Done:
        """What it comes to; a caller that is cancelled leaves it to the others."""
        self._waiting += 1
        try:
            return await asyncio.shield(self._task)
        finally:
            self._left()

    def _left(self) -> None:
        self._waiting -= 1
        if not self._waiting and not self.started:
            self._task.cancel()

    async def join_within(self, seconds: float) -> _Done | None:
        """As `join`, but None once it has been under way for so many seconds since its start."""
        self._waiting += 1
        began = asyncio.create_task(self._began.wait())
        try:
            await asyncio.wait({self._task, began}, return_when=asyncio.FIRST_COMPLETED)
            passed = asyncio.get_running_loop().time() - self._since
            await asyncio.wait({self._task}, timeout=max(0.0, seconds - passed))
            if not self._task.done():
                return None
        finally:
            began.cancel()
            self._left()
        return await self.join()

    @property
    def given_up(self) -> bool:
        """Nobody waited for it any more."""
        return self._task.cancelling() > 0


class Flights(Generic[_Done]):
    """Work by what it makes."""

    def __init__(self) -> None:
        self._flights: dict[str, Flight[_Done]] = {}

    def __len__(self) -> int:
        return len(self._flights)

    def get(self, what: str) -> Flight[_Done] | None:
        """The work that makes this, if it is under way."""
        flight = self._flights.get(what)
        return None if flight is None or flight.given_up or flight.stale else flight

    def begin(
        self, what: str, about: str, work: Callable[[Flight[_Done]], Coroutine[Any, Any, _Done]]
    ) -> Flight[_Done]:
        """Set out to make this; `work` gets its flight."""
        flight = Flight[_Done](about)
        self._flights[what] = flight

        def landed(task: asyncio.Task[_Done]) -> None:
            if self._flights.get(what) is flight:
                del self._flights[what]
            if not task.cancelled():
                task.exception()  # whoever waits has it; nobody may be left

        flight._begin(work(flight)).add_done_callback(landed)  # noqa: SLF001  # a pair
        return flight

    def turn_stale(self, about: str) -> None:
        """What is under way about this is of no use to later requests."""
        for flight in self._flights.values():
            if flight.about == about:
                flight.stale = True

    async def landed(self) -> None:
        """Returns when nothing is under way."""
        while tasks := [flight._task for flight in self._flights.values()]:  # noqa: SLF001  # a pair
            await asyncio.wait(tasks)
