"""The database defends itself: migrations, constraints, counts and indexes."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from importlib import resources
from pathlib import Path

import pytest

from imgsvc.errors import StorageUnavailable
from imgsvc.jobs import TRANSITIONS, State
from imgsvc.jobstore import Stored
from imgsvc.jobstore.sqlite import batches, reads, schema, writes
from imgsvc.jobstore.sqlite.connection import writer
from imgsvc.jobstore.sqlite.queries import SQL
from tests.records import NOW, a_batch, a_failed_job, a_job, failure, one_more_try, success
from tests.unit.jobstore.undone import UNDONE

#: Queries that may read a whole table, because it is small.
SMALL = {"backlog", "counts", "paused", "ping", "set_paused", "stored"}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(writer(tmp_path / "jobs.sqlite3", 1.0)) as connection:
        yield connection


def in_state(database: sqlite3.Connection, state: State) -> str:
    """A job brought to a state: not always the added one, where others wait already."""
    job = writes.add(database, a_job(), 0, stored=False)
    if state is State.CANCELED:
        writes.cancel(database, job.id, NOW)
    elif state is not State.QUEUED:
        claimed = writes.claim(database, NOW, 1)
        assert claimed
        job = claimed
        if state.ended:
            writes.settle(database, job.id, 1, failure() if state is State.FAILED else success(job))
    return job.id


@pytest.mark.parametrize(("before", "after"), [*itertools.product(State, State)])
def test_the_schema_has_the_table_of_transitions(
    database: sqlite3.Connection, before: State, after: State
) -> None:
    id = in_state(database, before)  # noqa: A001  # the column's own name
    end = 1 if after.ended else None
    values = {"id": id, "state": after, "end": end}
    change = (
        "UPDATE jobs SET state = :state, finished_at = :end, expires_at = :end, attempts = 1 WHERE id = :id"
    )
    if after is before or after in TRANSITIONS[before]:
        database.execute(change, values)
    else:
        with pytest.raises(sqlite3.IntegrityError, match="impossible transition"):
            database.execute(change, values)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE jobs SET state = 'pending'",
        "UPDATE jobs SET finished_at = 1, expires_at = 1",
        "UPDATE jobs SET state = 'canceled'",
        "UPDATE jobs SET state = 'running'",
        "UPDATE images SET removed_at = 1",
        "DELETE FROM images",
        "UPDATE tally SET jobs = -1",
        "UPDATE jobs SET attempts = 'many'",
        "UPDATE jobs SET result_bytes = -1",
        "UPDATE stored SET images = -1",
    ],
)
def test_what_can_not_be_is_refused_by_the_schema(database: sqlite3.Connection, change: str) -> None:
    in_state(database, State.QUEUED)
    with pytest.raises(sqlite3.IntegrityError):
        database.execute(change)


def test_migrations_are_numbered_from_one_without_a_gap() -> None:
    numbers = [number for number, _ in schema._migrations()]
    assert numbers == list(range(1, schema.NEWEST + 1))


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        with closing(writer(tmp_path / "jobs.sqlite3", 1.0)) as connection:
            assert schema.version(connection) == schema.NEWEST


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite3"
    with closing(writer(path, 1.0)) as connection:
        connection.execute(f"PRAGMA user_version = {schema.NEWEST + 1}")
    with pytest.raises(StorageUnavailable, match=f"schema {schema.NEWEST + 1}, written by a newer imgsvc"):
        writer(path, 1.0)
    with closing(sqlite3.connect(path)) as connection:
        assert schema.version(connection) == schema.NEWEST + 1


def test_what_was_stored_before_bytes_were_counted_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite3"
    with closing(writer(path, 1.0)) as database:
        for state in State:
            in_state(database, state)
        counted = reads.stored(database)
        weights = database.execute("SELECT id, result_bytes, turn FROM jobs ORDER BY id").fetchall()
        for line in UNDONE:
            database.execute(line)
    with closing(writer(path, 1.0)) as database:
        assert reads.stored(database) == counted
        assert database.execute("SELECT id, result_bytes, turn FROM jobs ORDER BY id").fetchall() == weights
        assert counted.results == 1234
        writes.make_room(database, NOW, 0, 10)


def test_a_migration_that_fails_changes_nothing() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        with pytest.raises(sqlite3.OperationalError):
            schema._step(connection, 1, "CREATE TABLE a (x);\nCREATE TABLE a (x);\n")
        assert schema.version(connection) == 0
        assert connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)


def test_a_script_is_split_into_its_statements_triggers_and_all() -> None:
    trigger = "CREATE TRIGGER t AFTER INSERT ON a BEGIN\n SELECT 1;\n SELECT 2;\nEND;\n"
    script = f"-- why\nCREATE TABLE a (x);\n{trigger}"
    first, second = schema._statements(script)
    assert first.endswith("(x);\n")
    assert second == trigger


def test_a_database_is_as_durable_as_we_promise(database: sqlite3.Connection) -> None:
    assert database.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert database.execute("PRAGMA synchronous").fetchone()[0] == 2, "FULL"


def test_every_statement_is_used() -> None:
    source = "".join(
        file.read_text()
        for file in resources.files(writes.__package__).iterdir()
        if file.name.endswith(".py")
    )
    assert {name for name in SQL if f'"{name}"' not in source} == set()


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("name", ["list_jobs_in_state", "list_jobs_of_batch", "list_jobs_by_reference"])
def test_no_list_of_jobs_in_a_state_scans_or_sorts(
    database: sqlite3.Connection, name: str, state: State
) -> None:
    plan = database.execute(f"EXPLAIN QUERY PLAN {reads.in_state(SQL[name], state)}", _Anything())
    told = [str(row["detail"]) for row in plan]
    assert not any(step.startswith("SCAN") or "TEMP B-TREE" in step for step in told), told


@pytest.mark.parametrize("name", SQL)
def test_no_statement_scans_or_sorts_a_table_that_grows(database: sqlite3.Connection, name: str) -> None:
    sql = SQL[name]
    values: object = ("x", 1) if "?" in sql else _Anything()
    plan = [str(row["detail"]) for row in database.execute(f"EXPLAIN QUERY PLAN {sql}", values)]  # type: ignore[arg-type]  # any value will do
    # The sets of the indexes that hold only what is to do, and of the JSON of one row, stay small.
    bounded = (
        *("jobs_line", "jobs_delayed", "images_unneeded", "batches_waiting", "batches_emptied"),
        *("batches_interrupted", "VIRTUAL TABLE", "CONSTANT ROW"),
    )
    scans = [step for step in plan if step.startswith("SCAN") and not any(part in step for part in bounded)]
    if name not in SMALL:
        assert scans == [], plan
    assert not any("TEMP B-TREE" in step for step in plan), plan


def test_a_page_of_places_looks_jobs_up_and_does_not_walk_the_line(database: sqlite3.Connection) -> None:
    plan = [row["detail"] for row in database.execute(f"EXPLAIN QUERY PLAN {SQL['ranks']}", {"ids": "[]"})]
    assert "id=?" in plan[0], plan


class _Anything(dict[str, int]):
    def __missing__(self, key: str) -> int:
        return 1


def test_a_batchs_counts_are_those_of_its_rows_after_any_mixture(database: sqlite3.Connection) -> None:
    for number in range(2):
        batches.add(database, a_batch(f"bat_{number}"))
    for number in range(30):
        writes.add(database, a_job(batch=f"bat_{number % 2}"), number, stored=False)
        writes.add_failed(database, a_failed_job(batch=f"bat_{number % 2}"))
    for number in range(20):
        job = writes.claim(database, NOW, 1)
        assert job
        if number % 4:
            writes.settle(database, job.id, 1, [one_more_try(), failure(), success(job)][number % 4 - 1])
    writes.cancel_queued(database, NOW, "~", "bat_0", 3)
    writes.recover(database, NOW, 0)
    batches.delete_members(database, "bat_1", NOW, 5)
    writes.expire(database, NOW + 10**10, 7)
    for number in range(2):
        recorded = dict(
            database.execute(
                "SELECT state, count(*) FROM jobs WHERE batch = ? GROUP BY state", (f"bat_{number}",)
            )
        )
        batch = batches.batch(database, f"bat_{number}")
        assert batch
        assert {state: count for state, count in batch.counts if count} == recorded
        assert batch.counts.total == sum(recorded.values())


def test_counts_are_those_of_the_rows_after_any_mixture(database: sqlite3.Connection) -> None:
    for number in range(60):
        in_state(database, [*State][number % 5])
    writes.cancel_queued(database, NOW, "~", None, 3)
    writes.recover(database, NOW, 0)
    writes.expire(database, NOW + 10**10, 7)
    writes.unneeded_images(database, NOW, 3)
    assert dict(reads.counts(database)) == dict.fromkeys(State, 0) | {
        State(state): number
        for state, number in database.execute("SELECT state, count(*) FROM jobs GROUP BY state")
    }
    active = "SELECT image FROM jobs WHERE state IN ('queued', 'running')"
    (needed,) = database.execute(f"SELECT total(bytes) FROM images WHERE number IN ({active})").fetchone()  # noqa: S608  # our own text
    assert reads.backlog(database).bytes == needed
    wrong = (
        "SELECT id FROM images WHERE jobs <> (SELECT count(*) FROM jobs WHERE image = number)"
        " OR needed <> (SELECT count(*) FROM jobs WHERE image = number AND finished_at IS NULL)"
    )
    assert database.execute(wrong).fetchall() == []
    (results,) = database.execute(
        "SELECT total(value ->> 'bytes') FROM jobs, json_each(jobs.results)"
    ).fetchone()
    (images,) = database.execute("SELECT total(bytes) FROM images WHERE removed_at IS NULL").fetchone()
    assert results
    assert reads.stored(database) == Stored(results, images)
