"""The line in memory says what the database says, whatever a transaction comes to."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from imgsvc.jobs import Job, Priority
from imgsvc.jobstore.sqlite import reads, writes
from imgsvc.jobstore.sqlite.clerk import Errand, together
from imgsvc.jobstore.sqlite.connection import writer
from imgsvc.jobstore.sqlite.line import Line
from tests.records import NOW, a_job

pytestmark = pytest.mark.anyio


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = writer(tmp_path / "jobs.sqlite3", 1.0)
    yield connection
    connection.close()


def run(database: sqlite3.Connection, line: Line, *works: Callable[[sqlite3.Connection], object]) -> None:
    loop = asyncio.get_running_loop()
    together(database, [Errand(work, loop.create_future()) for work in works], line)


def added(job: Job, rank: int) -> Callable[[sqlite3.Connection], object]:
    return partial(writes.add, job=job, rank=rank, stored=False)


def agree(database: sqlite3.Connection, line: Line) -> None:
    """What the line has learned is what another one reads."""
    ids = [str(its) for (its,) in database.execute("SELECT id FROM jobs")]
    fresh = Line()
    with contextlib.closing(writer_of(database)) as another:
        fresh.attach(another)
    assert reads.positions(database, ids, line) == reads.positions(database, ids, fresh)
    assert line.depths() == fresh.depths()
    assert repr(line) == repr(fresh)


def writer_of(database: sqlite3.Connection) -> sqlite3.Connection:
    """One more connection to the same file: its line is told of nothing."""
    (path,) = [row["file"] for row in database.execute("PRAGMA database_list") if row["name"] == "main"]
    return writer(Path(path), 1.0)


def fails_after_it_has_written(connection: sqlite3.Connection) -> None:
    writes.add(connection, a_job(), -5, stored=False)
    writes.claim(connection, NOW, 1)
    raise ArithmeticError


async def test_a_line_follows_what_is_committed(database: sqlite3.Connection) -> None:
    line = Line()
    line.attach(database)
    first, second, third = a_job(), a_job(), a_job()
    run(database, line, added(first, 3), added(second, 1), added(third, 2))
    assert (line.place(1, second.id), line.place(2, third.id), line.place(3, first.id)) == (1, 2, 3)
    run(database, line, partial(writes.claim, now=NOW, lane=1), partial(writes.delete, id=first.id, now=NOW))
    assert line.place(2, third.id) == 1
    assert repr(line) == "<Line of 1 jobs>"
    agree(database, line)


async def test_what_is_rolled_back_has_not_happened(database: sqlite3.Connection) -> None:
    line = Line()
    line.attach(database)
    run(database, line, added(a_job(), 1), fails_after_it_has_written, added(a_job(), 2))
    assert repr(line) == "<Line of 2 jobs>"
    run(database, line, fails_after_it_has_written)
    assert line.depths()[Priority.NORMAL] == 2
    agree(database, line)


async def test_a_statement_that_fails_half_way_leaves_no_trace(database: sqlite3.Connection) -> None:
    line = Line()
    line.attach(database)
    jobs = [a_job() for _ in range(3)]
    run(database, line, *(added(job, number) for number, job in enumerate(jobs)))
    database.execute(
        "CREATE TEMP TRIGGER refuse BEFORE UPDATE ON main.jobs WHEN OLD.id = "
        f"'{jobs[2].id}' BEGIN SELECT RAISE(ABORT, 'no'); END"
    )
    run(
        database,
        line,
        lambda connection: connection.execute("UPDATE jobs SET state = 'running', attempts = 1"),
        added(a_job(), 9),
    )
    assert repr(line) == "<Line of 4 jobs>"
    agree(database, line)


async def test_a_line_begins_with_what_is_queued(database: sqlite3.Connection) -> None:
    for number in range(5):
        writes.add(database, a_job(), number, stored=False)
    writes.claim(database, NOW, 1)
    line = Line()
    line.attach(database)
    assert repr(line) == "<Line of 4 jobs>"
    assert line.depths() == {Priority.HIGH: 0, Priority.NORMAL: 4, Priority.LOW: 0}
