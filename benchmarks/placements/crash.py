"""What one crash costs: many clients with a job in flight each, one of which is a segmentation fault."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

from typing_extensions import override

from benchmarks.placements.client import Client, Outcome
from benchmarks.placements.places import Placement
from benchmarks.placements.servers import Server
from benchmarks.placements.work import Work

#: Ends the process that runs it, in the same place of the same code in every placement.
LETHAL = "test-crash:segv/"
#: Bytes behind the end of a JPEG are ignored; these make the lethal image another than the others.
_MARK = b"lethal"
#: Seconds that a server may take to come back.
RESTART_S = 30.0


@dataclass(frozen=True)
class Crash:
    """What the crash of one job cost the others."""

    #: Jobs of others that ended with an error or with a broken connection.
    failed: int
    #: Jobs of others that had been accepted and that nobody knows of any more.
    vanished: int
    #: How often the server died.
    deaths: int
    #: The longest time in which no job was finished; None: none was any more, as long as one looked.
    pause_s: float | None


@dataclass(frozen=True)
class Job:
    """One job of an innocent client, with the times of its begin and end."""

    began: float
    ended: float
    outcome: Outcome


@dataclass
class _Innocent:
    """Has one job done after the other, and keeps what became of them."""

    client: Client
    jobs: list[Job] = field(default_factory=list)

    def work(self, body: bytes, ops: str, over: threading.Event) -> None:
        while not over.is_set():
            began = time.monotonic()
            outcome = self.client.do(Work.THUMBNAIL, body, ops)
            self.jobs.append(Job(began, time.monotonic(), outcome))
            if outcome is not Outcome.DONE:
                over.wait(0.05)
        self.client.close()


class _Guilty(threading.Thread):
    """Posts the lethal job; `ended` is when it has heard what became of it."""

    def __init__(self, client: Client, body: bytes, ops: str) -> None:
        super().__init__()
        self._job = (client, body, ops)
        self.ended: float | None = None

    @override
    def run(self) -> None:
        client, body, ops = self._job
        client.do(Work.THUMBNAIL, body + _MARK, LETHAL + ops)
        self.ended = time.monotonic()
        client.close()


def crash(
    placement: Placement, server: Server, body: bytes, ops: str, *, innocents: int, patience: float
) -> Crash:
    """Load a server with clients, let the job of one more crash, and look on until it serves again.

    A server that died is waited for; one that lives and fails every job is given up after `patience` seconds.
    """
    clients = [_Innocent(Client(placement, server.port, timeout=20)) for _ in range(innocents)]
    deaths = server.deaths
    with _working(clients, body, ops):
        while not all(one.jobs for one in clients):  # from then on each has another job in flight
            time.sleep(0.01)
        sent = time.monotonic()
        guilty = _Guilty(Client(placement, server.port, timeout=20), body, ops)
        guilty.start()
        while not _serves_again(clients, guilty.ended):
            broken = server.deaths == deaths and all(_is_lost(one.jobs[-1]) for one in clients)
            if time.monotonic() > sent + (patience if broken else RESTART_S):
                break
            time.sleep(0.02)
        until = time.monotonic()
    guilty.join()
    return judge([one.jobs for one in clients], sent, until, server.deaths - deaths)


@contextmanager
def _working(clients: Sequence[_Innocent], body: bytes, ops: str) -> Iterator[None]:
    """All clients have jobs done until the context is left; then what is in flight is waited for."""
    over = threading.Event()
    threads = [threading.Thread(target=one.work, args=(body, ops, over)) for one in clients]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _serves_again(clients: Sequence[_Innocent], crashed: float | None) -> bool:
    """Has every client heard of the job that it had in flight, and was one done that was posted later?"""
    if crashed is None:
        return False
    return all(one.jobs[-1].ended > crashed for one in clients) and any(
        job.began > crashed and job.outcome is Outcome.DONE for one in clients for job in one.jobs
    )


def judge(clients: Sequence[Sequence[Job]], sent: float, until: float, deaths: int) -> Crash:
    """The cost, from the jobs of every innocent client between the lethal job and the end of looking on.

    A client counts once, by the first job that it lost: what it asks of a dead server after that is not
    another loss.
    """
    seen = [[job for job in jobs if sent < job.ended <= until] for jobs in clients]
    lost = [job for job in (next(filter(_is_lost, jobs), None) for jobs in seen) if job]
    finished = sorted(job.ended for jobs in seen for job in jobs if not _is_lost(job))
    broke = min((job.ended for job in lost), default=sent)
    serves = not lost or any(job.began >= broke and not _is_lost(job) for jobs in seen for job in jobs)
    ends = [sent, *(finished or [until])]
    return Crash(
        failed=sum(job.outcome is Outcome.FAILED for job in lost),
        vanished=sum(job.outcome is Outcome.VANISHED for job in lost),
        deaths=deaths,
        pause_s=max(later - before for before, later in pairwise(ends)) if serves else None,
    )


def _is_lost(job: Job) -> bool:
    return job.outcome is not Outcome.DONE
