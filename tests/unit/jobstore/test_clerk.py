"""Group commit: many share a transaction, and one that fails takes nobody with it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from imgsvc.errors import StorageUnavailable
from imgsvc.jobs import Job
from imgsvc.jobstore.sqlite import writes
from imgsvc.jobstore.sqlite.clerk import TOGETHER, Clerk, Errand, Journal, together
from imgsvc.jobstore.sqlite.connection import writer
from tests.records import a_job

pytestmark = pytest.mark.anyio


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (x INTEGER PRIMARY KEY)")
        yield connection


def inserting(*numbers: int) -> Callable[[sqlite3.Connection], int]:
    def work(connection: sqlite3.Connection) -> int:
        for number in numbers:
            connection.execute("INSERT INTO t VALUES (?)", (number,))
        return len(numbers)

    return work


def refusing(_: sqlite3.Connection) -> None:
    raise LookupError("refused before anything was written")


def full(connection: sqlite3.Connection) -> None:
    """What SQLite does when the disk is full: the transaction is gone with the statement."""
    connection.execute("ROLLBACK")
    raise sqlite3.OperationalError("database or disk is full")


def errands(*works: Callable[[sqlite3.Connection], object]) -> list[Errand]:
    loop = asyncio.get_running_loop()
    return [Errand(work, loop.create_future()) for work in works]


def numbers(connection: sqlite3.Connection) -> list[int]:
    return [number for (number,) in connection.execute("SELECT x FROM t ORDER BY x")]


def commits(traced: Sequence[str]) -> int:
    return sum(statement == "COMMIT" for statement in traced)


async def test_errands_share_a_transaction(database: sqlite3.Connection) -> None:
    traced: list[str] = []
    database.set_trace_callback(traced.append)
    handed = errands(*[inserting(number) for number in range(50)])
    together(database, handed)
    assert commits(traced) == 1
    assert [errand.result for errand in handed] == [1] * 50
    assert numbers(database) == list(range(50))


class Told(Journal):
    """A journal of what a trigger tells."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.open: list[int] = []
        self.committed: list[int] = []
        connection.create_function("tell", 1, self.open.append)
        connection.execute("CREATE TRIGGER told AFTER INSERT ON t BEGIN SELECT tell(NEW.x); END")
        connection.execute(
            "CREATE TRIGGER no BEFORE INSERT ON t WHEN NEW.x = 13 BEGIN SELECT RAISE(ABORT, 'no'); END"
        )

    @property
    def length(self) -> int:
        return len(self.open)

    def commit(self) -> None:
        self.committed += self.open
        self.open.clear()

    def roll_back(self, length: int = 0) -> None:
        del self.open[length:]


def fails_half_way(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO t VALUES (11), (12), (13)")


def fails_afterwards(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO t VALUES (21)")
    raise LookupError("refused after something was written")


@pytest.mark.parametrize("failing", [fails_half_way, fails_afterwards, full])
async def test_a_journal_is_told_what_is_committed_and_nothing_else(
    database: sqlite3.Connection, failing: Callable[[sqlite3.Connection], object]
) -> None:
    journal = Told(database)
    together(database, errands(inserting(1), failing, inserting(2)), journal)
    assert sorted(journal.committed) == numbers(database) == [1, 2]
    together(database, errands(failing), journal)
    assert (sorted(journal.committed), journal.open) == ([1, 2], [])


async def test_a_refusal_costs_its_neighbours_nothing(database: sqlite3.Connection) -> None:
    traced: list[str] = []
    database.set_trace_callback(traced.append)
    handed = errands(inserting(1), refusing, inserting(2))
    together(database, handed)
    assert commits(traced) == 1
    assert isinstance(handed[1].error, LookupError)
    assert numbers(database) == [1, 2]


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_one_that_fails_half_way_is_undone_alone(database: sqlite3.Connection, place: int) -> None:
    works = [inserting(1), inserting(2)]
    works.insert(place, inserting(7, 8, 7))
    handed = errands(*works)
    together(database, handed)
    assert [errand.error is not None for errand in handed] == [number == place for number in range(3)]
    assert numbers(database) == [1, 2]


async def test_a_transaction_that_sqlite_ended_itself_loses_nobody(database: sqlite3.Connection) -> None:
    handed = errands(inserting(1), full, inserting(2))
    together(database, handed)
    assert [errand.error is None for errand in handed] == [True, False, True]
    assert numbers(database) == [1, 2]
    assert not database.in_transaction


async def test_when_nothing_can_begin_everybody_is_told(database: sqlite3.Connection) -> None:
    database.execute("BEGIN")
    handed = errands(inserting(1), inserting(2))
    together(database, handed)
    assert all(isinstance(errand.error, sqlite3.OperationalError) for errand in handed)
    assert numbers(database) == []


async def test_two_hundred_adds_share_commits(tmp_path: Path) -> None:
    rounds: list[int] = []

    def serve(connection: sqlite3.Connection, handed: Sequence[Errand]) -> None:
        rounds.append(len(handed))
        together(connection, handed)

    clerk = Clerk("writer", partial(writer, tmp_path / "jobs.sqlite3", 1.0), serve)
    await clerk.start()
    jobs = [a_job() for _ in range(200)]
    added: list[Job] = await asyncio.gather(
        *[clerk.hand(partial(writes.add, job=job, rank=0, stored=False)) for job in jobs]
    )
    await clerk.stop()
    assert added == jobs
    assert sum(rounds) == 200
    assert max(rounds) <= TOGETHER
    assert len(rounds) <= 20, rounds


async def test_what_cannot_connect_raises_and_leaves_no_thread() -> None:
    def connect() -> sqlite3.Connection:
        raise sqlite3.OperationalError("unable to open database file")

    clerk = Clerk("nobody", connect, together)
    with pytest.raises(StorageUnavailable):
        await clerk.start()
    assert "away" in repr(clerk)
    with pytest.raises(StorageUnavailable, match="closed"):
        clerk.hand(lambda _: None)


async def test_an_answer_that_nobody_waits_for_is_dropped_and_the_work_is_done(tmp_path: Path) -> None:
    clerk = Clerk("writer", partial(writer, tmp_path / "jobs.sqlite3", 1.0), together)
    await clerk.start()
    assert "working" in repr(clerk)
    job = a_job()
    clerk.hand(partial(writes.add, job=job, rank=0, stored=False)).cancel()
    with pytest.raises(ValueError, match="there already"):
        await clerk.hand(partial(writes.add, job=job, rank=0, stored=False))
    await clerk.stop()
