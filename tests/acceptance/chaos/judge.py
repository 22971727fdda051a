"""Is a job's document what its wish, and what was done to its server meanwhile, allow it to be?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from tests.acceptance.chaos.disorder import Damage
from tests.acceptance.chaos.house import House
from tests.acceptance.chaos.ledger import Asked, Document, Ticket
from tests.acceptance.chaos.wishes import CODES, Kind, References

#: Ends of an attempt that is followed by another one.
_AGAIN = frozenset({"crashed", "interrupted", "lost", "drained"})
#: Starts that may end with the server, those that may be interrupted by the storage, and lost workers after
#: which work is in quarantine (Policy).
_MAX_LOST, _MAX_INTERRUPTED, _QUARANTINE = 5, 16, 2
#: Seconds by which a signal may be noted too early or too late.
_SLACK = 0.5


@dataclass(frozen=True)
class Judge:
    """Knows what was done, and what pictures must look like."""

    house: House
    damage: Damage
    references: References

    def faults(self, ticket: Ticket, document: Document) -> list[str]:
        """What is wrong with the document of a job that has ended."""
        return [
            f"{document['id']} ({ticket.wish.kind}, {document['status']}): {fault}"
            for fault in (*self._bookkeeping(document), *self._outcome(ticket, document))
        ]

    def _bookkeeping(self, job: Document) -> Iterator[str]:
        history = job["history"]
        outcomes = [start["outcome"] for start in history]
        if [start["attempt"] for start in history] != list(range(1, job["attempts"] + 1)):
            yield f"{job['attempts']} attempts, but its history tells {outcomes}"
        if any(outcome not in _AGAIN for outcome in outcomes[:-1]):
            yield f"it went on after an end: {outcomes}"
        # A job may be canceled, or put into quarantine, while it waits for its next start.
        waited = job["status"] == "canceled" or (job["error"] or {}).get("code") == "worker-crashed"
        if history and not waited and outcomes[-1] != job["status"]:
            yield f"its history ends otherwise: {outcomes}"
        if any(start["ended_at"] is None for start in history):
            yield f"a start has no end: {history}"
        elif any(after["started_at"] < before["ended_at"] for before, after in pairwise(history)):
            yield f"two starts at once: {history}"
        if outcomes.count("lost") > len(self.house.kills) + len(self.house.stops):
            yield f"lost more often than servers were: {outcomes}"
        names = [result["name"] for result in job["results"]]
        wanted = [output["name"] for output in job["outputs"]] if job["status"] == "succeeded" else []
        if names != wanted:
            yield f"results {names}, expected {wanted}"

    def _outcome(self, ticket: Ticket, job: Document) -> Iterator[str]:
        status, code = job["status"], (job["error"] or {}).get("code")
        if job["reference"] != ticket.reference or job["image"]["sha256"] != ticket.sha256:
            yield f"it is another job: {job['reference']}, image {job['image']['sha256']}"
        if status == "canceled":
            if ticket.canceled is Asked.NO:
                yield "nobody canceled it"
            return
        if ticket.canceled is Asked.YES:
            yield "its cancellation was confirmed"
        if ticket.wish.kind is Kind.GOOD:
            if status != "succeeded" and not self._excused(job, code):
                yield f"it failed with {code}: {job['error']}, {job['history']}"
            yield from self._unexplained(job)
        elif status != "failed" or (code != CODES[ticket.wish.kind] and not self._excused(job, code)):
            yield f"it ended with {code}: {job['error']}, {job['history']}"

    def _excused(self, job: Document, code: str | None) -> bool:
        """Was it met by so much that it may fail without a fault of its own?"""
        outcomes = [start["outcome"] for start in job["history"]]
        if code == "worker-crashed":
            crashed = outcomes.count("crashed")
            return crashed >= min(job["max_attempts"], _QUARANTINE) or outcomes.count("lost") > _MAX_LOST
        if code == "processing-timeout":
            last = job["history"][-1]
            return any(
                begin <= _seconds(last["ended_at"]) and end >= _seconds(last["started_at"])
                for begin, end in self.damage.worker_stops
            )
        return outcomes.count("interrupted") >= _MAX_INTERRUPTED - 1

    def _unexplained(self, job: Document) -> Iterator[str]:
        """Innocent work must lose its worker by our hand only."""
        for start in job["history"]:
            since, until = _seconds(start["started_at"]) - _SLACK, _seconds(start["ended_at"]) + _SLACK
            if start["outcome"] == "crashed" and not self.damage.met(since, until):
                yield f"its worker died, and we did not kill it: {start}"
            if start["outcome"] == "lost" and not any(at <= until for at in self.house.kills if at >= since):
                yield f"it was lost, and we did not kill the server: {start}"


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()
