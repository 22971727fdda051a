"""A long line on the real server: is it served in order, does ageing hold, what is a place in it worth?

Fills a paused queue with jobs of mixed priority, resumes it and watches. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks import photos
from benchmarks.running import server
from benchmarks.service import Client
from imgsvc.jobs import Priority
from imgsvc.jobstore import rank

#: What the jobs do; with `--mixed` a quarter of them takes seventy times as long (0.4 and 31 ms).
_QUICK, _SLOW = "thumbnail:16x16/png", "resize:1200x900,enlarge/blur:8/jpeg"
#: Jobs whose estimates are compared with what came: one at each of so many places, spread over the line.
PROBES = 60


@dataclass(frozen=True)
class Done:
    """A job that has been through the line; times in ms."""

    id: str
    priority: Priority
    created: int
    started: int

    def rank(self, ageing_s: float) -> tuple[int, str]:
        """Its place by the rule that is documented."""
        return rank(self.created, self.priority, ageing_s), self.id


@dataclass(frozen=True)
class Guess:
    """What a queued job was told: at a moment (ms), its place and its wait."""

    id: str
    at: float
    position: int
    wait_ms: float


def ms(text: str) -> int:
    """An RFC 3339 time as milliseconds since the epoch."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


# -- what is asked of a server --------------------------------------------------------------------------


def fill(port: int, count: int, body: bytes, *, seconds: float, seed: int, mixed: bool = False) -> list[str]:
    """So many jobs over eight connections, spread over at least `seconds`: their ids."""
    chance = random.Random(seed)  # noqa: S311  # the same jobs every time
    priorities = [chance.choice(list(Priority)) for _ in range(count)]
    ops = [quote(_SLOW if mixed and chance.random() < 0.25 else _QUICK) for _ in range(count)]
    began = time.perf_counter()

    def share(offset: int) -> list[str]:
        ids = []
        with Client(port) as client:
            for number in range(offset, count, 8):
                if (early := number / count * seconds - (time.perf_counter() - began)) > 0:
                    time.sleep(early)
                path = f"/v1/jobs?ops={ops[number]}&priority={priorities[number]}"
                ids.append(json.loads(client.call("POST", path, body))["id"])
        return ids

    with ThreadPoolExecutor(8) as pool:
        return [its for ids in pool.map(share, range(8)) for its in ids]


def look(client: Client, jobs: Iterable[str]) -> list[Guess]:
    """What these jobs are told now; those that have started are left out."""
    found = []
    for its in jobs:
        queue = json.loads(client.call("GET", f"/v1/jobs/{its}"))["queue"]
        if queue["position"] is not None and queue["estimated_wait_ms"] is not None:
            found.append(Guess(its, time.time() * 1000, queue["position"], queue["estimated_wait_ms"]))
    return found


def watch(client: Client, jobs: Sequence[str], total: int) -> list[Guess]:
    """Guesses of these jobs, taken four times while the line gets shorter; returns when it is empty."""
    guesses: list[Guess] = []
    for left in (0.95, 0.7, 0.45, 0.2):
        while depth(client) > left * total:
            time.sleep(0.05)
        guesses += look(client, jobs)
    while depth(client) or json.loads(client.call("GET", "/v1/stats"))["queue"]["running"]:
        time.sleep(0.05)
    return guesses


def depth(client: Client) -> int:
    """How many jobs wait."""
    return int(json.loads(client.call("GET", "/v1/stats"))["queue"]["depth"])


def all_jobs(client: Client) -> list[Done]:
    """Every job that the server knows, as it started."""
    found, cursor = [], ""
    while True:
        page = json.loads(client.call("GET", f"/v1/jobs?limit=200{cursor}"))
        found += [_done(job) for job in page["items"]]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


def _done(job: dict[str, Any]) -> Done:
    if job["status"] != "succeeded" or job["attempts"] != 1:
        raise RuntimeError(f"{job['id']} ended as {job['status']} after {job['attempts']} attempts")
    return Done(job["id"], Priority(job["priority"]), ms(job["created_at"]), ms(job["started_at"]))


# -- what is to be shown --------------------------------------------------------------------------------


def violations(jobs: Iterable[Done], ageing_s: float) -> int:
    """Jobs that started after one that was behind them. Starts in one millisecond have no order."""
    by_start = sorted(jobs, key=lambda job: job.started)
    furthest: tuple[int, str] = (0, "")
    found = 0
    for _, together in groupby(by_start, key=lambda job: job.started):
        ranks = [job.rank(ageing_s) for job in together]
        found += sum(its < furthest for its in ranks)
        furthest = max(furthest, *ranks)
    return found


def overtaken(jobs: Sequence[Done], ageing_s: float) -> tuple[int, float]:
    """Jobs overtaken beyond the bound, and by how much (s) the latest overtaker came after whom it overtook.

    The bound: PRIORITY_AGEING for each class between the two.
    """
    bad, most = 0, 0.0
    for low, high in (
        (Priority.LOW, Priority.NORMAL),
        (Priority.NORMAL, Priority.HIGH),
        (Priority.LOW, Priority.HIGH),
    ):
        bound = (high.classes - low.classes) * ageing_s * 1000
        # Going back in time of start: the latest arrival of the higher class among those that started before.
        latest, others = (
            -math.inf,
            iter(sorted((job for job in jobs if job.priority is high), key=lambda job: job.started)),
        )
        other = next(others, None)
        for job in sorted((job for job in jobs if job.priority is low), key=lambda job: job.started):
            while other is not None and other.started < job.started:
                latest = max(latest, other.created)
                other = next(others, None)
            bad += latest - job.created > bound
            most = max(most, (latest - job.created) / 1000)
    return bad, most


def errors(guesses: Iterable[Guess], jobs: Iterable[Done]) -> list[tuple[int, float]]:
    """Each guess's position, and |estimated - actual| / actual."""
    started = {job.id: job.started for job in jobs}
    waits = [(guess, started[guess.id] - guess.at) for guess in guesses]
    return [(guess.position, abs(guess.wait_ms - wait) / wait) for guess, wait in waits if wait > 0]


def quantile(values: Iterable[float], share: float) -> float:
    """The value that this share does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


def _print_errors(found: Sequence[tuple[int, float]]) -> None:
    print(f"\n{'estimates':24}{'guesses':>9}{'median':>9}{'p90':>9}")
    for name, low, high in (
        ("places 1 to 100", 1, 101),
        ("places 101 to 1,000", 101, 1001),
        ("places above 1,000", 1001, 1 << 62),
        ("all", 1, 1 << 62),
    ):
        some = [error for position, error in found if low <= position < high]
        if some:
            print(f"  {name:22}{len(some):9}{statistics.median(some):9.1%}{quantile(some, 0.9):9.1%}")


def measure(count: int, ageing_s: float, seconds: float, seed: int, *, mixed: bool) -> dict[str, Any]:
    """Fill, resume, watch; what came of it."""
    body = photos.jpeg((64, 48))
    settings = {"IMGSVC_WORKERS": "2", "IMGSVC_PRIORITY_AGEING": str(ageing_s)}
    with server(settings) as running:
        client = Client(running.port)
        client.call("POST", f"/v1/process?ops={_QUICK}", body)
        # What the first thousand cost once (caches, code) is no cost of a queued job.
        client.call("POST", "/v1/queue:pause")
        fill(running.port, 1000, body, seconds=0, seed=seed)
        client.call("POST", "/v1/jobs:cancel")
        for page in iter(lambda: json.loads(client.call("GET", "/v1/jobs?limit=200"))["items"], []):
            for job in page:
                client.call("DELETE", f"/v1/jobs/{job['id']}")
        before, began = running.resident()[running.pid], time.perf_counter()
        ids = fill(running.port, count, body, seconds=seconds, seed=seed, mixed=mixed)
        added_s = time.perf_counter() - began
        after = running.resident()[running.pid]
        probes = random.Random(seed).sample(ids, PROBES)  # noqa: S311  # as above
        began = time.perf_counter()
        for _ in range(20):
            client.call("GET", "/v1/jobs?status=queued&limit=200")
        list_ms = (time.perf_counter() - began) * 1000 / 20
        client.call("POST", "/v1/queue:resume")
        began = time.perf_counter()
        guesses = watch(client, probes, count)
        served_s = time.perf_counter() - began
        jobs = all_jobs(client)
    bad, most = overtaken(jobs, ageing_s)
    return {
        "jobs": len(jobs),
        "order_violations": violations(jobs, ageing_s),
        "ageing_violations": bad,
        "latest_overtaker_s": most,
        "added_per_s": count / added_s,
        "served_per_s": count / served_s,
        "list_of_200_ms": list_ms,
        "api_bytes_per_queued_job": (after - before) / count,
        "errors": errors(guesses, jobs),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--ageing", type=float, default=5.0, help="PRIORITY_AGEING in seconds")
    parser.add_argument("--seconds", type=float, default=0.0, help="how long the filling takes at least")
    parser.add_argument("--mixed", action="store_true", help="a quarter of the jobs takes much longer")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = measure(options.count, options.ageing, options.seconds, options.seed, mixed=options.mixed)
    print(f"{found['jobs']} jobs of mixed priority, PRIORITY_AGEING={options.ageing:g} s, 2 lanes")
    print(f"  order violations              {found['order_violations']:8}")
    print(f"  overtaken beyond the bound    {found['ageing_violations']:8}")
    print(f"  latest overtaker, s           {found['latest_overtaker_s']:8.1f}")
    print(f"  added per second              {found['added_per_s']:8.0f}")
    print(f"  claimed and done per second   {found['served_per_s']:8.0f}")
    print(f"  a list of 200 queued jobs, ms {found['list_of_200_ms']:8.1f}")
    print(f"  API memory per queued job, B  {found['api_bytes_per_queued_job']:8.0f}")
    _print_errors(found["errors"])
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
