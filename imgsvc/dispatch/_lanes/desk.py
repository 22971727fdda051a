"""The desk: one more process, which reads nothing but headers, so that none waits behind a task."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Protocol

from imgsvc.dispatch._lanes.headers import Answer, Question
from imgsvc.dispatch._lanes.lane import Ran
from imgsvc.dispatch._lanes.process import End
from imgsvc.errors import Draining, ImageCorrupt, ImageTooComplex, QueueTimeout
from imgsvc.imaging import Facts, Limits

#: The function that its process runs.
WORK = "imgsvc.dispatch._lanes.headers:read"
#: A process may be killed or stalled while a harmless header is read, but hardly twice.
_TRIES = 2
#: The part of the deadline for which a process must have computed, or it was kept from it.
_COMPUTED = 0.5
#: Seconds after which a machine that was too busy for a header may have time again.
_RETRY_AFTER = 5


class Runs(Protocol):
    """What the desk uses of its lane."""

    async def run(self, task: bytes, timeout: float) -> Ran:
        """See `Lane.run`."""


class Desk:
    """One header at a time, first come, first served."""

    def __init__(self, lane: Runs, timeout: float, patience: float) -> None:
        """`timeout` bounds the reading of one header, `patience` that with all its waiting; in seconds."""
        self._lane = lane
        self._timeout = timeout
        self._patience = patience
        self._turn = asyncio.Lock()

    async def probe(self, path: Path, limits: Limits) -> Facts:
        """See `Dispatcher.probe`."""
        question = Question(path=path, limits=limits).model_dump_json().encode()
        try:
            async with asyncio.timeout(self._patience), self._turn:
                answer = await self._ask(question)
        except TimeoutError:
            raise _busy() from None
        return Answer.model_validate_json(answer).told()

    async def _ask(self, question: bytes) -> bytes:
        deaths = 0
        for _ in range(_TRIES):
            ran = await self._lane.run(question, self._timeout)
            match ran.end:
                case End.ANSWERED:
                    return ran.answer
                case End.KILLED:
                    raise Draining("the workers are being stopped")
                case End.DIED:
                    deaths += 1
                case End.DEADLINE:
                    self._check_stalled(ran)
        if deaths == _TRIES:
            raise ImageCorrupt("the header is damaged: it crashes its reader")
        raise _busy()

    def _check_stalled(self, ran: Ran) -> None:
        """Raises ImageTooComplex for a header that kept the process computing, as far as is known."""
        if ran.cpu_s is None or ran.cpu_s >= _COMPUTED * self._timeout:
            raise ImageTooComplex(
                f"the header takes longer than {self._timeout:g} s to read", limit=self._timeout
            )


def _busy() -> QueueTimeout:
    return QueueTimeout("the service is too busy to read the image's header", retry_after=_RETRY_AFTER)
