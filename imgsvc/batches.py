"""A batch: jobs that belong together, counted, closed, canceled, fetched and removed as one."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from imgsvc.errors import Problem
from imgsvc.jobs import Priority


class BatchStatus(StrEnum):
    """Where a batch is in its life; after `closed` comes what its jobs have come to."""

    OPEN = "open"
    CLOSED = "closed"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def ended(self) -> bool:
        """Will nothing change any more by itself?"""
        return self not in {BatchStatus.OPEN, BatchStatus.CLOSED}


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class Counts(_Value):
    """How many of a batch's jobs are in each state; removed ones are not counted."""

    queued: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    canceled: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.unfinished + self.succeeded + self.failed + self.canceled

    @property
    def unfinished(self) -> int:
        """Those that have not ended."""
        return self.queued + self.running


class Failure(_Value):
    """A job of a batch that has failed, and why."""

    job: str
    reference: str | None
    filename: str | None
    error: Problem | None


class Batch(_Value):
    """Jobs that belong together."""

    id: str
    name: str | None = None
    #: Of the jobs that do not say their own; `retention_s` too.
    priority: Priority = Priority.NORMAL
    retention_s: float
    #: Jobs that it may have.
    limit: int
    #: Times are milliseconds since the epoch, UTC.
    created_at: int
    #: When it was closed (by a cancellation, too): nothing joins after that.
    closed_at: int | None = None
    canceled_at: int | None = None
    #: When it goes for want of jobs; None while it has some.
    expires_at: int | None = None
    counts: Counts = Counts()

    @property
    def status(self) -> BatchStatus:
        """What the times and the counts say; one failed job makes a batch that has failed."""
        if self.canceled_at is not None:
            return BatchStatus.CANCELED
        if self.closed_at is None:
            return BatchStatus.OPEN
        if self.counts.unfinished:
            return BatchStatus.CLOSED
        if self.counts.failed:
            return BatchStatus.FAILED
        # Some jobs that were canceled one by one spoil nothing; where all were, there is nothing to fetch.
        all_canceled = self.counts.canceled and not self.counts.succeeded
        return BatchStatus.CANCELED if all_canceled else BatchStatus.SUCCEEDED
