"""The shapes of batches."""

from __future__ import annotations

from pydantic import Field

from imgsvc.api.schemas.problems import ProblemShape
from imgsvc.api.schemas.shape import Shape, Time
from imgsvc.batches import BatchStatus


class CountsShape(Shape):
    """How many of a batch's jobs are in each state; removed ones are not counted."""

    total: int
    queued: int
    running: int
    succeeded: int
    failed: int
    canceled: int


class FailureShape(Shape):
    """A job that has failed, and why."""

    job: str
    reference: str | None
    filename: str | None
    error: ProblemShape | None


class BatchLinksShape(Shape):
    """Where to go from a batch."""

    self: str
    jobs: str
    failed: str = Field(description="All jobs that have failed, page by page.")
    results: str = Field(description="All results as one ZIP file, once the batch has ended.")


class BatchShape(Shape):
    """Jobs that belong together."""

    id: str
    status: BatchStatus = Field(
        description="`open` until it is closed, `closed` until its last job ends, `failed` when some job did."
    )
    name: str | None
    counts: CountsShape
    failures: list[FailureShape] = Field(
        description="The first 100 failed jobs (in lists the first 10); `links.failed` has all of them."
    )
    created_at: Time
    links: BatchLinksShape


class BatchListShape(Shape):
    """Batches, newest first."""

    items: list[BatchShape]
    next_cursor: str | None


class TopBatchShape(Shape):
    """One of the batches with most queued jobs."""

    id: str
    name: str | None
    queued: int
    running: int
