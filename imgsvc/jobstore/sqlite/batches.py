"""Batches in the database: functions of the writer's and of the reader's connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import orjson

from imgsvc.batches import Batch, Counts, Failure
from imgsvc.errors import NotFound, ResultExpired
from imgsvc.jobs import Job
from imgsvc.jobstore._base import REMEMBERED_MS
from imgsvc.jobstore._batches import BatchPage, check_open
from imgsvc.jobstore._receipts import Receipt
from imgsvc.jobstore.sqlite import receipts
from imgsvc.jobstore.sqlite.queries import SQL
from imgsvc.jobstore.sqlite.rows import job_from, jobs_from

_COUNTS = tuple(Counts.model_fields)


def batch(connection: sqlite3.Connection, id: str) -> Batch | None:
    """One batch; None for an unknown id, ResultExpired for one that was removed."""
    found = _standing(connection, id)
    return found and found[0]


def batches(connection: sqlite3.Connection, limit: int, cursor: str) -> BatchPage:
    """A page of batches, newest first."""
    rows = connection.execute(SQL["list_batches"], {"cursor": cursor, "limit": limit + 1}).fetchall()
    found = tuple(_batch_from(row) for row in rows[:limit])
    return BatchPage(found, found[-1].id if len(rows) > limit else None)


def top(connection: sqlite3.Connection, limit: int) -> Sequence[Batch]:
    """The batches with most queued jobs."""
    return [_batch_from(row) for row in connection.execute(SQL["top_batches"], {"limit": limit})]


def member(connection: sqlite3.Connection, batch: str, reference: str) -> Job | None:
    """The job that has this reference in its batch."""
    row = connection.execute(SQL["member"], {"batch": batch, "reference": reference}).fetchone()
    return row and job_from(row)


def failures(connection: sqlite3.Connection, batch: str, limit: int) -> Sequence[Failure]:
    """Failed jobs of a batch, oldest first."""
    rows = connection.execute(SQL["failures"], {"batch": batch, "limit": limit})
    return [
        Failure.model_validate({**dict(row), "error": row["error"] and orjson.loads(row["error"])})
        for row in rows
    ]


def results(connection: sqlite3.Connection, batch: str, after: int, limit: int) -> Sequence[tuple[int, Job]]:
    """Succeeded jobs of a batch behind a place, in the order in which they joined."""
    values = {"batch": batch, "after": after, "limit": limit}
    found = []
    for row in connection.execute(SQL["batch_results"], values):
        columns = dict(row)
        found.append((int(columns.pop("place")), job_from(columns)))
    return found


def interrupted(connection: sqlite3.Connection) -> Sequence[tuple[str, bool]]:
    """Batches whose cancellation or removal is not done."""
    return [(str(its), bool(removed)) for its, removed in connection.execute(SQL["interrupted_batches"])]


# -- changes --------------------------------------------------------------------------------------


def join(connection: sqlite3.Connection, job: Job) -> int | Job | None:
    """The place that a new job will have in its batch, or the job that has its reference already.

    None for a job of no batch. Changes nothing. Raises NotFound, ResultExpired, InvalidParameter.
    """
    if job.batch is None:
        return None
    found = _standing(connection, job.batch)
    if found is None:
        raise NotFound("there is no such batch")
    if job.reference is not None and (first := member(connection, found[0].id, job.reference)):
        return first
    check_open(found[0])
    return found[1] + 1


def take_over(connection: sqlite3.Connection, job: Job) -> int | None:
    """Let the job of which this is another try leave their batch: its place, None where it has none."""
    row = connection.execute(SQL["place_to_take"], {"id": job.retry_of, "batch": job.batch}).fetchone()
    if row is None:
        return None
    connection.execute(SQL["leave_batch"], {"id": job.retry_of})
    return int(row["place"])


def add(connection: sqlite3.Connection, batch: Batch, receipt: Receipt | None = None) -> None:
    """Record a new batch, and the receipt of its request."""
    receipts.keep(connection, receipt, batch.id)
    try:
        connection.execute(SQL["add_batch"], batch.__dict__)
    except sqlite3.IntegrityError as error:
        raise ValueError(f"{batch.id} is there already") from error


def close(connection: sqlite3.Connection, id: str, now: int, receipt: Receipt | None = None) -> Batch | None:
    """Let nothing join any more; the batch afterwards."""
    if receipt is not None and batch(connection, id) is not None:
        receipts.keep(connection, receipt, id)
    connection.execute(SQL["close_batch"], {"id": id, "now": now})
    return batch(connection, id)


def cancel(connection: sqlite3.Connection, id: str, now: int) -> Batch | None:
    """Mark a batch as canceled, unless it has ended; the batch afterwards."""
    connection.execute(SQL["cancel_batch"], {"id": id, "now": now})
    return batch(connection, id)


def remove(connection: sqlite3.Connection, id: str, now: int) -> bool:
    """Mark a batch as removed; False when it was before."""
    row = connection.execute(SQL["get_batch"], {"id": id}).fetchone()
    if row is None or (row["removed_at"] is not None and row["removed_at"] < now - REMEMBERED_MS):
        raise NotFound("there is no such batch")
    if row["removed_at"] is not None:
        return False
    connection.execute(SQL["remove_batch"], {"id": id, "now": now})
    return True


def delete_members(connection: sqlite3.Connection, batch: str, now: int, limit: int) -> list[Job]:
    """Remove some jobs of a batch: as they were."""
    jobs = jobs_from(connection.execute(SQL["delete_members"], {"batch": batch, "limit": limit}).fetchall())
    connection.executemany(SQL["remember"], [(job.id, now) for job in jobs])
    return jobs


def expire(connection: sqlite3.Connection, now: int, limit: int) -> bool:
    """Remove some batches that have no jobs and had their time; were those all?"""
    values = {"now": now, "limit": limit}
    done = [connection.execute(SQL[name], values).rowcount for name in ("let_batches_go", "expire_batches")]
    return max(done) < limit


def _standing(connection: sqlite3.Connection, id: str) -> tuple[Batch, int] | None:
    """A batch, and how many jobs ever joined it."""
    row = connection.execute(SQL["get_batch"], {"id": id}).fetchone()
    if row is None:
        return None
    if row["removed_at"] is not None:
        raise ResultExpired("the batch and its jobs have been removed or have expired")
    return _batch_from(row), int(row["joined"])


def _batch_from(row: sqlite3.Row) -> Batch:
    columns = dict(row)
    counts = Counts(**{name: columns.pop(name) for name in _COUNTS})
    return Batch(**columns | {"limit": columns["most"], "counts": counts})
