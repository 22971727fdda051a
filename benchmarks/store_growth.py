"""The job store at 10,000 and at 1,000,000 ended jobs: what must not slow down as history grows.

Fills two databases with ended jobs, then runs every operation on both, call by call in turn, and compares the
medians. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

from imgsvc import jobstore
from imgsvc.jobs import Job, State, image_id, image_key, new_id
from imgsvc.jobstore import JobStore
from imgsvc.jobstore.sqlite.connection import writer
from imgsvc.jobstore.sqlite.rows import job_to, results_to, timings_to
from tests.records import NOW, a_job, results, success

#: One job in so many failed, was canceled, is of a batch, has a reference.
FAILED, CANCELED, BATCHED, REFERRED = 50, 100, 3, 4
#: Rows that one sweep takes.
SWEEP = 200
#: The oldest 5,000 jobs have expired by then: enough for every sweep.
SWEPT = NOW + 500


def rows(count: int) -> list[tuple[dict[str, object], dict[str, object]]]:
    """Images and ended jobs as rows, each like what a real job leaves behind."""
    job = a_job().evolve(attempts=1)
    made = results(job)
    template = job_to(job, 0, 0) | {
        "timings": timings_to(success(job).timings),
        "history": '[{"attempt":1,"started_at":1750000000000,"lane":1,"ended_at":1750000000041,'
        '"outcome":"succeeded"}]',
    }
    image = dict(job.image.__dict__)
    found = []
    for number in range(count):
        digest = secrets.token_hex(32)
        its = new_id("job")
        state = "failed" if number % FAILED == 0 else "canceled" if number % CANCELED == 1 else "succeeded"
        found.append(
            (
                image | {"id": image_id(digest), "sha256": digest, "key": image_key(image_id(digest))},
                template
                | {
                    "id": its,
                    "state": state,
                    "batch": None if number % BATCHED else f"bat_{number // 3000}",
                    "reference": None if number % REFERRED else f"order-{number}",
                    "results": results_to(made).replace(job.id, its),
                },
            )
        )
    return found


def fill(path: Path, count: int, deadline: float) -> int:
    """Record up to `count` ended jobs without asking the disk each time; how many there was time for."""
    images = (
        "INSERT INTO images (id, sha256, key, bytes, format, content_type, width, height, frames, has_alpha,"
        " created_at, kept, brought) VALUES (:id, :sha256, :key, :bytes, :format, :content_type, :width,"
        " :height, :frames, :has_alpha, :created_at, 0, 1)"
    )
    jobs = (
        "INSERT INTO jobs (id, state, rank, priority, reference, batch, attempts, max_attempts, timeout_ms,"
        " retention_s, created_at, started_at, finished_at, expires_at, image, filename, outputs, results,"
        " timings, history) VALUES (:id, :state, 0, :priority, :reference, :batch, 1, 3, 30000, 3600,"
        " :created_at, :created_at, :end, :expires, :number, :filename, :outputs, :results, :timings,"
        " :history)"
    )
    done = 0
    with closing(writer(path, 5.0)) as database:
        database.execute("PRAGMA synchronous = OFF")
        while done < count and time.monotonic() < deadline:
            batch = rows(min(10_000, count - done))
            database.execute("BEGIN IMMEDIATE")
            database.executemany(images, [image for image, _ in batch])
            # Every tenth of a millisecond one job ends.
            database.executemany(
                jobs,
                [
                    job | {"number": done + place, "end": NOW, "expires": NOW + (done + place) // 10}
                    for place, (_, job) in enumerate(batch, start=1)
                ],
            )
            database.execute("COMMIT")
            done += len(batch)
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return done


@dataclass
class Subject:
    """One of the two stores, and what of it the operations need."""

    store: JobStore
    #: The ids of some ended jobs, evenly from all of them.
    ids: Sequence[str]
    chance: Random
    claimed: list[Job]


async def add(subject: Subject) -> None:
    await subject.store.add(a_job(), rank=0)


async def claim(subject: Subject) -> None:
    job = await subject.store.claim(NOW, lane=1)
    assert job
    subject.claimed.append(job)


async def settle(subject: Subject) -> None:
    job = subject.claimed.pop()
    assert await subject.store.settle(job.id, 1, success(job, 2 * NOW))


async def get(subject: Subject) -> None:
    assert await subject.store.get(subject.chance.choice(subject.ids))


async def first_page(subject: Subject) -> None:
    assert len((await subject.store.list(limit=50)).items) == 50


async def first_page_of_failed(subject: Subject) -> None:
    assert len((await subject.store.list(limit=50, states=[State.FAILED])).items) == 50


async def first_page_of_a_batch(subject: Subject) -> None:
    assert len((await subject.store.list(limit=50, batch="bat_1")).items) == 50


async def backlog(subject: Subject) -> None:
    await subject.store.backlog()


async def counts(subject: Subject) -> None:
    await subject.store.counts()


async def sweep(subject: Subject) -> None:
    expired = await subject.store.expire(SWEPT, limit=SWEEP)
    assert len(expired) == SWEEP
    keys = await subject.store.unneeded_images(SWEPT, limit=SWEEP)
    assert len(keys) == SWEEP


#: Operation, how often in a round, and how many rows each one handles.
OPERATIONS: list[tuple[Callable[[Subject], Awaitable[None]], int, int]] = [
    (add, 40, 1),
    (claim, 40, 1),
    (settle, 40, 1),
    (get, 100, 1),
    (first_page, 10, 1),
    (first_page_of_failed, 10, 1),
    (first_page_of_a_batch, 10, 1),
    (backlog, 50, 1),
    (counts, 50, 1),
    (sweep, 1, SWEEP),
]


async def timed(subject: Subject, operation: Callable[[Subject], Awaitable[None]]) -> float:
    """Seconds for one operation."""
    began = time.perf_counter()
    await operation(subject)
    return time.perf_counter() - began


def some_ids(path: Path, count: int) -> list[str]:
    """The ids of some of the jobs that no sweep takes, from all over the rest."""
    with closing(sqlite3.connect(path)) as database:
        (total,) = database.execute("SELECT count(*) FROM jobs").fetchone()
        step = "SELECT id FROM jobs WHERE expires_at > :swept AND rowid % :step = 0"
        return [its for (its,) in database.execute(step, {"swept": SWEPT, "step": max(1, total // count)})]


async def compare(paths: Sequence[Path], rounds: int) -> dict[str, list[float]]:
    """The median seconds per row of each operation, for each database."""
    subjects = [
        Subject(
            jobstore.connect(f"sqlite://{path}"),
            some_ids(path, 2000),
            Random(1),  # noqa: S311  # the same choices in every run
            [],
        )
        for path in paths
    ]
    for subject in subjects:
        await subject.store.open()
    taken: dict[str, list[list[float]]] = {op.__name__: [[] for _ in subjects] for op, _, _ in OPERATIONS}
    for _ in range(rounds):
        for operation, times, per in OPERATIONS:
            # Call by call in turn: what else the machine does meets both alike.
            for _ in range(times):
                for place, subject in enumerate(subjects):
                    taken[operation.__name__][place].append(await timed(subject, operation) / per)
    for subject in subjects:
        await subject.store.close()
    return {name: [statistics.median(each) for each in both] for name, both in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--large", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=300.0, help="at most, to fill the large one")
    parser.add_argument("--folder", type=Path, help="where the databases are made [a temporary folder]")
    parser.add_argument("--json", type=Path, help="keep the raw numbers")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        paths = [Path(folder) / name for name in ("small.sqlite3", "large.sqlite3")]
        deadline = time.monotonic() + options.seconds
        sizes = [
            fill(path, count, deadline)
            for path, count in zip(paths, (options.small, options.large), strict=True)
        ]
        megabytes = [path.stat().st_size / 1e6 for path in paths]
        found = asyncio.run(compare(paths, options.rounds))
    print(f"{'':24}" + "".join(f"{size:>14,} jobs" for size in sizes) + "      ratio")
    print(f"{'file':24}" + "".join(f"{size:>16,.0f} MB" for size in megabytes))
    for name, (small, large) in found.items():
        per = " per row" if name == "sweep" else ""
        figures = f"{small * 1e6:>16,.0f} µs{large * 1e6:>16,.0f} µs{large / small:>11.2f}"
        print(f"{name.replace('_', ' ') + per:24}{figures}")
    if options.json:
        options.json.write_text(json.dumps({"jobs": sizes, "seconds_per_row": found}, indent=1))


if __name__ == "__main__":
    main()
