"""The one waiting line: whose turn it is when a lane is free."""

from __future__ import annotations

import asyncio
from collections import deque
from enum import Enum, auto

from imgsvc.dispatch import Slot
from imgsvc.errors import ImgsvcError

#: Turns in a row that calls may take while jobs wait: a flood of calls leaves every fourth to jobs.
_CALLS_IN_A_ROW = 3

#: A synchronous call, or a piece of spare work, that waits for a lane.
Waiting = asyncio.Future[Slot]


class Turn(Enum):
    """Whose turn it is."""

    CALL = auto()
    JOB = auto()
    #: Only when nobody else waits.
    SPARE = auto()
    NOBODY = auto()


class Line:
    """Calls wait here; jobs wait in the store, and here is only how many may be claimed.

    That number may be too high (a claim then finds nothing, and it falls to zero) but never too low
    for long: every change that makes a job claimable is told here, `added` or `recounted`.
    """

    def __init__(self, *, spares: int = 0, spare_lanes: int = 1) -> None:
        """At most `spares` pieces of spare work wait, and have at most `spare_lanes` lanes at once."""
        self._calls: deque[Waiting] = deque()
        self._spares: deque[Waiting] = deque()
        self._most_spares = spares
        self._spare_lanes = spare_lanes
        self._standing = 0
        self._jobs = 0
        self._claims = 0
        self._changes = 0
        self._in_a_row = 0
        self._paused = False
        self._resting = False
        self._closed: ImgsvcError | None = None
        self._wanted = asyncio.Event()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "paused" if self._paused else "open"
        return (
            f"<Line {state}: {len(self._calls)} calls, {self._jobs} jobs, {self._claims} being claimed, "
            f"{len(self._spares)} spare>"
        )

    # -- who comes ------------------------------------------------------------------------------

    def enter(self) -> Waiting:
        """A call joins the line; the future resolves to its lane."""
        waiting: Waiting = asyncio.get_running_loop().create_future()
        if self._closed is not None:
            waiting.set_exception(self._closed)
        self._calls.append(waiting)
        self._wanted.set()
        return waiting

    def leave(self, waiting: Waiting) -> None:
        """A call does not wait any more; a lane that it has just got goes back."""
        if waiting.done() and not waiting.cancelled() and waiting.exception() is None:
            waiting.result().release()
        waiting.cancel()
        if waiting in self._calls:
            self._calls.remove(waiting)

    def stand_by(self) -> Waiting:
        """Spare work joins the line; the future resolves to its lane, or is canceled: it is dropped.

        Where too many wait, those that have waited longest are dropped: what was wanted last is most
        likely to be of use.
        """
        waiting: Waiting = asyncio.get_running_loop().create_future()
        self._spares.append(waiting)
        self._drop_spares(0 if self._closed else self._most_spares)
        self._wanted.set()
        return waiting

    def leave_standing(self, waiting: Waiting) -> None:
        """Spare work does not wait any more; a lane that it has just got goes back."""
        if waiting.done() and not waiting.cancelled():
            waiting.result().release()
            self.stood_by()
        waiting.cancel()
        if waiting in self._spares:
            self._spares.remove(waiting)

    def stood_by(self) -> None:
        """Spare work is done with its lane."""
        self._standing -= 1
        self._wanted.set()

    def _drop_spares(self, most: int) -> None:
        while len(self._spares) > most:
            self._spares.popleft().cancel()

    def added(self, jobs: int = 1) -> None:
        """So many jobs have become claimable."""
        self._jobs += jobs
        self._changes += jobs
        self._wanted.set()

    def recounted(self, jobs: int, since: int) -> None:
        """The store says how many jobs are queued; `since` is `changes` before it was asked."""
        self._jobs = jobs + self._changes - since
        self._wanted.set()

    @property
    def changes(self) -> int:
        """How many jobs have been added so far."""
        return self._changes

    # -- whether jobs may start -----------------------------------------------------------------

    def pause(self, *, paused: bool) -> None:
        """Let no job start, or let them start again; calls go on."""
        self._paused = paused
        self._wanted.set()

    @property
    def paused(self) -> bool:
        """Is the queue paused?"""
        return self._paused

    def rest(self, *, resting: bool) -> None:
        """Leave the store alone for a while after it has failed."""
        self._resting = resting
        self._wanted.set()

    def close(self, reason: ImgsvcError) -> None:
        """Nobody gets a turn any more; waiting calls are told why."""
        self._closed = reason
        while self._calls:
            waiting = self._calls.popleft()
            if not waiting.done():
                waiting.set_exception(reason)
        self._drop_spares(0)

    # -- whose turn it is -----------------------------------------------------------------------

    async def wanted(self) -> None:
        """Returns when someone waits whom a free lane would serve."""
        while not (self._someone_calls() or self._some_job() or self._some_spare()):
            self._wanted.clear()
            await self._wanted.wait()

    def turn(self) -> Turn:
        """Who gets the lane that is free now. A JOB's turn ends with `claimed`, a SPARE's with `stood_by`."""
        calls, jobs = self._someone_calls(), self._some_job()
        if calls and not (jobs and self._in_a_row >= _CALLS_IN_A_ROW):
            self._in_a_row += jobs
            return Turn.CALL
        self._in_a_row = 0
        if jobs:
            self._claims += 1
            return Turn.JOB
        if self._some_spare():
            self._standing += 1
            return Turn.SPARE
        return Turn.NOBODY

    def next_call(self) -> Waiting:
        """The call whose turn it is."""
        return self._calls.popleft()

    def next_spare(self) -> Waiting:
        """The spare work whose turn it is."""
        return self._spares.popleft()

    def claimed(self, *, found: bool, since: int) -> None:
        """A claim came back; `since` is `changes` before it. Finding nothing means that nothing waits."""
        self._claims -= 1
        if found:
            self._jobs = max(0, self._jobs - 1)
        elif self._changes == since:
            self._jobs = 0
        self._wanted.set()

    def unclaimed(self) -> None:
        """A claim failed: nothing has changed."""
        self._claims -= 1

    @property
    def claims(self) -> int:
        """Claims that have not come back."""
        return self._claims

    @property
    def calls(self) -> int:
        """Calls that wait."""
        return len(self._calls)

    @property
    def spares(self) -> int:
        """Pieces of spare work that wait."""
        return len(self._spares)

    @property
    def standing(self) -> int:
        """Pieces of spare work that have a lane."""
        return self._standing

    @property
    def waiting(self) -> int:
        """Calls that wait, and jobs that may be claimed (at most so many)."""
        return len(self._calls) + self._jobs

    @property
    def has_jobs(self) -> bool:
        """Do more jobs wait than are being claimed, and may they start?"""
        return self._some_job()

    def _someone_calls(self) -> bool:
        while self._calls and self._calls[0].done():
            self._calls.popleft()
        return bool(self._calls)

    def _some_spare(self) -> bool:
        return self._standing < self._spare_lanes and bool(self._spares)

    def _some_job(self) -> bool:
        blocked = self._closed is not None or self._paused or self._resting
        return not blocked and self._jobs > self._claims
