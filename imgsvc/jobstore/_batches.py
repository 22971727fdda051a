"""What a job store knows of batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from imgsvc.batches import Batch, Failure
from imgsvc.errors import Fault, InvalidParameter
from imgsvc.jobs import Job
from imgsvc.jobstore._receipts import Receipt


@dataclass(frozen=True, slots=True)
class BatchPage:
    """Some batches, newest first, and the cursor for the next ones (None at the end)."""

    items: tuple[Batch, ...]
    next_cursor: str | None


class BatchStore(Protocol):
    """The batches of a job store; what is said there of times, errors and atomicity holds here too.

    Jobs join by `JobStore.add`. A batch's counts change in the transaction that changes a job, so that
    nobody ever counts its jobs. A batch that was removed is remembered for 30 days: to whoever asks for it
    it is ResultExpired then, where an unknown one is None.
    """

    async def add_batch(self, batch: Batch, *, receipt: Receipt | None = None) -> None:
        """Record a new batch, open and empty, and the receipt of the request, whose subject it is.

        Raises ValueError for an id that is taken, IdempotencyKeyInUse for a key that is.
        """

    async def batch(self, id: str) -> Batch | None:
        """One batch as it is now. Raises ResultExpired for one that was removed."""

    async def batches(self, *, limit: int, cursor: str | None = None) -> BatchPage:
        """Batches, newest first, by id. Raises InvalidParameter for a cursor that is not ours."""

    async def top_batches(self, *, limit: int) -> Sequence[Batch]:
        """The batches with most queued jobs, the fullest first (of these the newest); none without any."""

    async def member(self, batch: str, reference: str) -> Job | None:
        """The job that has this reference in its batch."""

    async def batch_failures(self, batch: str, *, limit: int) -> Sequence[Failure]:
        """The failed jobs of a batch, oldest first."""

    async def batch_results(self, batch: str, *, after: int, limit: int) -> Sequence[tuple[int, Job]]:
        """Succeeded jobs of a batch in the order in which they joined, each with its place in it (from 1).

        Only those behind the place `after`.
        """

    async def close_batch(self, id: str, now: int, *, receipt: Receipt | None = None) -> Batch | None:
        """Let nothing join any more: the batch afterwards; for an unknown or a removed one as `batch`.

        The `receipt` is that of the request which has made all of it; as in `add_batch`.
        """

    async def cancel_batch(self, id: str, now: int) -> Batch | None:
        """Close a batch and mark it as canceled, unless it has ended; as `close_batch`.

        Its jobs are the caller's to cancel; until that is done it is one of `interrupted_batches`.
        """

    async def remove_batch(self, id: str, now: int) -> bool:
        """Mark a batch as removed: nothing joins it and nobody finds it from now on. False: it was before.

        Raises NotFound for one that never was, or whose removal is forgotten. Its jobs are the caller's to
        remove, with `delete_members`.
        """

    async def delete_members(self, batch: str, now: int, *, limit: int) -> Sequence[Job]:
        """Remove up to `limit` jobs of a batch, whatever their state, as `delete`: as they were."""

    async def interrupted_batches(self) -> Sequence[tuple[str, bool]]:
        """Batches that were canceled and have unfinished jobs, or that were removed and have jobs.

        Their ids, each with: was it removed?
        """

    async def expire_batches(self, now: int) -> None:
        """Remove the batches that have no jobs and had their time.

        A closed one goes with its last job; one that waits for jobs `retention_s` after it was opened, or
        after this call first found it empty again.
        """


def check_open(batch: Batch) -> None:
    """May a job join? Raises InvalidParameter."""
    if batch.closed_at is not None:
        how = "canceled" if batch.canceled_at is not None else "closed"
        raise _refusal(f"the batch is {how}: no job can join it any more", "an open batch")
    if batch.counts.total >= batch.limit:
        raise _refusal(
            f"the batch has {batch.counts.total} jobs; the limit is {batch.limit}",
            f"a batch with less than {batch.limit} jobs",
            batch,
        )


def _refusal(detail: str, allowed: str, full: Batch | None = None) -> InvalidParameter:
    fault = Fault(detail=detail, pointer="/batch", allowed=allowed)
    return InvalidParameter(
        detail,
        errors=(fault,),
        limit=full.limit if full else None,
        actual=full.counts.total if full else None,
    )
