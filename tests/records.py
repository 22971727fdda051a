"""Images, jobs and endings made for tests and benchmarks of the job store."""

from __future__ import annotations

import hashlib
from itertools import count
from typing import Any

from imgsvc.batches import Batch
from imgsvc.errors import ERRORS, Problem
from imgsvc.jobs import (
    Image,
    Job,
    Output,
    Priority,
    Result,
    State,
    Step,
    Timings,
    answer_key,
    image_id,
    image_key,
    new_id,
    result_key,
)
from imgsvc.jobstore import Answer, Ending, Receipt

#: Some time in 2025, in milliseconds.
NOW = 1_750_000_000_000
DAY = 24 * 3600 * 1000
MINUTE = 60 * 1000

_contents = count()


def an_image(
    content: str | None = None,
    *,
    bytes: int = 4000,
    at: int = NOW,
    kept: bool = False,
    expires_at: int | None = None,
) -> Image:
    """An image as an upload makes it: a new content unless one is named."""
    digest = hashlib.sha256((content or f"content {next(_contents)}").encode()).hexdigest()
    return Image(
        id=image_id(digest),
        sha256=digest,
        key=image_key(image_id(digest)),
        bytes=bytes,
        format="jpeg",
        content_type="image/jpeg",
        width=400,
        height=300,
        frames=1,
        has_alpha=False,
        created_at=at,
        kept=kept,
        expires_at=expires_at,
    )


def a_job(
    image: Image | None = None,
    *,
    batch: str | None = None,
    reference: str | None = None,
    not_before: int | None = None,
    retention_s: float = 3600.0,
    at: int = NOW,
) -> Job:
    """A queued job that asks for one thumbnail."""
    return Job(
        id=new_id("job"),
        state=State.QUEUED,
        priority=Priority.NORMAL,
        reference=reference,
        batch=batch,
        max_attempts=3,
        timeout_ms=30_000,
        not_before=not_before,
        retention_s=retention_s,
        created_at=at,
        image=image or an_image(),
        filename="cat.jpg",
        outputs=(Output(name="default", spec="thumbnail"),),
        timings=Timings(upload_ms=3.5),
    )


def a_batch(id: str | None = None, *, limit: int = 1000, retention_s: float = 3600.0, at: int = NOW) -> Batch:
    """An open batch without jobs."""
    return Batch(
        id=id or new_id("bat"),
        name="holidays",
        priority=Priority.LOW,
        retention_s=retention_s,
        limit=limit,
        created_at=at,
        expires_at=at + int(retention_s * 1000),
    )


def a_failed_job(**its: Any) -> Job:  # noqa: ANN401  # what `a_job` takes
    """A job whose file was no picture."""
    job = a_job(**its)
    unreadable = {"format": "", "content_type": "application/octet-stream", "width": 0, "height": 0}
    return Job.model_validate(
        job.__dict__
        | {
            "state": State.FAILED,
            "error": a_problem(),
            "finished_at": job.created_at,
            "expires_at": job.created_at + int(job.retention_s * 1000),
            "image": job.image.model_copy(update=unreadable),
        }
    )


def results(job: Job) -> tuple[Result, ...]:
    """What the job's current attempt wrote."""
    return tuple(
        Result(
            name=output.name,
            key=result_key(job.id, job.attempts, number),
            content_type="image/jpeg",
            bytes=1234,
            width=256,
            height=192,
            frames=1,
            sha256="ab" * 32,
        )
        for number, output in enumerate(job.outputs)
    )


def steps() -> tuple[Step, ...]:
    """The timed steps of a thumbnail."""
    return (
        Step(output=None, op="decode", wall_ms=18.2, cpu_ms=18.0, before=None, after=(500, 375)),
        Step(output="default", op="thumbnail", wall_ms=0.9, cpu_ms=0.8, before=(500, 375), after=(256, 192)),
        Step(output="default", op="encode", wall_ms=1.1, cpu_ms=1.0, before=(256, 192), after=(256, 192)),
    )


def success(job: Job, at: int = NOW) -> Ending:
    """The good end of the job's current attempt."""
    timings = Timings(queue_ms=12.5, run_ms=41.0, cpu_ms=39.5, steps=steps(), lane=1, pid=4242)
    return Ending(
        State.SUCCEEDED, "succeeded", at, results=results(job), timings=timings, warnings=("small",)
    )


def failure(at: int = NOW) -> Ending:
    """An end that is the image's fault."""
    return Ending(State.FAILED, "failed", at, error=a_problem())


def one_more_try(at: int = NOW, *, not_before: int | None = None) -> Ending:
    """Back to the queue after a crash."""
    return Ending(State.QUEUED, "crashed", at, not_before=not_before)


def a_receipt(
    key: str = "k", *, place: str = "POST /v1/jobs", meaning: str = "abc", at: int = NOW
) -> Receipt:
    """A request that came with an Idempotency-Key, kept for a day."""
    return Receipt(key, place, meaning, created_at=at, expires_at=at + DAY)


def an_answer(body: bytes = b'{"id":"job_1"}') -> Answer:
    """What a request was answered."""
    return Answer(202, (("content-type", "application/json"), ("location", "/v1/jobs/job_1")), body)


def a_picture() -> Answer:
    """An answer that is a blob."""
    return Answer(200, (("content-type", "image/png"),), blob=answer_key(), size=1234)


def a_problem() -> Problem:
    """Why a job failed."""
    return ERRORS["image-corrupt"]("the image is damaged", output="default").problem
