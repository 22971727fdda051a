"""Posting: jobs in every form, stored images and synchronous calls, whole or hung up on."""

from __future__ import annotations

import hashlib
import time
from random import Random

from tests.acceptance.chaos import wire, wishes
from tests.acceptance.chaos.ledger import ENDED, Asked, Fate, Stored, Ticket, Verdict
from tests.acceptance.chaos.session import TROUBLE, Session, code_of
from tests.acceptance.chaos.wishes import CODES, Kind, Wish
from tests.servers import Answer

#: Bytes by which a body is made so large that it is on its way for a while.
_LARGE = 6 * 2**20
#: Seconds by which clocks and signals may be apart.
_SLACK = 0.5


def job(session: Session) -> Ticket | None:
    """Post a job and read the answer: its ticket when it was accepted."""
    random = session.random
    wish = _wish(random)
    image = _image_for(session, wish) if random.random() < 0.2 else None
    if image is not None:
        ticket = _ticket(session, Wish(Kind.GOOD, image.picture, wish.outputs), image.sha256)
        query, body, headers = wire.stored(_fields(ticket, random), image.id)
    else:
        file = wishes.body(wish, random, padding=_LARGE if random.random() < 0.03 else 0)
        ticket = _ticket(session, wish, _sha256(file))
        query, body, headers = random.choice([wire.raw, wire.form])(_fields(ticket, random), file)
    if random.random() < 0.2:
        headers = headers | {"Prefer": f"wait={random.randint(1, 4)}"}
    if random.random() < 0.3:
        headers = headers | {"Idempotency-Key": f"key-{ticket.reference}"}
        answer = _keyed(session, f"/v1/jobs{query}", body, headers)
    else:
        answer = session.ask("POST", f"/v1/jobs{query}", body, headers, expect=(202, 200))
    if answer is None:
        ticket.fate = Fate.REFUSED
        return None
    document = answer.json()
    ticket.accepted(document)
    if document["reference"] != ticket.reference or (answer.status == 200) > (document["status"] in ENDED):
        session.complain(Verdict.WRONG, f"accepted with {answer.status} as {document}")
    return ticket


def _keyed(session: Session, path: str, body: bytes, headers: dict[str, str]) -> Answer | None:
    """Post with an Idempotency-Key: given up at first now and then, and now and then once too often."""
    random = session.random
    if random.random() < 0.2:
        wire.hang_up(session.port(), "POST", path, body, headers, wait=random.uniform(0, 0.2))
    answer = session.insist("POST", path, body, headers, expect=(202, 200))
    if answer is not None and random.random() < 0.2:
        again = session.insist("POST", path, body, headers, expect=(202, 200))
        if again is not None and again.json()["id"] != answer.json()["id"]:
            session.complain(Verdict.WRONG, f"one key made two jobs: {answer.body!r} {again.body!r}")
    return answer


def broken_upload(session: Session) -> None:
    """Hang up in the middle of an upload: nothing may come of it."""
    random = session.random
    wish = wishes.good(random, slow=False)
    file = wishes.body(wish, random, padding=random.choice([0, _LARGE]))
    ticket = _ticket(session, wish, _sha256(file))
    ticket.fate = Fate.REFUSED
    query, body, headers = random.choice([wire.raw, wire.form])(_fields(ticket, random), file)
    wire.hang_up(
        session.port(),
        "POST",
        f"/v1/jobs{query}",
        body,
        headers,
        sent=random.uniform(0.05, 0.98),
        wait=random.uniform(0, 0.2),
        reset=random.random() < 0.5,
    )
    session.ledger.count("hung up in an upload")


def abandoned_job(session: Session) -> None:
    """Send a job whole and be gone before the answer: there may be a job, and then it is done."""
    random = session.random
    wish = _wish(random)
    file = wishes.body(wish, random)
    ticket = _ticket(session, wish, _sha256(file))
    query, body, headers = random.choice([wire.raw, wire.form])(_fields(ticket, random), file)
    if random.random() < 0.5:
        headers = headers | {"Prefer": "wait=10"}
    wire.hang_up(session.port(), "POST", f"/v1/jobs{query}", body, headers, wait=random.uniform(0, 0.3))
    session.ledger.count("hung up before the answer to a job")


def call(session: Session) -> None:
    """A synchronous call: the right bytes, or the error that its picture deserves."""
    random = session.random
    wish = wishes.lethal(random) if random.random() < 0.1 else wishes.good(random, slow=random.random() < 0.2)
    wish = Wish(wish.kind, wish.picture, {"default": next(iter(wish.outputs.values()))})
    if wish.kind is Kind.SPIN:  # a call can't ask for less time
        return
    began = time.time()
    file = wishes.body(wish, random)
    query, body, headers = wire.raw({"ops": wish.ops}, file)
    if random.random() < 0.25:
        headers = headers | {"Idempotency-Key": f"call-{session.name}-{random.getrandbits(64):x}"}
    answer = _called(session, f"/v1/process{query}", body, headers)
    if answer.status == 200:
        session.ledger.count("calls answered")
        if (
            wish.kind is not Kind.GOOD
            or _sha256(answer.body) != session.judge.references.digests(wish)["default"]
        ):
            session.complain(Verdict.WRONG, f"a call ({wish}) gave other bytes")
        return
    code = code_of(answer)
    session.ledger.count(f"calls: {answer.status} {code}")
    excused = code in {"worker-crashed", "processing-timeout"} and session.judge.damage.met(
        began - _SLACK, time.time() + _SLACK
    )
    if code not in TROUBLE and code != CODES.get(wish.kind) and not excused:
        session.complain(Verdict.WRONG, f"a call ({wish}): {answer.status} {answer.body[:300]!r}")


def _called(session: Session, path: str, body: bytes, headers: dict[str, str]) -> Answer:
    """With an Idempotency-Key, a call whose answer was lost is made again: it is done or answered again."""
    while True:
        try:
            answer = wire.ask(session.port(), "POST", path, body, headers)
        except wire.Lost:
            if "Idempotency-Key" not in headers:
                raise
            session.ledger.count("calls repeated with their key")
        else:
            if code_of(answer) != "idempotency-key-in-use":
                return answer
        time.sleep(0.1)


def abandoned_call(session: Session) -> None:
    """Hang up on a synchronous call while it runs: its lane must be free again."""
    random = session.random
    ops = random.choice(["test-sleep:20", "test-spin:20", "test-sleep:0.3/flip"])
    query, body, headers = wire.raw({"ops": ops}, wishes.PICTURES["small.jpg"])
    wire.hang_up(
        session.port(),
        "POST",
        f"/v1/process{query}",
        body,
        headers,
        wait=random.uniform(0.05, 0.8),
        reset=random.random() < 0.5,
    )
    session.ledger.count("hung up on a call")


def image(session: Session) -> None:
    """Store an image for its own sake."""
    random = session.random
    wish = Wish(Kind.GOOD, random.choice(["small.jpg", "usual.jpg"]), {})
    file = wishes.body(wish, random, padding=1)
    query, body, headers = random.choice([wire.raw, wire.form])({}, file)
    answer = session.ask("POST", f"/v1/images{query.rstrip('?')}", body, headers, expect=(201, 200))
    if answer is None:
        return
    found = answer.json()
    if found["sha256"] != _sha256(file):
        session.complain(Verdict.WRONG, f"an image was stored as {found}")
    session.images.append(session.ledger.keep(Stored(found["id"], _sha256(file), wish.picture)))


def _wish(random: Random) -> Wish:
    if random.random() < 0.1:
        return wishes.lethal(random)
    return wishes.good(random, slow=random.random() < 0.3)


def _ticket(session: Session, wish: Wish, sha256: str) -> Ticket:
    session.serial += 1
    ticket = Ticket(f"{session.name}-{session.serial}", wish, sha256)
    session.tickets.append(ticket)
    return session.ledger.open(ticket)


def _fields(ticket: Ticket, random: Random) -> dict[str, object]:
    priority = random.choice(["high", "normal", "normal", "low"])
    fields = {**ticket.wish.fields(), "reference": ticket.reference, "priority": priority}
    if random.random() < 0.15:
        ticket.retention = random.randint(1, 4)
        fields["retention"] = ticket.retention
    return fields


def _image_for(session: Session, wish: Wish) -> Stored | None:
    there = [image for image in session.images if image.deleted is Asked.NO]
    return session.random.choice(there) if there and wish.kind is Kind.GOOD else None


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
