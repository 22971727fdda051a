"""A client with folders of pictures: it makes a batch of each, and starts over when it is killed."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from dataclasses import dataclass

from tests.acceptance.chaos import follow, wire, wishes
from tests.acceptance.chaos.ledger import Asked, Fate, Ticket, Verdict
from tests.acceptance.chaos.session import Session, code_of
from tests.acceptance.chaos.wishes import Kind
from tests.servers import Answer

#: How a batch ends.
_ENDED = frozenset({"succeeded", "failed", "canceled"})


@dataclass
class Folder:
    """The files of one batch, each with its ticket."""

    name: str
    files: list[tuple[Ticket, bytes]]
    #: Its batch, once there is one.
    batch: str = ""
    canceled: bool = False


class Filler:
    """Fills batches until it is told to stop; one that it has begun may stay open then."""

    def __init__(self, session: Session, stop: threading.Event) -> None:
        self._session = session
        self._stop = stop
        self._number = 0

    def run(self) -> None:
        """One batch after the other."""
        while not self._stop.is_set():
            try:
                self._batch(self._folder())
            except _StoppedError:
                return
            except Exception as error:  # noqa: BLE001  # a client that dies must not pass for a quiet one
                self._session.complain(Verdict.WRONG, f"the client itself fails: {error!r}")

    def _folder(self) -> Folder:
        session, self._number = self._session, self._number + 1
        name, files = f"{session.name}-{self._number}", []
        for number in range(session.random.randint(4, 16)):
            wish = wishes.good(session.random, slow=session.random.random() < 0.2)
            wish = wishes.Wish(Kind.GOOD, wish.picture, {"default": next(iter(wish.outputs.values()))})
            file = wishes.body(wish, session.random)
            ticket = Ticket(f"{name}-{number}", wish, hashlib.sha256(file).hexdigest())
            files.append((session.ledger.open(ticket), file))
        return Folder(name, files)

    def _batch(self, folder: Folder) -> None:
        session = self._session
        key = {"Idempotency-Key": folder.name, "Content-Type": "application/json"}
        folder.batch = self._must(
            "POST", "/v1/batches", b'{"name":"chaos","priority":"normal"}', key, (201,)
        ).json()["id"]
        self._fill(folder)
        if session.random.random() < 0.1:
            folder.canceled = True
            for ticket, _ in folder.files:
                ticket.canceled = Asked.MAYBE
            self._must("POST", f"/v1/batches/{folder.batch}/cancel", None, {}, (200,))
        else:
            self._must("POST", f"/v1/batches/{folder.batch}/close", None, {}, (200,))
        self._check(folder)
        if session.random.random() < 0.6:
            for ticket, _ in folder.files:
                ticket.deleted = Asked.MAYBE
            self._must("DELETE", f"/v1/batches/{folder.batch}", None, {}, (204,))
            for ticket, _ in folder.files:
                ticket.deleted = Asked.YES
        session.ledger.count("batches filled")

    def _fill(self, folder: Folder) -> None:
        """Post every file; killed on the way, it begins anew: its references tell what is there already."""
        killed = self._session.random.random() < 0.5
        stops_at = self._session.random.randrange(len(folder.files)) if killed else len(folder.files)
        for number in [*range(stops_at), *range(len(folder.files))]:
            ticket, file = folder.files[number]
            fields = {**ticket.wish.fields(), "reference": ticket.reference, "batch": folder.batch}
            post = self._session.random.choice([wire.raw, wire.form])
            query, body, headers = post(fields, file)
            document = self._must("POST", f"/v1/jobs{query}", body, headers, (202, 200)).json()
            if ticket.fate is Fate.ACCEPTED and ticket.job != document["id"]:
                self._wrong(folder, f"{ticket.reference} is {ticket.job} and {document['id']}")
            ticket.accepted(document)

    def _check(self, folder: Folder) -> None:
        """Its counts, its jobs and its archive."""
        while (found := self._must("GET", f"/v1/batches/{folder.batch}", None, {}, (200,)).json())[
            "status"
        ] not in _ENDED:
            if self._stop.wait(0.3):
                raise _StoppedError
        if found["counts"]["total"] != len(folder.files):
            self._wrong(folder, f"{len(folder.files)} files, but {found['counts']}")
        made = 0
        for ticket, _ in folder.files:
            follow.look(self._session, ticket)
            made += ticket.ended is not None and ticket.ended["status"] == "succeeded"
        if made != found["counts"]["succeeded"]:
            self._wrong(folder, f"{made} jobs have succeeded, but {found['counts']}")
        if folder.canceled or not made:
            return
        path = f"/v1/batches/{folder.batch}/results.zip?names={{reference}}"
        self._archive(folder, self._must("GET", path, None, {}, (200,)).body, made)

    def _archive(self, folder: Folder, data: bytes, made: int) -> None:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            found = {name.rpartition(".")[0]: archive.read(name) for name in archive.namelist()}
            if len(archive.namelist()) != made:
                self._wrong(folder, f"{made} results, but an archive of {archive.namelist()}")
        for ticket, _ in folder.files:
            wanted = self._session.judge.references.digests(ticket.wish)["default"]
            digest = hashlib.sha256(found.get(ticket.reference, b"")).hexdigest()
            if ticket.reference in found and digest != wanted:
                self._wrong(folder, f"the bytes of {ticket.reference} in the archive are not right")
        self._session.ledger.count("archives of batches that were right")

    def _must(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], expect: tuple[int, ...]
    ) -> Answer:
        """Ask until there is an answer: all that is asked here may be asked again."""
        while not self._stop.is_set():
            try:
                answer = self._session.ask(method, path, body, headers, expect=(*expect, 409))
            except wire.Lost:
                self._session.ledger.count("connections lost")
                self._stop.wait(0.1)
                continue
            if answer is not None and answer.status in expect:
                return answer
            if answer is not None and code_of(answer) != "idempotency-key-in-use":
                raise ValueError(f"{method} {path}: {answer.status} {answer.body!r}")
            self._stop.wait(0.3)
        raise _StoppedError

    def _wrong(self, folder: Folder, text: str) -> None:
        self._session.complain(Verdict.WRONG, f"batch {folder.batch}: {text}")


class _StoppedError(Exception):
    """The run is over."""
