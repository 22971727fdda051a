"""The service's record against the clients' ledger, when all has settled."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from tests.acceptance.chaos import follow, wire
from tests.acceptance.chaos.ledger import ENDED, Asked, Document, Fate, Ticket, Verdict
from tests.acceptance.chaos.session import Session

#: Seconds in which everything that was promised must have ended, once nobody disturbs any more.
_SETTLE_S = 150.0
#: Seconds after its time in which a job must have expired.
_EXPIRE_S = 10.0


def settle(session: Session) -> None:
    """Wait until no job waits or runs and every lane is free."""
    deadline = time.monotonic() + _SETTLE_S
    while time.monotonic() < deadline:
        try:
            stats = wire.ask(session.port(), "GET", "/v1/stats").json()
            lanes = wire.ask(session.port(), "GET", "/v1/workers").json()["lanes"]
        except wire.Lost:
            continue
        busy = [lane for lane in lanes if lane["state"] == "busy"]
        if not stats["jobs"]["queued"] and not stats["jobs"]["running"] and not busy:
            return
        time.sleep(0.1)
    session.complain(Verdict.LOST, f"it does not settle: {stats['jobs']}, {stats['queue']}, {busy}")


def expire(session: Session) -> None:
    """Wait until everything that was to be kept for a short time only is gone."""
    for ticket in session.ledger.promised():
        if ticket.retention is None:
            continue
        deadline = time.monotonic() + ticket.retention + _EXPIRE_S
        while wire.ask(session.port(), "GET", f"/v1/jobs/{ticket.job}").status != 410:
            if time.monotonic() > deadline:
                session.complain(Verdict.LEFT_OVER, f"{ticket.job} has not expired")
                break
            time.sleep(0.1)
        ticket.deleted = Asked.YES


def audit(session: Session) -> None:
    """Look at everything that is recorded, and at everything that was promised."""
    recorded = {job["id"]: job for job in _recorded(session)}
    mine = {ticket.job: ticket for ticket in session.ledger.promised()}
    _strangers(session, recorded, mine)
    for job, tickets in Counter(ticket.job for ticket in session.ledger.promised()).items():
        if tickets > 1:
            session.complain(Verdict.WRONG, f"{job} was promised {tickets} times")
    for ticket in list(session.ledger.promised()):
        # Every look counts, whatever is fetched already: the bytes must still be there.
        document = follow.look(session, ticket)
        if document is None:
            continue
        if document["status"] not in ENDED:
            session.complain(Verdict.LOST, f"{ticket.job} has not ended: {document}")
        if ticket.job not in recorded:
            session.complain(Verdict.LOST, f"{ticket.job} is in no list")
        follow.fetch(session, ticket)
    for image in session.ledger.images:
        follow.image(session, replace(image))
    _count(session)


def _strangers(session: Session, recorded: dict[str, Document], mine: dict[str | None, Ticket]) -> None:
    """Jobs that nobody was told of: only a lost answer explains one, and one answer explains one job."""
    open_answers = Counter(
        (ticket.reference, ticket.retry_of)
        for ticket in session.ledger.tickets
        if ticket.fate is Fate.UNKNOWN
    )
    tickets = {(ticket.reference, ticket.retry_of): ticket for ticket in session.ledger.tickets}
    for job, document in recorded.items():
        if job in mine:
            continue
        named = document["reference"], document["retry_of"]
        if open_answers[named] > 0:
            open_answers[named] -= 1
            tickets[named].accepted(document)
            session.ledger.count("jobs found after a lost answer")
        else:
            fate = tickets[named].fate if named in tickets else "unheard of"
            session.complain(Verdict.WRONG, f"{job} should not be there: {named} was {fate}")


def _recorded(session: Session) -> Iterator[Document]:
    """All jobs, page by page."""
    cursor = ""
    while True:
        answer = session.ask("GET", f"/v1/jobs?limit=200{cursor}")
        assert answer is not None
        page = answer.json()
        yield from page["items"]
        if page["next_cursor"] is None:
            return
        cursor = f"&cursor={page['next_cursor']}"


def _count(session: Session) -> None:
    """The service's own counts must be those of its records, once what has expired is swept."""
    deadline = time.monotonic() + _EXPIRE_S
    while True:
        answer = session.ask("GET", "/v1/stats")
        assert answer is not None
        told = {state: number for state, number in answer.json()["jobs"].items() if state in ENDED}
        counted = Counter(document["status"] for document in _recorded(session))
        if told == {state: counted[state] for state in told}:
            return
        if time.monotonic() > deadline:
            session.complain(Verdict.WRONG, f"it counts {told}, there are {dict(counted)}")
            return
        time.sleep(0.5)


def lost_deletions(session: Session) -> None:
    """Deletions whose answer was lost are asked for again: removing twice is removing once."""
    for ticket in session.ledger.promised():
        if ticket.deleted is Asked.MAYBE:
            follow.delete(session, ticket)
