"""What is asked of the database: functions of the reader's connection."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import islice

from imgsvc.errors import ResultExpired
from imgsvc.jobs import ANSWERS, Image, Job, Priority, State, owner
from imgsvc.jobstore._base import Backlog, ImagePage, Page, Stored
from imgsvc.jobstore._checks import image_cursor_of
from imgsvc.jobstore.sqlite.line import Line
from imgsvc.jobstore.sqlite.queries import SQL
from imgsvc.jobstore.sqlite.rows import image_from, job_from


def ping(connection: sqlite3.Connection) -> None:
    """Something is read."""
    connection.execute(SQL["ping"]).fetchone()


def image(connection: sqlite3.Connection, id: str) -> Image | None:
    """One image that is there."""
    row = connection.execute(SQL["get_image"], {"id": id}).fetchone()
    return row and image_from(row)


def images(connection: sqlite3.Connection, limit: int, before: tuple[int, str]) -> ImagePage:
    """Images before a time and id, newest first."""
    values = {"created_at": before[0], "id": before[1], "limit": limit + 1}
    found = [image_from(row) for row in connection.execute(SQL["list_images"], values)]
    more = len(found) > limit
    return ImagePage(tuple(found[:limit]), image_cursor_of(found[limit - 1]) if more else None)


def job(connection: sqlite3.Connection, id: str) -> Job | None:
    """One job; None for an unknown id, ResultExpired for one that was removed."""
    row = connection.execute(SQL["get_job"], {"id": id}).fetchone()
    if row:
        return job_from(row)
    if connection.execute(SQL["was_removed"], {"id": id}).fetchone():
        raise ResultExpired("the job and its results have been removed or have expired")
    return None


def queued_with(connection: sqlite3.Connection, image: str, after: str, limit: int) -> list[Job]:
    """Some queued jobs that have this image, by id."""
    values = {"image": image, "after": after, "limit": limit}
    return [job_from(row) for row in connection.execute(SQL["queued_with"], values)]


def last_ranks(connection: sqlite3.Connection) -> Mapping[Priority, int]:
    """The largest rank of each priority that has queued jobs."""
    rows = connection.execute(SQL["last_ranks"], {"priorities": json.dumps(tuple(Priority))})
    return {Priority(priority): last for priority, last in rows}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which jobs a page shows; no states means all."""

    limit: int
    cursor: str
    states: tuple[State, ...]
    batch: str | None
    reference: str | None


def jobs(connection: sqlite3.Connection, wanted: Wanted) -> Page:
    """A page of jobs, newest first; every way of asking has an index that is already in that order."""
    values: dict[str, object] = {
        "limit": wanted.limit + 1,
        "cursor": wanted.cursor,
        "batch": wanted.batch,
        "reference": wanted.reference,
    }
    states = wanted.states or tuple(State)
    if wanted.reference is not None and wanted.batch is not None:
        values["states"] = json.dumps(states)
        rows = connection.execute(SQL["list_the_member"], values).fetchall()
    elif wanted.reference is not None:
        rows = _by_state(connection, SQL["list_jobs_by_reference"], values, states)
    elif wanted.batch is not None:
        rows = _by_state(connection, SQL["list_jobs_of_batch"], values, states)
    elif wanted.states:
        rows = _by_state(connection, SQL["list_jobs_in_state"], values, wanted.states)
    else:
        rows = connection.execute(SQL["list_jobs"], values).fetchall()
    found = tuple(job_from(row) for row in rows[: wanted.limit])
    return Page(found, found[-1].id if len(rows) > wanted.limit else None)


def in_state(sql: str, state: State) -> str:
    """A statement with the state written out.

    As a parameter it would be looked at anew for each execution, lest one of the indexes for queued jobs may
    serve, and the whole statement prepared again: 60 µs.
    """
    return sql.replace(":state", f"'{state}'")


def _by_state(
    connection: sqlite3.Connection, sql: str, values: Mapping[str, object], states: Sequence[State]
) -> list[sqlite3.Row]:
    """One ordered run per state, merged: a single query for several states would have to sort them all."""
    # One snapshot for all of them: a job that moves on meanwhile is seen once.
    # (A savepoint, for a rehearsal has one transaction from its beginning to its end.)
    connection.execute("SAVEPOINT page")
    runs = [connection.execute(in_state(sql, state), values) for state in set(states)]
    try:
        # Row by row: of a run that is too old for the page only the first one is read.
        newest_first = merge(*runs, key=lambda row: str(row["id"]), reverse=True)
        return list(islice(newest_first, int(str(values["limit"]))))
    finally:
        for run in runs:
            run.close()
        connection.execute("RELEASE page")


def positions(connection: sqlite3.Connection, ids: Sequence[str], line: Line) -> Mapping[str, int]:
    """The places of those of these jobs that are queued, from 1."""
    rows = connection.execute(SQL["ranks"], {"ids": json.dumps(ids)})
    return {its: line.place(rank, its) for its, rank in rows}


def backlog(connection: sqlite3.Connection) -> Backlog:
    """What waits: four look-ups, whatever the length of the line."""
    return Backlog(**dict(connection.execute(SQL["backlog"]).fetchone()))


def counts(connection: sqlite3.Connection) -> Mapping[State, int]:
    """Jobs by state."""
    return {State(state): number for state, number in connection.execute(SQL["counts"])}


def stored(connection: sqlite3.Connection) -> Stored:
    """Bytes of results and images."""
    return Stored(**dict(connection.execute(SQL["stored"]).fetchone()))


def next_start(connection: sqlite3.Connection, now: int) -> int | None:
    """The earliest start that a queued job still waits for."""
    (found,) = connection.execute(SQL["next_start"], {"now": now}).fetchone()
    return None if found is None else int(found)


def next_expiry(connection: sqlite3.Connection) -> int | None:
    """When the next job or image has had its time."""
    times = [at for (at,) in connection.execute(SQL["next_expiry"]) if at is not None]
    return min(map(int, times), default=None)


def known_keys(connection: sqlite3.Connection, keys: Sequence[str]) -> frozenset[str]:
    """The keys that some record names: by their owners, so that only those of answers need an index."""
    return frozenset(key for key in keys if _named(connection, key))


def _named(connection: sqlite3.Connection, key: str) -> bool:
    whose = owner(key)
    if whose is not None:
        query = "image_names" if whose.startswith("img_") else "result_names"
    elif key.startswith(ANSWERS):
        query = "answer_names"
    else:
        return False
    return connection.execute(SQL[query], {"owner": whose, "key": key}).fetchone() is not None


def paused(connection: sqlite3.Connection) -> bool:
    """Is the queue paused?"""
    (found,) = connection.execute(SQL["paused"]).fetchone()
    return bool(found)
