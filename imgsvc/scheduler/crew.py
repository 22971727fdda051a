"""Tasks that go on to their end, whoever stops waiting for them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from imgsvc.errors import Draining

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Crew:
    """Background tasks, held until they are done; a fault that nobody waits for is logged."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __repr__(self) -> str:
        return f"<Crew of {len(self._tasks)}>"

    @property
    def tasks(self) -> frozenset[asyncio.Future[Any]]:
        """What is not done."""
        return frozenset(self._tasks)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin something that nobody waits for."""
        task = self._hold(work)
        task.add_done_callback(_report)

    async def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something to its end, even when the caller is canceled meanwhile.

        Raises Draining when the crew is dismissed before that.
        """
        task = self._hold(work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise Draining("the service is shutting down") from None
            raise

    async def dismiss(self) -> None:
        """Cancel what is not done."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _hold(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("a background task failed", exc_info=error)
