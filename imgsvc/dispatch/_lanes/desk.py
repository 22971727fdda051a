"""The desk: one more process, which reads nothing but headers, so that none waits behind a task."""

from __future__ import annotations

import asyncio
from pathlib import Path

from imgsvc.dispatch._lanes.headers import Answer, Question
from imgsvc.dispatch._lanes.lane import Lane
from imgsvc.dispatch._lanes.process import End
from imgsvc.errors import Draining, ImageCorrupt, ImageTooComplex, from_problem
from imgsvc.imaging import Facts, Limits

#: The function that its process runs.
WORK = "imgsvc.dispatch._lanes.headers:read"
#: A process may be killed while a harmless header is read, but hardly twice.
_TRIES = 2


class Desk:
    """One header at a time, first come, first served."""

    def __init__(self, lane: Lane, timeout: float) -> None:
        self._lane = lane
        self._timeout = timeout
        self._turn = asyncio.Lock()

    async def probe(self, path: Path, limits: Limits) -> Facts:
        """See `Dispatcher.probe`."""
        question = Question(path=path, limits=limits).model_dump_json().encode()
        async with self._turn:
            for _ in range(_TRIES):
                ran = await self._lane.run(question, self._timeout)
                if ran.end is not End.DIED:
                    break
        match ran.end:
            case End.ANSWERED:
                return _facts(Answer.model_validate_json(ran.answer))
            case End.DEADLINE:
                raise ImageTooComplex(
                    f"the header takes longer than {self._timeout:g} s to read", limit=self._timeout
                )
            case End.KILLED:
                raise Draining("the workers are being stopped")
            case End.DIED:
                raise ImageCorrupt("the header is damaged: it crashes its reader")


def _facts(answer: Answer) -> Facts:
    if answer.problem is not None:
        raise from_problem(answer.problem)
    assert answer.facts is not None, "an answer is one or the other"  # noqa: S101  # a bug of ours
    return answer.facts
