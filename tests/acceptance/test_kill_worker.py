"""A worker that dies takes nobody with it, and its job is done all the same."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from urllib.parse import quote

from tests.servers import Server, wait_until

JOBS = 50
#: Long enough that a worker that has just begun is killed in the middle of its task.
OPS = quote("test-sleep:0.2/thumbnail:64x64")


def submit(server: Server, bodies: list[bytes]) -> list[str]:
    return [
        server.json("POST", f"/v1/jobs?ops={OPS}", bodies[number % len(bodies)])["id"]
        for number in range(JOBS)
    ]


def finished(server: Server, jobs: list[str]) -> list[dict[str, object]]:
    documents = [server.json("GET", f"/v1/jobs/{job}") for job in jobs]
    return [document for document in documents if document["status"] not in {"queued", "running"}]


def lanes(server: Server) -> list[dict[str, object]]:
    found: list[dict[str, object]] = server.json("GET", "/v1/workers")["lanes"]
    return found


def a_worker_that_has_just_begun(server: Server) -> int:
    """The pid of a worker whose lane has got another job this moment."""
    before = {lane["lane"]: lane["job"] for lane in lanes(server)}
    found: list[int] = []

    def begun() -> bool:
        fresh = [lane for lane in lanes(server) if lane["job"] not in {None, before[lane["lane"]]}]
        found.extend(int(str(lane["pid"])) for lane in fresh)
        return bool(found)

    wait_until(begun)
    return found[0]


def test_a_worker_killed_while_fifty_jobs_run_costs_one_more_start(
    server: Server, photo: Callable[..., bytes]
) -> None:
    jobs = submit(server, [photo(seed=seed) for seed in range(5)])
    os.kill(a_worker_that_has_just_begun(server), signal.SIGKILL)
    wait_until(lambda: server.json("GET", "/v1/stats")["queue"]["depth"] == 0)
    wait_until(lambda: len(finished(server, jobs)) == JOBS)
    done = finished(server, jobs)
    assert [document["status"] for document in done] == ["succeeded"] * JOBS
    assert sorted(str(document["attempts"]) for document in done) == ["1"] * (JOBS - 1) + ["2"]
    assert sum(int(str(lane["restarts"])) for lane in lanes(server)) == 1
