"""A visitor of pages: it looks at the same pictures again and again, and each must stay what it was."""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass, field

from tests.acceptance.chaos import wire, wishes
from tests.acceptance.chaos.ledger import Asked, Stored, Verdict
from tests.acceptance.chaos.session import TROUBLE, Session, code_of
from tests.acceptance.chaos.wishes import Kind, Wish
from tests.acceptance.rendering import kept
from tests.servers import Answer

#: What its pages show; with `auto` a client is given what it accepts.
_PIPELINES = (
    "resize:120x/webp",
    "resize:240x180,fit=cover/jpeg:70",
    "thumbnail:64x64/png",
    "crop:0.5x0.5/grayscale/resize:200x/png:1",
    "flip/resize:x150/webp:40",
    "test-sleep:0.3/resize:90x/webp",
)
_AUTO = "resize:100x/auto"
_ACCEPTS = ("image/webp,*/*", "*/*")
_PICTURES = ("small.jpg", "usual.jpg", "large.jpg")
#: What the loss or the stop of a worker is told as, and for how many seconds failures are remembered.
_HARM, _REMEMBERED = frozenset({"worker-crashed", "processing-timeout"}), 10.0
_SLACK, _PAUSE = 0.5, 0.03
#: Seconds in which every picture must be there once nobody disturbs any more.
_PEACE_S = 20.0


@dataclass
class Sight:
    """A stored image, and the hash of every answer that it has given, by pipeline and `Accept`."""

    image: Stored
    seen: dict[str, str] = field(default_factory=dict)


class Visitor:
    """Looks until it is told to stop; `audit` looks once more at everything, in peace."""

    def __init__(self, session: Session, stop: threading.Event) -> None:
        self._session = session
        self._stop = stop
        self._sights: list[Sight] = []

    def run(self) -> None:
        """One look after the other."""
        session = self._session
        while not self._stop.is_set():
            try:
                self._act()
            except wire.Lost:
                session.ledger.count("renders: connections lost")
            except Exception as error:  # noqa: BLE001  # a client that dies must not pass for a quiet one
                session.complain(Verdict.WRONG, f"the visitor itself fails: {error!r}")
            self._stop.wait(session.random.expovariate(1 / _PAUSE))

    def _act(self) -> None:
        random = self._session.random
        there = [sight for sight in self._sights if sight.image.deleted is Asked.NO]
        if len(there) < len(_PICTURES):
            self._store(_PICTURES[len(there)])
            return
        sight, luck = random.choice(self._sights[-5:]), random.random()
        if luck < 0.08:
            path = f"/r/{sight.image.id}/{random.choice(_PIPELINES)}"
            wire.hang_up(self._session.port(), "GET", path, wait=random.uniform(0, 0.2), read=1)
            self._session.ledger.count("renders: hung up")
        elif luck < 0.10:
            self._session.ask("POST", f"/v1/cache:purge?image={sight.image.id}", expect=(200, 404))
        elif luck < 0.11:
            self._delete(sight)
        else:
            self._look(sight, *self._choice())

    def _choice(self) -> tuple[str, str | None]:
        random = self._session.random
        if random.random() < 0.2:
            return _AUTO, random.choice(_ACCEPTS)
        return random.choice(_PIPELINES), None

    def _store(self, picture: str) -> None:
        # A file of its own, so that nobody else removes it.
        file = wishes.body(Wish(Kind.GOOD, picture, {}), self._session.random, padding=1)
        query, body, headers = wire.raw({}, file)
        answer = self._session.ask("POST", f"/v1/images{query.rstrip('?')}", body, headers, expect=(201, 200))
        if answer is not None:
            stored = Stored(answer.json()["id"], hashlib.sha256(file).hexdigest(), picture)
            self._sights.append(Sight(self._session.ledger.keep(stored)))

    def _delete(self, sight: Sight) -> None:
        if sight.image.deleted is Asked.NO:
            sight.image.deleted = Asked.MAYBE
        if self._session.ask("DELETE", f"/v1/images/{sight.image.id}", expect=(204,)) is not None:
            sight.image.deleted = Asked.YES

    def _look(self, sight: Sight, ops: str, accept: str | None) -> bool:
        """One render; False when there was none for a reason that may pass."""
        began, path = time.time(), f"/r/{sight.image.id}/{ops}"
        headers = {} if accept is None else {"Accept": accept}
        answer = wire.ask(self._session.port(), "GET", path, None, headers)
        if answer.status == 200:
            self.check(sight, ops, accept, answer)
            return True
        code = code_of(answer)
        self._session.ledger.count(f"renders: {answer.status} {code}")
        if code == "not-found" and sight.image.deleted is not Asked.NO:
            return True
        if code not in TROUBLE and not (code in _HARM and self._excused(began)):
            self._session.complain(Verdict.WRONG, f"{path}: {answer.status} {answer.body[:300]!r}")
        return False

    def _excused(self, began: float) -> bool:
        """Has a worker been met by our hand, or are there so many that work may be in quarantine?"""
        damage = self._session.judge.damage
        return damage.met(began - _REMEMBERED - _SLACK, time.time() + _SLACK) or len(damage.worker_kills) > 1

    def check(self, sight: Sight, ops: str, accept: str | None, answer: Answer) -> None:
        """The bytes must be those of an undisturbed run, and of every time before."""
        session, image = self._session, sight.image
        session.ledger.count("renders that were right")
        if image.deleted is Asked.YES:
            session.complain(Verdict.WRONG, f"a render of {image.id}, which is deleted")
        digest = hashlib.sha256(answer.body).hexdigest()
        right = sight.seen.setdefault(f"{ops} {accept}", digest)
        if accept is None:
            wish = Wish(Kind.GOOD, image.picture, {"default": ops})
            right = session.judge.references.digests(wish)["default"]
        if digest != right or answer.headers["etag"] != f'"{digest}"':
            session.complain(Verdict.WRONG, f"other bytes: {image.id} ({image.picture}), {ops}, {accept}")

    def audit(self) -> None:
        """Everything once more, in peace: what is there is right, what is deleted is not there."""
        looks = [(ops, None) for ops in _PIPELINES] + [(_AUTO, accept) for accept in _ACCEPTS]
        for sight in self._sights:
            if sight.image.deleted is Asked.MAYBE:
                self._delete(sight)
            for ops, accept in looks:
                deadline = time.monotonic() + _PEACE_S
                while not self._look(sight, ops, accept):
                    if time.monotonic() > deadline:
                        # Work that has lost two workers is refused for longer than anybody waits here.
                        self._session.ledger.count("renders: given up in the end")
                        break
                    time.sleep(0.2)
        self._count()

    def _count(self) -> None:
        """The files of the cache are those that the service knows of."""
        deadline = time.monotonic() + _PEACE_S
        while True:
            answer = self._session.ask("GET", "/v1/stats")
            known = None if answer is None else answer.json()["cache"]["entries"]
            found = len(kept(self._session.house.data))
            if known == found:
                return
            if time.monotonic() > deadline:
                self._session.complain(
                    Verdict.LEFT_OVER, f"{found} files in the cache, the service knows {known}"
                )
                return
            time.sleep(0.1)
