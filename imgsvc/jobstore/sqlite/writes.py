"""What changes the database: functions of the writer's connection, each run inside a transaction.

One that refuses does so before it has written anything; one that fails later is rolled back by the clerk.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from imgsvc.errors import ImageInUse, NotFound, Problem, WorkerCrashed
from imgsvc.jobs import TRANSITIONS, Image, Job, State
from imgsvc.jobstore._base import REMEMBERED_MS, Ending
from imgsvc.jobstore._receipts import Receipt
from imgsvc.jobstore.sqlite import batches, reads, receipts
from imgsvc.jobstore.sqlite.queries import SQL
from imgsvc.jobstore.sqlite.rows import (
    image_from,
    image_to,
    job_from,
    job_to,
    jobs_from,
    problem_to,
    results_to,
    timings_to,
    warnings_to,
)

#: What drops the memories of each kind.
_FORGOTTEN = ("forget_jobs", "forget_images", "forget_batches")


def ping(_: sqlite3.Connection) -> None:
    """Nothing: that a transaction begins and commits is the answer."""


# -- images ---------------------------------------------------------------------------------------


def add_image(
    connection: sqlite3.Connection, image: Image, receipt: Receipt | None = None
) -> tuple[Image, bool]:
    """Keep an image for its own sake: what stands, and whether it is new."""
    receipts.keep(connection, receipt, image.id)
    standing = image_from(connection.execute(SQL["add_image"], image_to(image)).fetchone())
    return standing, standing.key == image.key


def delete_image(connection: sqlite3.Connection, id: str, now: int) -> str | None:
    """Forget an image: its blob's key, None when it was removed before."""
    row = connection.execute(SQL["image_standing"], {"id": id}).fetchone()
    if row is None or (row["removed_at"] is not None and row["removed_at"] < now - REMEMBERED_MS):
        raise NotFound(f"there is no image {id}")
    if row["removed_at"] is not None:
        return None
    if row["needed"]:
        raise ImageInUse(f"{row['needed']} queued or running jobs need this image")
    connection.execute(SQL["remove_image"], {"id": id, "now": now})
    return str(row["key"])


def unneeded_images(connection: sqlite3.Connection, now: int, limit: int) -> list[str]:
    """Forget images that nothing keeps: their blobs' keys."""
    values = {"now": now, "limit": limit}
    connection.execute(SQL["let_go"], values)
    return [str(row["key"]) for row in connection.execute(SQL["remove_unneeded"], values)]


# -- jobs -----------------------------------------------------------------------------------------


def add(
    connection: sqlite3.Connection, job: Job, rank: int, *, stored: bool, receipt: Receipt | None = None
) -> Job:
    """Record a queued job, its image and the receipt of its request; the job as recorded.

    Or, of a reference that its batch has already, the first one.
    """
    place = batches.join(connection, job) if job.retry_of is None else None
    if isinstance(place, Job):
        return place
    receipts.keep(connection, receipt, job.id)
    if job.retry_of is not None:
        place = batches.take_over(connection, job)
        job = job if place else job.evolve(batch=None)
    row = connection.execute(SQL["stored_image" if stored else "bring_image"], image_to(job.image)).fetchone()
    if row is None:
        raise NotFound(f"there is no image {job.image.id}")
    try:
        connection.execute(SQL["add_job"], job_to(job, rank, row["number"], place))
    except sqlite3.IntegrityError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
            raise ValueError(f"{job.id} is there already") from error
        raise
    standing = image_from(row)
    return job if standing == job.image else job.evolve(image=standing)


def add_failed(connection: sqlite3.Connection, job: Job) -> Job:
    """Record a job that has failed already; the job as recorded, or the first of its reference."""
    place = batches.join(connection, job)
    if isinstance(place, Job):
        return place
    row = connection.execute(SQL["mention_image"], image_to(job.image)).fetchone()
    values = job_to(job, 0, row["number"], place) | {"error": problem_to(job.error)}
    connection.execute(SQL["add_failed_job"], values)
    return job.evolve(image=image_from(row))


def claim(connection: sqlite3.Connection, now: int, lane: int) -> Job | None:
    """Start the first job in the line whose time has come."""
    return _one(connection, "claim", {"now": now, "lane": lane})


def settle(connection: sqlite3.Connection, id: str, attempt: int, ending: Ending) -> Job | None:
    """End the running attempt of a job."""
    if ending.state not in TRANSITIONS[State.RUNNING]:
        return None
    values: dict[str, object] = {
        "id": id,
        "attempt": attempt,
        "state": ending.state,
        "at": ending.at,
        "outcome": ending.outcome,
        "drained": ending.drained,
        "lost": ending.lost,
    }
    if ending.state is State.QUEUED:
        return _one(connection, "requeue", values | {"not_before": ending.not_before})
    return _one(
        connection,
        "end",
        values
        | {
            "results": results_to(ending.results),
            "result_bytes": sum(result.bytes for result in ending.results),
            "error": problem_to(ending.error),
            "warnings": warnings_to(ending.warnings),
            "timings": timings_to(ending.timings),
        },
    )


def fail(connection: sqlite3.Connection, id: str, error: Problem, now: int) -> Job | None:
    """End a queued job without a start."""
    return _one(connection, "fail", {"id": id, "error": problem_to(error), "now": now})


def cancel(connection: sqlite3.Connection, id: str, now: int) -> Job | None:
    """Cancel a job that has not ended; the job afterwards."""
    return _one(connection, "cancel", {"id": id, "now": now}) or reads.job(connection, id)


def newest_queued(connection: sqlite3.Connection) -> str | None:
    """The last of the jobs that are queued now."""
    (found,) = connection.execute(SQL["newest_queued"]).fetchone()
    return found and str(found)


def cancel_queued(
    connection: sqlite3.Connection, now: int, last: str, batch: str | None, limit: int
) -> list[Job]:
    """Cancel some queued jobs, none newer than `last`."""
    values = {"now": now, "last": last, "batch": batch, "limit": limit}
    return jobs_from(connection.execute(SQL["cancel_queued"], values).fetchall())


def hasten(connection: sqlite3.Connection, latest: int) -> None:
    """Let queued jobs start whose time is too far away."""
    connection.execute(SQL["hasten"], {"latest": latest})


def delete(connection: sqlite3.Connection, id: str, now: int) -> Job | None:
    """Remove a job: as it was, None when it was removed before."""
    job = _one(connection, "delete_job", {"id": id})
    if job:
        connection.execute(SQL["remember"], (id, now))
    elif not connection.execute(SQL["was_removed"], {"id": id}).fetchone():
        raise NotFound(f"there is no job {id}")
    return job


def expire(connection: sqlite3.Connection, now: int, limit: int) -> list[Job]:
    """Remove ended jobs whose time is up: as they were."""
    jobs = jobs_from(connection.execute(SQL["expire"], {"now": now, "limit": limit}).fetchall())
    connection.executemany(SQL["remember"], [(job.id, now) for job in jobs])
    return jobs


def make_room(
    connection: sqlite3.Connection, now: int, down_to: int, limit: int, spare: Sequence[str] = ()
) -> list[Job]:
    """Remove ended jobs with results, the first to end first, until few enough bytes are left."""
    excess = reads.stored(connection).results - down_to
    if excess <= 0:
        return []
    (newest,) = connection.execute(SQL["newest_result"]).fetchone() or ("",)
    gone: list[str] = []
    for row in connection.execute(SQL["oldest_results"], {"limit": limit, "spare": json.dumps(spare)}):
        if excess <= 0 or row["id"] == newest:
            break
        gone.append(row["id"])
        excess -= row["result_bytes"]
    rows = connection.execute(SQL["delete_jobs"], {"ids": json.dumps(gone)}).fetchall()
    connection.executemany(SQL["remember"], [(its, now) for its in gone])
    return jobs_from(rows)


def recover(connection: sqlite3.Connection, now: int, max_lost: int) -> list[Job]:
    """Take back every start that was lost with the last server; the jobs afterwards."""
    error = WorkerCrashed("the server died too often while this job ran").problem
    given_up = {"now": now, "max_lost": max_lost, "error": problem_to(error)}
    rows = connection.execute(SQL["give_up_lost"], given_up).fetchall()
    return jobs_from(rows + connection.execute(SQL["requeue_lost"], {"now": now}).fetchall())


def _one(connection: sqlite3.Connection, name: str, values: dict[str, object]) -> Job | None:
    """Run a change that answers the one job that it changed; None when it changed none."""
    rows: Sequence[sqlite3.Row] = connection.execute(SQL[name], values).fetchall()
    return job_from(rows[0]) if rows else None


# -- housekeeping ---------------------------------------------------------------------------------


def forget(connection: sqlite3.Connection, now: int, limit: int) -> bool:
    """Drop some memories of removals that are old enough; were those all?"""
    values = {"then": now - REMEMBERED_MS, "limit": limit}
    dropped = [connection.execute(SQL[name], values).rowcount for name in _FORGOTTEN]
    return max(dropped) < limit


def set_paused(connection: sqlite3.Connection, *, paused: bool) -> None:
    """Pause or resume the queue."""
    connection.execute(SQL["set_paused"], {"paused": paused})
