"""What a placement does under load: jobs a second, /livez meanwhile, memory, failures."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

from benchmarks.percentiles import percentile
from benchmarks.pinger import Pinger
from benchmarks.placements.client import Client, Outcome
from benchmarks.placements.places import Placement
from benchmarks.placements.servers import Server
from benchmarks.placements.work import Work
from benchmarks.running import cpu_seconds, sampled

_SAMPLE_S = 0.1


@dataclass(frozen=True)
class Load:
    """One measurement: jobs that were done, and what it was like meanwhile."""

    per_second: float
    failed: int
    #: What all processes of the server spent on one job; others on the machine change it little.
    cpu_ms: float
    livez_p50_ms: float
    livez_p99_ms: float
    #: The most that all processes of the server had at one time: proportional set size, sampled.
    peak_bytes: int


@dataclass(frozen=True)
class Demand:
    """What clients ask for: each of `clients` has one job in flight, for `seconds`."""

    work: Work
    body: bytes
    ops: str
    clients: int
    seconds: float


def load(placement: Placement, server: Server, demand: Demand, pinger: Pinger) -> Load:
    """Drive a server; jobs that are under way at the end are waited for and counted, and so is that time."""
    with sampled(server.processes, _SAMPLE_S) as peak, pinger.on(server.port) as latencies:
        began, before = time.perf_counter(), cpu_seconds(server.processes())
        outcomes = _drive(placement, server.port, demand)
        took, spent = time.perf_counter() - began, cpu_seconds(server.processes()) - before
    return Load(
        per_second=outcomes[Outcome.DONE] / took,
        failed=outcomes.total() - outcomes[Outcome.DONE],
        cpu_ms=spent * 1000 / outcomes.total(),
        livez_p50_ms=percentile(latencies, 50),
        livez_p99_ms=percentile(latencies, 99),
        peak_bytes=max(peak),
    )


def _drive(placement: Placement, port: int, demand: Demand) -> Counter[Outcome]:
    deadline = time.perf_counter() + demand.seconds

    def one_after_the_other() -> Counter[Outcome]:
        found = Counter[Outcome]()
        with closing(Client(placement, port)) as client:
            while not found or time.perf_counter() < deadline:
                found[client.do(demand.work, demand.body, demand.ops)] += 1
        return found

    with ThreadPoolExecutor(demand.clients) as pool:
        shares = [pool.submit(one_after_the_other) for _ in range(demand.clients)]
        return sum((share.result() for share in shares), Counter[Outcome]())
