"""The clients' own book: what they sent, what they were promised, and what they have seen."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from tests.acceptance.chaos.wishes import Wish

Document = dict[str, Any]

#: What a job has come to.
ENDED = frozenset({"succeeded", "failed", "canceled"})


class Fate(StrEnum):
    """What a client knows of a submission."""

    #: Sent whole, and no answer came: there may be a job.
    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    #: Answered with an error, or never sent whole: there must be none.
    REFUSED = "refused"


class Asked(StrEnum):
    """What a client knows of a cancellation or a deletion."""

    NO = "no"
    #: Asked for, and no answer came.
    MAYBE = "maybe"
    YES = "yes"


@dataclass(eq=False)
class Ticket:
    """One submission. Only one client has it, so that what it sees happens one after the other."""

    reference: str
    wish: Wish
    sha256: str
    fate: Fate = Fate.UNKNOWN
    job: str | None = None
    retry_of: str | None = None
    canceled: Asked = Asked.NO
    deleted: Asked = Asked.NO
    #: Seconds that it is kept after its end, where the client said so: then it is gone by itself.
    retention: float | None = None
    #: Its document at the end of the job, which nothing may change any more.
    ended: Document | None = None
    #: Its results have been fetched and were right.
    fetched: bool = False

    @property
    def under_way(self) -> bool:
        """Is its end still to be seen?"""
        return self.fate is Fate.ACCEPTED and self.ended is None and self.deleted is Asked.NO

    def may_be_gone(self, at: float) -> bool:
        """Has it expired at this time, for all that is known?"""
        if self.retention is None:
            return False
        expires = self.ended and self.ended["expires_at"]
        return not expires or datetime.fromisoformat(expires).timestamp() <= at

    def accepted(self, document: Document) -> None:
        """The promise is made."""
        self.fate, self.job = Fate.ACCEPTED, document["id"]


@dataclass(eq=False)
class Stored:
    """An image stored for its own sake."""

    id: str
    sha256: str
    picture: str
    deleted: Asked = Asked.NO


class Verdict(StrEnum):
    """Kinds of complaints."""

    LOST = "lost"
    WRONG = "wrong"
    LEFT_OVER = "left over"


@dataclass
class Ledger:
    """All tickets, stored images and complaints; used by every client's thread."""

    tickets: list[Ticket] = field(default_factory=list)
    images: list[Stored] = field(default_factory=list)
    complaints: list[tuple[Verdict, str]] = field(default_factory=list)
    #: How often what was done or answered.
    counts: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def open(self, ticket: Ticket) -> Ticket:
        """Enter a ticket before it is sent."""
        with self._lock:
            self.tickets.append(ticket)
        return ticket

    def keep(self, image: Stored) -> Stored:
        """Enter a stored image."""
        with self._lock:
            self.images.append(image)
        return image

    def count(self, what: str) -> None:
        """It has happened once more."""
        with self._lock:
            self.counts[what] += 1

    def complain(self, verdict: Verdict, text: str) -> None:
        """Something is not as promised."""
        with self._lock:
            self.complaints.append((verdict, text))

    def of(self, verdict: Verdict) -> list[str]:
        """The complaints of a kind."""
        return [text for kind, text in self.complaints if kind is verdict]

    def promised(self) -> Iterator[Ticket]:
        """Tickets of jobs that were accepted."""
        return (ticket for ticket in self.tickets if ticket.fate is Fate.ACCEPTED)
