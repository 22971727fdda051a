"""What a client has: a way to ask the present server, and an eye for answers that nothing excuses."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from tests.acceptance.chaos import wire
from tests.acceptance.chaos.house import House
from tests.acceptance.chaos.judge import Judge
from tests.acceptance.chaos.ledger import Ledger, Stored, Ticket, Verdict
from tests.servers import Answer

#: "Us, not you": what a server in trouble may answer to a request that is all right.
TROUBLE = frozenset(
    {"storage-busy", "storage-unavailable", "insufficient-storage", "queue-full", "queue-timeout", "draining"}
)
#: How often a post is repeated whose connections are lost.
_TRIES = 40
#: Reading needs neither the lock nor room on the disk, and removing is what makes room.
_EXCUSES = {"GET": frozenset({"draining"}), "DELETE": TROUBLE - {"insufficient-storage"}}


@dataclass
class Session:
    """One client's belongings."""

    name: str
    random: Random
    house: House
    ledger: Ledger
    judge: Judge
    tickets: list[Ticket] = field(default_factory=list)
    images: list[Stored] = field(default_factory=list)
    serial: int = 0
    #: The server has just said that it is in trouble: come back a little later.
    refused: bool = False

    def port(self) -> int:
        """Where the server is; raises Lost when it does not come."""
        port = self.house.port()
        if port is None:
            raise wire.Lost("there is no server")
        return port

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        expect: tuple[int, ...] = (200,),
    ) -> Answer | None:
        """The answer, None when the server is in trouble and says so; raises Lost.

        Any other status than those that are expected is a complaint, and None.
        """
        answer = wire.ask(self.port(), method, path, body, headers)
        if answer.status in expect:
            self.ledger.count(f"{method} {answer.status}")
            return answer
        code = code_of(answer)
        self.refused = code in _EXCUSES.get(method, TROUBLE)
        self.ledger.count(f"{method} {answer.status} {code}")
        if not self.refused:
            what = path.partition("?")[0]
            self.complain(Verdict.WRONG, f"{method} {what}: {answer.status} {answer.body[:300]!r}")
        return None

    def insist(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        *,
        expect: tuple[int, ...],
    ) -> Answer | None:
        """As `ask`, with an Idempotency-Key: asked again until there is an answer.

        A connection that is lost is none, nor are trouble and that the first try is still under way.
        """
        for _ in range(_TRIES):
            try:
                answer = self.ask(method, path, body, headers, expect=(*expect, 409))
            except wire.Lost:
                self.ledger.count("posts repeated with their key")
                time.sleep(0.1)
                continue
            if answer is None and self.refused:
                time.sleep(0.2)
                continue
            if answer is None or answer.status != 409:
                return answer
            if (code := code_of(answer)) != "idempotency-key-in-use":
                self.complain(Verdict.WRONG, f"{method} {path}: 409 {code}")
                return None
            time.sleep(0.1)
        raise wire.Lost(f"no answer to {method} {path} in {_TRIES} tries")

    def complain(self, verdict: Verdict, text: str) -> None:
        """Something is not as promised."""
        self.ledger.complain(verdict, f"{self.name}: {text}")


def code_of(answer: Answer) -> str:
    """The code of a problem; where it is none, what it is instead."""
    if answer.headers.get("content-type") != "application/problem+json":
        return "no problem document"
    try:
        return str(json.loads(answer.body)["code"])
    except (ValueError, KeyError):
        return "a broken problem document"
