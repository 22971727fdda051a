"""The job store at 10,000 and at 1,000,000 ended jobs: what must not slow down as history grows.

Fills two databases with ended jobs, then makes every call on both, one by one in turn, and compares the
medians; then does the same with two real servers that start on these databases. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from random import Random

from benchmarks.history import fill
from benchmarks.store_calls import CALLS, SWEEP, Subject
from benchmarks.store_server import asked, started
from imgsvc import jobstore
from imgsvc.scheduler import now

#: All jobs expire from a day after the start on: the servers find nothing to sweep.
DAY = 24 * 3600 * 1000
#: The oldest jobs, which sweeps and the making of room may take: room for twelve rounds.
SWEPT = 5500
#: How many of the others are asked for by their ids: too many to stay in a connection's cache.
KNOWN = 2000

#: The median seconds of each thing, for each database.
Found = dict[str, list[float]]


async def timed(subject: Subject, call: Callable[[Subject], Awaitable[None]]) -> float:
    """Seconds for one call."""
    began = time.perf_counter()
    await call(subject)
    return time.perf_counter() - began


def some_ids(path: Path, oldest: int) -> list[str]:
    """The ids of some ended jobs, from all over those that no sweep takes."""
    with closing(sqlite3.connect(path)) as database:
        (total,) = database.execute("SELECT count(*) FROM jobs").fetchone()
        values = {"oldest": oldest, "step": max(1, (total - oldest) // KNOWN)}
        found = database.execute("SELECT id FROM jobs WHERE rowid > :oldest AND rowid % :step = 0", values)
        return [its for (its,) in found][:KNOWN]


async def compare(paths: Sequence[Path], rounds: int, oldest: int) -> Found:
    """Every call of the store, on both in turn."""
    subjects = []
    for path in paths:
        store = jobstore.connect(f"sqlite://{path}")
        await store.open()
        known = [job for its in some_ids(path, oldest) if (job := await store.get(its))]
        size = sum((await store.counts()).values())
        subjects.append(Subject(store, known, Random(1), now(), size=size))  # noqa: S311  # the same for both
        await subjects[-1].prepare()
    taken: dict[str, list[list[float]]] = {call.__name__: [[] for _ in subjects] for call, _, _ in CALLS}
    for _ in range(rounds):
        for call, times, per in CALLS:
            # Call by call in turn: what else the machine does meets both alike.
            for _ in range(times):
                for place, subject in enumerate(subjects):
                    taken[call.__name__][place].append(await timed(subject, call) / per)
    for subject in subjects:
        await subject.store.close()
    return {name: [statistics.median(each) for each in both] for name, both in taken.items()}


def show(found: Mapping[str, Sequence[float]]) -> None:
    """The table, and what grew most."""
    rows = {call.__name__: " per row" for call, _, per in CALLS if per == SWEEP}
    for name, (small, large) in found.items():
        told = name.replace("_", " ") + rows.get(name, "")
        print(f"{told:44}{small * 1e6:>14,.0f} µs{large * 1e6:>14,.0f} µs{large / small:>9.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--large", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=12, help="at most 12: there must be enough to sweep")
    parser.add_argument("--starts", type=int, default=5, help="of each server; 0: no servers")
    parser.add_argument("--seconds", type=float, default=500.0, help="at most, to fill the large one")
    parser.add_argument("--folder", type=Path, help="where the databases are made [a temporary folder]")
    parser.add_argument("--json", type=Path, help="keep the numbers")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        folders = [Path(folder) / name for name in ("small", "large")]
        paths = [each / "imgsvc.sqlite3" for each in folders]
        deadline, first, sizes = time.monotonic() + options.seconds, now() + DAY, []
        for path, count in zip(paths, (options.small, options.large), strict=True):
            path.parent.mkdir()
            sizes.append(fill(path, count, first=first, deadline=deadline))
        print(f"{'':44}" + "".join(f"{size:>12,} jobs" for size in sizes) + "    ratio")
        print(f"{'file':44}" + "".join(f"{path.stat().st_size / 1e6:>14,.0f} MB" for path in paths))
        found = asyncio.run(compare(paths, options.rounds, min(SWEPT, options.small // 2)))
        show(found)
        if options.starts:
            servers = started(folders, options.starts) | asked(folders)
            show(servers)
            found |= servers
    print(f"most: {max(large / small for small, large in found.values()):.2f}")
    if options.json:
        options.json.write_text(json.dumps({"jobs": sizes, "seconds": found}, indent=1))


if __name__ == "__main__":
    main()
