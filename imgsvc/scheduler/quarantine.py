"""Work that took its worker with it again and again, and is not given another one for a while."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from imgsvc.errors import Problem, WorkerCrashed
from imgsvc.jobs import Job

#: Works that are remembered at most; the one whose last loss is the longest ago is forgotten first.
_REMEMBERED = 1000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Suspect:
    """What may be lethal: a picture, and what is made of it."""

    #: Its id.
    image: str
    #: Canonical texts; their order and the outputs' names make no difference.
    specs: frozenset[str]

    @classmethod
    def of(cls, job: Job) -> Suspect:
        """What a job does."""
        return cls(job.image.id, frozenset(output.spec for output in job.outputs))


@dataclass(frozen=True, slots=True)
class Held:
    """Work that is in quarantine."""

    suspect: Suspect
    losses: int
    #: Seconds until it may be tried again.
    left_s: float


@dataclass(slots=True)
class _Record:
    losses: int = 0
    #: When the last loss that counts was seen, and the last of all.
    counted_at: float = float("-inf")
    at: float = float("-inf")
    #: Has it been said that it is in quarantine?
    held: bool = False


class Quarantine:
    """Counts lost workers by work. In memory: a new server gives everything another chance.

    Losses count when they come one after the other: of starts that ran side by side only one does, for
    whoever kills all workers at once (a drill, a machine out of memory) says nothing about their work.
    A success clears the work, and so does time: `seconds` after its last loss it is forgotten.
    """

    def __init__(self, after: int, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`after` losses are the quarantine; `seconds` of 0 mean that there is none."""
        self._after = after
        self._seconds = seconds
        self._monotonic = monotonic
        self._records: OrderedDict[Suspect, _Record] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Quarantine: {len(self._records)} suspects, {len(self.held())} held>"

    def __bool__(self) -> bool:
        """Is anything suspected at all? Whoever would have to hash an upload to ask, asks this first."""
        return bool(self._records)

    def now(self) -> float:
        """When a start begins, for `lost`."""
        return self._monotonic()

    def holds(self, suspect: Suspect) -> Problem | None:
        """Why this work is not done now; None when it may be."""
        record = self._recall(suspect)
        if record is None or record.losses < self._after:
            return None
        left = max(1, round(record.at + self._seconds - self._monotonic()))
        times = "once" if record.losses == 1 else f"{record.losses} times in a row"
        return WorkerCrashed(f"this work has lost its worker {times} and is not tried for {left} s").problem

    def lost(self, suspect: Suspect, began: float) -> bool:
        """A start that began then has lost its worker; is the work in quarantine since this very moment?"""
        if self._seconds <= 0:
            return False
        record = self._recall(suspect) or _Record()
        record.at = self._monotonic()
        if began >= record.counted_at:
            record.losses += 1
            record.counted_at = record.at
        self._records[suspect] = record
        self._records.move_to_end(suspect)
        if len(self._records) > _REMEMBERED:
            self._records.popitem(last=False)
        if record.held or record.losses < self._after:
            return False
        record.held = True
        specs = ", ".join(sorted(suspect.specs))
        _log.warning(
            "quarantine for %g s: %s with %s has lost its worker %d times in a row",
            self._seconds,
            suspect.image,
            specs,
            record.losses,
        )
        return True

    def survived(self, suspect: Suspect) -> None:
        """A start has ended with its worker alive: whatever it was, it was not this work."""
        if self._records:
            self._records.pop(suspect, None)

    def held(self) -> Sequence[Held]:
        """What is in quarantine now, the one that came last at the end."""
        now = self._monotonic()
        return [
            Held(suspect, record.losses, round(record.at + self._seconds - now, 3))
            for suspect, record in self._records.items()
            if record.losses >= self._after and record.at + self._seconds > now
        ]

    def _recall(self, suspect: Suspect) -> _Record | None:
        record = self._records.get(suspect)
        if record is not None and record.at + self._seconds <= self._monotonic():
            del self._records[suspect]
            return None
        return record
