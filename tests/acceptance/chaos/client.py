"""One client: it posts, polls, fetches, cancels, retries, deletes and hangs up, at random."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tests.acceptance.chaos import follow, submit, wire
from tests.acceptance.chaos.ledger import Asked, Fate, Ticket, Verdict
from tests.acceptance.chaos.session import Session

#: Seconds between two acts, on average, and after an answer of trouble.
_PAUSE, _REFUSED = 0.05, 0.5
#: Jobs of one client that may be under way: past that it looks after them first.
_UNDER_WAY = 8


class Client:
    """Acts until it is told to stop; everything that it knows is in the ledger."""

    def __init__(self, session: Session, stop: threading.Event) -> None:
        self._session = session
        self._stop = stop
        #: What a client does, and how often of a hundred times.
        self._habits: dict[Callable[[], object], int] = {
            self._submit: 50,
            self._look_again: 20,
            lambda: submit.call(session): 8,
            self._images: 7,
            lambda: submit.broken_upload(session): 4,
            lambda: submit.abandoned_job(session): 3,
            lambda: submit.abandoned_call(session): 4,
            self._leave_download: 4,
        }

    def run(self) -> None:
        """A life of random acts."""
        session = self._session
        while not self._stop.is_set():
            (act,) = session.random.choices(list(self._habits), list(self._habits.values()))
            try:
                act()
            except wire.Lost:
                session.ledger.count("connections lost")
            except Exception as error:  # noqa: BLE001  # a client that dies must not pass for a quiet one
                session.complain(Verdict.WRONG, f"the client itself fails: {error!r}")
            pause, session.refused = (_REFUSED if session.refused else _PAUSE), False
            self._stop.wait(session.random.expovariate(1 / pause))

    def _submit(self) -> None:
        """Post a job; then wait for it, cancel it, delete it, or leave it for later."""
        session = self._session
        under_way = sum(ticket.under_way for ticket in session.tickets[-60:])
        ticket = submit.job(session) if under_way < _UNDER_WAY else None
        if ticket is None:
            self._look_again()
            return
        luck = session.random.random()
        if luck < 0.06:
            self._stop.wait(session.random.uniform(0, 0.3))
            follow.cancel(session, ticket)
        elif luck < 0.10:
            follow.delete(session, ticket)
        elif luck < 0.5:
            follow.look(session, ticket, wait=session.random.randint(1, 5))
            follow.fetch(session, ticket)

    def _look_again(self) -> None:
        """An old ticket: is all as it was? Most that are right are removed, some are tried again."""
        session = self._session
        if not session.tickets:
            return
        ticket = session.random.choice(session.tickets[-60:])
        if ticket.fate is Fate.UNKNOWN and ticket.retry_of is None:
            follow.find(session, ticket)
        if ticket.fate is not Fate.ACCEPTED:
            return
        follow.look(session, ticket)
        if not ticket.fetched:
            follow.fetch(session, ticket)
        luck = session.random.random()
        if ticket.ended is not None and ticket.deleted is Asked.NO:
            if luck < 0.08 and ticket.retry_of is None:
                follow.retry(session, ticket)
            elif luck < 0.6:
                follow.delete(session, ticket)

    def _images(self) -> None:
        session = self._session
        if session.images and session.random.random() < 0.6:
            follow.image(session, session.random.choice(session.images[-10:]))
        else:
            submit.image(session)

    def _leave_download(self) -> None:
        session = self._session
        ready: list[Ticket] = [
            ticket
            for ticket in session.tickets[-60:]
            if ticket.ended is not None and ticket.deleted is Asked.NO
        ]
        if ready:
            follow.leave_download(session, session.random.choice(ready))
