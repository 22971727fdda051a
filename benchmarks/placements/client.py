"""A client that has one job done after the other, and tells what became of each."""

from __future__ import annotations

import http.client
import json
import time
from enum import StrEnum

from benchmarks.placements.places import Placement
from benchmarks.placements.work import Work


class Outcome(StrEnum):
    """What became of a job, as its client sees it."""

    DONE = "done"
    #: An error, or no answer: the client knows that it has to ask again.
    FAILED = "failed"
    #: It was accepted, and now nobody knows of it.
    VANISHED = "vanished"


class Client:
    """One keep-alive connection, made anew when it breaks."""

    def __init__(self, placement: Placement, port: int, timeout: float = 60) -> None:
        self._placement = placement
        self._timeout = timeout
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def do(self, work: Work, body: bytes, ops: str) -> Outcome:
        """Post a job and wait until it is done: where it is only accepted, until its result is there."""
        status, content = self._ask("POST", self._placement.path(work, ops), body)
        if not self._placement.accepts:
            return Outcome.DONE if status == 200 else Outcome.FAILED
        if status != 202:
            return Outcome.FAILED
        return self._result(self._placement.result(json.loads(content)["id"]))

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _result(self, path: str) -> Outcome:
        """An accepted job is asked for until there is an answer, over a restart of the server too."""
        deadline = time.monotonic() + self._timeout
        while time.monotonic() < deadline:
            match self._ask("GET", path)[0]:
                case 200:
                    return Outcome.DONE
                case 404:
                    return Outcome.VANISHED
                case None | 409:  # nobody there, or not finished within the wait
                    time.sleep(0.02)
                case _:
                    return Outcome.FAILED
        return Outcome.VANISHED

    def _ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int | None, bytes]:
        try:
            self._connection.request(method, path, body)
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return None, b""
