"""Lethal work among harmless work: what it costs the others, how soon its lane is back, what a cancel takes.

Starts the real server with the operations made for tests, on two lanes. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks import photos
from benchmarks.pinger import Pinger
from benchmarks.running import Running, server
from benchmarks.service import Client

LANES = 2
#: Seconds that an endless loop is given; the least that a patient operator would set is more.
TIMEOUT = 0.5
#: What kills: a segmentation fault, a loop in C that no signal handler interrupts, a memory bomb.
ENDLESS = "test-spin:3600"
LETHAL = ("test-crash:segv", ENDLESS, "test-memory:1000000000000")
HARMLESS = "thumbnail:256x256/webp"

Document = dict[str, Any]


@dataclass(frozen=True)
class Start:
    """One start of a job, as its history has it; times in milliseconds."""

    lane: int
    began: float
    #: When its process had to be gone, where it did not survive the start.
    lost: float | None


@dataclass(frozen=True)
class Mixed:
    """What became of a flood of jobs some of which are lethal."""

    harmless: int
    succeeded: int
    #: Harmless jobs that were started more than once.
    restarted: int
    #: How lethal jobs ended, and after how many starts.
    lethal: Counter[str]
    #: Milliseconds from the loss of a lane's process to the lane's next start.
    lane_back_ms: Sequence[float]
    livez_ms: Sequence[float]
    seconds: float


# -- the flood ----------------------------------------------------------------------------------------


def plan(jobs: int, each: int, seed: int) -> list[str]:
    """Pipelines in the order of submission: every `each`-th is lethal on average, all kinds alike often."""
    lethal = jobs // each
    ops = [LETHAL[number % len(LETHAL)] for number in range(lethal)] + [HARMLESS] * (jobs - lethal)
    random.Random(seed).shuffle(ops)  # noqa: S311  # the same order again, nothing secret
    return ops


def _submit(client: Client, source: bytes, ops: str) -> str:
    # A tail of its own makes each picture one that the service has not seen: no two works are the same.
    picture = source + os.urandom(16)
    timeout = f"&timeout={TIMEOUT}" if ops == ENDLESS else ""
    job = json.loads(client.call("POST", f"/v1/jobs?ops={quote(ops)}{timeout}", picture))
    return str(job["id"])


def _ended(client: Client, id: str) -> Document:
    while True:
        job: Document = json.loads(client.call("GET", f"/v1/jobs/{id}"))
        if job["status"] not in {"queued", "running"}:
            return job
        time.sleep(0.2)


def flood(running: Running, ops: Sequence[str], source: bytes, clients: int = 4) -> Mixed:
    """Submit all of it, wait for all of it."""

    def share(part: Sequence[str]) -> list[str]:
        client = Client(running.port)
        return [_submit(client, source, each) for each in part]

    pinger = Pinger()
    began = time.perf_counter()
    with pinger.on(running.port) as livez:
        with ThreadPoolExecutor(clients) as pool:
            parts = pool.map(share, [ops[n::clients] for n in range(clients)])
            jobs = [job for part in parts for job in part]
        client = Client(running.port)
        found = [_ended(client, job) for job in jobs]
    seconds = time.perf_counter() - began
    pinger.close()
    harmless = [job for job in found if not _lethal(job)]
    lethal = [job for job in found if _lethal(job)]
    return Mixed(
        harmless=len(harmless),
        succeeded=sum(job["status"] == "succeeded" for job in harmless),
        restarted=sum(job["attempts"] > 1 for job in harmless),
        lethal=Counter(_end(job) for job in lethal),
        lane_back_ms=back([start for job in found for start in _starts(job)]),
        livez_ms=livez,
        seconds=seconds,
    )


def _lethal(job: Document) -> bool:
    return str(job["outputs"][0]["spec"]).startswith("test-")


def _end(job: Document) -> str:
    op = job["outputs"][0]["spec"].partition(":")[0]
    how = job["error"]["code"] if job["error"] else job["status"]
    return f"{op}: {how} after {job['attempts']} starts"


def _starts(job: Document) -> list[Start]:
    spec = job["outputs"][0]["spec"]
    found = []
    for start in job["history"]:
        began, lost = _ms(start["started_at"]), None
        if spec.startswith("test-crash"):
            lost = began  # it dies as soon as its picture is decoded: the decode counts against us
        elif spec.startswith("test-spin"):
            lost = began + job["timeout_ms"]
        found.append(Start(start["lane"], began, lost))
    return found


def back(starts: Sequence[Start]) -> list[float]:
    """For each process that was lost: how long its lane took to begin its next start."""
    found = []
    for lane in {start.lane for start in starts}:
        ours = sorted((start for start in starts if start.lane == lane), key=lambda start: start.began)
        found += [after.began - start.lost for start, after in pairwise(ours) if start.lost]
    return found


def _ms(time: str) -> float:
    return datetime.fromisoformat(time).timestamp() * 1000


# -- a cancel -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Canceled:
    """Milliseconds from sending a cancel until its worker process is gone, and until the next job runs."""

    gone_ms: float
    next_ms: float


def cancel(running: Running, source: bytes) -> Canceled:
    """Cancel one of two endless jobs while a third one waits."""
    client = Client(running.port)
    endless = [_submit(client, source, "test-spin:20") for _ in range(LANES)]
    pid = _pid(client, endless)
    waiting = _submit(client, source, HARMLESS)
    began, wall = time.perf_counter(), time.time() * 1000
    client.call("POST", f"/v1/jobs/{endless[0]}/cancel")
    while _alive(pid):
        time.sleep(0.001)
    gone = (time.perf_counter() - began) * 1000
    job = _ended(client, waiting)
    client.call("POST", f"/v1/jobs/{endless[1]}/cancel")
    return Canceled(gone, _ms(job["history"][0]["started_at"]) - wall)


def _pid(client: Client, endless: Sequence[str], patience: float = 10) -> int:
    """The process of the first of them, once all of them spin."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        lanes = json.loads(client.call("GET", "/v1/workers"))["lanes"]
        if all(lane["job"] in endless and lane["step"] == "test-spin" for lane in lanes):
            return next(int(lane["pid"]) for lane in lanes if lane["job"] == endless[0])
        time.sleep(0.01)
    raise RuntimeError(f"they do not all run: {lanes}")


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except (FileNotFoundError, ProcessLookupError):
        return False


# -- the report ---------------------------------------------------------------------------------------


def _part(values: Sequence[float], of: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * of))] if ordered else float("nan")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--each", type=int, default=10, help="one of so many jobs is lethal")
    parser.add_argument("--cancels", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    source = photos.jpeg((1600, 1200))
    with server({"IMGSVC_WORKERS": str(LANES), "IMGSVC_TEST_OPERATIONS": "1"}) as running:
        mixed = flood(running, plan(options.jobs, options.each, options.seed), source)
        canceled = [cancel(running, source) for _ in range(options.cancels)]
    print(f"{options.jobs} jobs, every {options.each}th lethal, {LANES} lanes: {mixed.seconds:.1f} s")
    for end, count in sorted(mixed.lethal.items()):
        print(f"  {count:4} {end}")
    print(f"  harmless jobs that succeeded: {mixed.succeeded} of {mixed.harmless}")
    print(f"  harmless jobs with more than one start: {mixed.restarted}")
    for name, values in ("lane back", mixed.lane_back_ms), ("/livez", mixed.livez_ms):
        p50, p99, most = (_part(values, part) for part in (0.5, 0.99, 1))
        print(f"  {name}: p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {most:.1f} ms ({len(values)} times)")
    print(f"cancel of a running 20 s job, {options.cancels} times, from the request:")
    for name, values in (
        ("process gone", [each.gone_ms for each in canceled]),
        ("next job runs", [each.next_ms for each in canceled]),
    ):
        print(f"  {name}: p50 {_part(values, 0.5):.0f} ms, max {max(values):.0f} ms")


if __name__ == "__main__":
    main()
