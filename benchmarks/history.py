"""Databases full of ended jobs, like those that a service leaves behind."""

from __future__ import annotations

import secrets
import time
from contextlib import closing
from pathlib import Path

from imgsvc.jobs import image_id, image_key, new_id
from imgsvc.jobstore.sqlite.connection import writer
from imgsvc.jobstore.sqlite.rows import job_to, results_to, timings_to
from tests.records import a_job, results, success

#: One job in so many failed, was canceled, is of a batch, has a reference of its own.
FAILED, CANCELED, BATCHED, REFERRED = 50, 100, 3, 4
#: A reference that a sixth of the jobs share.
SHARED = "shop"
#: Jobs in a batch, and how many jobs there are for one that came with an Idempotency-Key.
MEMBERS, KEYED = 1000, 10
#: Rows written at a time.
_PIECE = 10_000

Row = dict[str, object]

_IMAGES = (
    "INSERT INTO images (id, sha256, key, bytes, format, content_type, width, height, frames, has_alpha,"
    " created_at, kept, brought) VALUES (:id, :sha256, :key, :bytes, :format, :content_type, :width,"
    " :height, :frames, :has_alpha, :created_at, 0, 1)"
)
_JOBS = (
    "INSERT INTO jobs (id, state, rank, priority, reference, batch, attempts, max_attempts, timeout_ms,"
    " retention_s, created_at, started_at, finished_at, expires_at, image, filename, outputs, results,"
    " result_bytes, timings, history, place, turn) VALUES (:id, :state, 0, :priority, :reference, :batch, 1,"
    " 3, 30000, 3600, :created_at, :created_at, :finished_at, :expires_at, :image, :filename, :outputs,"
    " :results, :result_bytes, :timings, :history, :place, iif(:result_bytes > 0, :image, NULL))"
)
_RECEIPTS = (
    "INSERT INTO receipts (key, place, meaning, subject, created_at, expires_at, status, headers, body)"
    " VALUES ('key-' || :image, 'POST /v1/jobs', 'x', :id, :created_at, :expires_at, 202, '[]',"
    " zeroblob(800))"
)
#: When all their jobs are there: the triggers know of no job that was added at its end.
_BATCHES = (
    "INSERT INTO batches (id, priority, retention_s, most, created_at, closed_at, joined, jobs, succeeded,"
    " failed, canceled) SELECT batch, 'normal', 3600, 10000, min(created_at), min(created_at), max(place),"
    " count(*), sum(state = 'succeeded'), sum(state = 'failed'), sum(state = 'canceled')"
    " FROM jobs WHERE batch IS NOT NULL GROUP BY batch"
)


def fill(path: Path, count: int, *, first: int, deadline: float) -> int:
    """Record up to `count` ended jobs, ten of which end and expire in each millisecond from `first` on.

    Nobody asks the disk each time. How many there was time for.
    """
    done = 0
    with closing(writer(path, 5.0)) as database:
        database.execute("PRAGMA synchronous = OFF")
        while done < count and time.monotonic() < deadline:
            both = [_rows(number, first) for number in range(done + 1, min(done + _PIECE, count) + 1)]
            database.execute("BEGIN IMMEDIATE")
            database.executemany(_IMAGES, [image for image, _ in both])
            database.executemany(_JOBS, [job for _, job in both])
            database.executemany(_RECEIPTS, [job for _, job in both[::KEYED]])
            database.execute("COMMIT")
            done += len(both)
        database.execute(_BATCHES)
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return done


def _template() -> tuple[Row, Row, str, int]:
    job = a_job().evolve(attempts=1)
    made = results(job)
    row = job_to(job, 0, 0) | {
        "timings": timings_to(success(job).timings),
        "history": '[{"attempt":1,"started_at":1750000000000,"lane":1,"ended_at":1750000000041,'
        '"outcome":"succeeded"}]',
    }
    told = results_to(made).replace(job.id, "{id}")
    return dict(job.image.__dict__), row, told, sum(result.bytes for result in made)


_IMAGE, _JOB, _RESULTS, _RESULT_BYTES = _template()


def _rows(number: int, first: int) -> tuple[Row, Row]:
    """The image and the ended job with this number, from 1, as rows."""
    digest, its, ends = secrets.token_hex(32), new_id("job"), first + number // 10
    state = "failed" if number % FAILED == 0 else "canceled" if number % CANCELED == 1 else "succeeded"
    good = state == "succeeded"
    image = {"id": image_id(digest), "sha256": digest, "key": image_key(image_id(digest))}
    job = {
        "id": its,
        "image": number,
        "state": state,
        "batch": None if number % BATCHED else batch_id(number // BATCHED // MEMBERS),
        "place": None if number % BATCHED else number // BATCHED % MEMBERS + 1,
        "reference": _reference(number),
        "results": _RESULTS.replace("{id}", its) if good else "[]",
        "result_bytes": _RESULT_BYTES if good else 0,
        "created_at": ends - 3_600_100,
        "finished_at": ends - 3_600_000,
        "expires_at": ends,
    }
    return _IMAGE | image, _JOB | job


def batch_id(number: int) -> str:
    """The id of the batch with this number, from 0: the first ones are the oldest."""
    return f"bat_{number:032x}"


def _reference(number: int) -> str | None:
    if number % REFERRED == 0:
        return f"order-{number}"
    return SHARED if number % REFERRED == 1 and number % BATCHED else None
