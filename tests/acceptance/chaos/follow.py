"""What clients do with a promised job: look, fetch, cancel, retry, delete; and with a stored image."""

from __future__ import annotations

import hashlib
import io
import time
import zipfile
from urllib.parse import urlencode

from tests.acceptance.chaos import wire
from tests.acceptance.chaos.ledger import ENDED, Asked, Document, Fate, Stored, Ticket, Verdict
from tests.acceptance.chaos.session import Session
from tests.servers import Answer


def look(session: Session, ticket: Ticket, *, wait: int = 0) -> Document | None:
    """The job's document, held against what is known of it; None where there is none (any more)."""
    headers = {"Prefer": f"wait={wait}"} if wait else {}
    expect = (200,) if ticket.deleted is Asked.NO else (200, 410)
    try:
        answer = _get(session, f"/v1/jobs/{ticket.job}", expect, headers, ticket)
    except wire.Lost:
        return None
    if answer is None:
        return None
    if answer.status != 200:
        ticket.deleted = Asked.YES
        return None
    document: Document = answer.json()
    if ticket.deleted is Asked.YES:
        session.complain(Verdict.WRONG, f"{ticket.job} is there again after its deletion")
    if document["status"] in ENDED and ticket.ended is None:
        ticket.ended = document
        for fault in session.judge.faults(ticket, document):
            session.complain(Verdict.WRONG, fault)
    elif ticket.ended is not None and ticket.ended != document:
        session.complain(
            Verdict.WRONG, f"{ticket.job} has changed after its end: {ticket.ended} → {document}"
        )
    return document


def fetch(session: Session, ticket: Ticket) -> None:
    """Every result's bytes, held against an undisturbed run."""
    if ticket.ended is None or ticket.deleted is not Asked.NO:
        return
    if ticket.ended["status"] != "succeeded":
        _refused(session, ticket, ticket.ended)
        return
    digests = session.judge.references.digests(ticket.wish)
    for result in ticket.ended["results"]:
        answer = _get(session, result["url"], (200,), {}, ticket)
        if answer is None or answer.status != 200:
            return
        digest = hashlib.sha256(answer.body).hexdigest()
        if digest != digests[result["name"]] or answer.headers["etag"] != f'"{digest}"':
            wrong = f"{ticket.job}: the bytes of {result['name']} are not right ({ticket.wish})"
            session.complain(Verdict.WRONG, wrong)
    if len(digests) > 1:
        _archive(session, ticket, digests)
    ticket.fetched = True
    session.ledger.count("jobs whose results were right")


def _archive(session: Session, ticket: Ticket, digests: dict[str, str]) -> None:
    """All results in one file."""
    answer = _get(session, f"/v1/jobs/{ticket.job}/results.zip", (200,), {}, ticket)
    if answer is None or answer.status != 200:
        return
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        found = sorted(hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist())
    if found != sorted(digests.values()):
        session.complain(Verdict.WRONG, f"{ticket.job}: its archive is not right ({ticket.wish})")


def _refused(session: Session, ticket: Ticket, document: Document) -> None:
    """In place of a result: why there is none."""
    error = document["error"] or {"status": 409, "code": "job-canceled"}
    name = document["outputs"][0]["name"]
    answer = _get(session, f"/v1/jobs/{ticket.job}/results/{name}", (error["status"],), {}, ticket)
    if answer is not None and answer.status != 410 and answer.json()["code"] != error["code"]:
        session.complain(Verdict.WRONG, f"in place of a result of {ticket.job}: {answer.body!r}")
    ticket.fetched = True


def find(session: Session, ticket: Ticket) -> None:
    """Was a job made by the post that was never answered? Then it is a promise like any other."""
    query = urlencode({"reference": ticket.reference, "limit": 10})
    answer = session.ask("GET", f"/v1/jobs?{query}")
    found = [] if answer is None else [job for job in answer.json()["items"] if job["retry_of"] is None]
    if len(found) == 1:
        ticket.accepted(found[0])
        session.ledger.count("jobs found after a lost answer")


def cancel(session: Session, ticket: Ticket) -> None:
    """Cancel it, whatever it does."""
    if ticket.ended is None:
        ticket.canceled = Asked.MAYBE
    expect = (200, 410) if ticket.may_be_gone(time.time()) else (200,)
    answer = session.ask("POST", f"/v1/jobs/{ticket.job}/cancel", expect=expect)
    if answer is not None and answer.status == 200 and answer.json()["status"] == "canceled":
        ticket.canceled = Asked.YES
    elif ticket.canceled is Asked.MAYBE:
        look(session, ticket)


def delete(session: Session, ticket: Ticket) -> None:
    """Remove it; an answer that is lost, or tells of trouble, leaves it open whether it is gone."""
    if ticket.deleted is Asked.NO:
        ticket.deleted = Asked.MAYBE
    if session.ask("DELETE", f"/v1/jobs/{ticket.job}", expect=(204,)) is not None:
        ticket.deleted = Asked.YES


def retry(session: Session, ticket: Ticket) -> None:
    """Another job that does the same."""
    again = Ticket(
        ticket.reference, ticket.wish, ticket.sha256, retry_of=ticket.job, retention=ticket.retention
    )
    session.tickets.append(session.ledger.open(again))
    gone = any(image.sha256 == ticket.sha256 and image.deleted is not Asked.NO for image in session.images)
    expect = (202, *([404] if gone else []), *([410] if ticket.may_be_gone(time.time()) else []))
    if session.random.random() < 0.5:
        # A key of its own: with one key, two retries would be one.
        key = {"Idempotency-Key": f"retry-{ticket.job}-{session.random.getrandbits(64):x}"}
        answer = session.insist("POST", f"/v1/jobs/{ticket.job}/retry", None, key, expect=expect)
    else:
        answer = session.ask("POST", f"/v1/jobs/{ticket.job}/retry", expect=expect)
    if answer is None or answer.status != 202:
        again.fate = Fate.REFUSED
    else:
        again.accepted(answer.json())


def leave_download(session: Session, ticket: Ticket) -> None:
    """Begin to fetch a result, or the original, and hang up."""
    if ticket.ended is None or not ticket.ended["results"]:
        return
    path = session.random.choice(
        [ticket.ended["results"][0]["url"], f"{ticket.ended['links']['image']}/content"]
    )
    reset = session.random.random() < 0.5
    wire.hang_up(session.port(), "GET", path, read=session.random.randint(1, 20000), wait=2, reset=reset)
    session.ledger.count("hung up in a download")


def image(session: Session, image: Stored) -> None:
    """A stored image: its bytes as they were sent; sometimes it is deleted."""
    there = session.ask(
        "GET",
        f"/v1/images/{image.id}/content",
        expect=(200,) if image.deleted is Asked.NO else (200, 404, 410),
    )
    if there is not None and there.status == 200:
        if image.deleted is Asked.YES:
            session.complain(Verdict.WRONG, f"{image.id} is there again after its deletion")
        if hashlib.sha256(there.body).hexdigest() != image.sha256:
            session.complain(Verdict.WRONG, f"the bytes of {image.id} are not right")
    if session.random.random() < 0.3 and image.deleted is not Asked.YES:
        before, image.deleted = image.deleted, Asked.MAYBE
        answer = session.ask("DELETE", f"/v1/images/{image.id}", expect=(204, 409))
        if answer is not None:
            image.deleted = Asked.YES if answer.status == 204 else before


def _get(
    session: Session, path: str, expect: tuple[int, ...], headers: dict[str, str], ticket: Ticket
) -> Answer | None:
    """As `Session.ask`; what is missing and was promised is lost."""
    answer = session.ask("GET", path, None, headers, expect=(*expect, 404, 410))
    if answer is not None and answer.status == 410 and ticket.may_be_gone(time.time()):
        return answer
    if answer is not None and answer.status not in expect:
        session.complain(Verdict.LOST, f"{ticket.job} ({ticket.wish.kind}): {path} is {answer.status}")
        return None
    return answer
