"""The calls about batches: each batch knows its members, and counts them when it is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from imgsvc.batches import Batch, Counts, Failure
from imgsvc.errors import NotFound, ResultExpired
from imgsvc.jobs import Job, State
from imgsvc.jobstore._base import REMEMBERED_MS
from imgsvc.jobstore._batches import BatchPage, check_open
from imgsvc.jobstore._checks import batch_cursor
from imgsvc.jobstore._receipts import Receipt
from imgsvc.jobstore.memory.receipts import Receipts


@dataclass(slots=True)
class _Group:
    batch: Batch
    joined: int = 0
    #: The jobs that are there, each with its place.
    places: dict[str, int] = field(default_factory=dict)
    removed_at: int | None = None

    def change(self, **changes: object) -> None:
        self.batch = self.batch.model_copy(update=changes)


class BatchCalls:
    """See `jobstore._batches.BatchStore`."""

    _receipts: Receipts

    def __init__(self) -> None:
        self._groups: dict[str, _Group] = {}

    async def add_batch(self, batch: Batch, *, receipt: Receipt | None = None) -> None:
        """See `BatchStore.add_batch`."""
        self._check_open()
        if batch.id in self._groups:
            raise ValueError(f"{batch.id} is there already")
        self._receipts.check(receipt)
        self._receipts.keep(receipt, batch.id)
        self._groups[batch.id] = _Group(batch)

    async def batch(self, id: str) -> Batch | None:
        """See `BatchStore.batch`."""
        self._check_open()
        group = self._group(id)
        return None if group is None else self._counted(group)

    async def batches(self, *, limit: int, cursor: str | None = None) -> BatchPage:
        """See `BatchStore.batches`."""
        before = batch_cursor(cursor)
        there = [group for group in self._there() if group.batch.id < before]
        there.sort(key=lambda group: group.batch.id, reverse=True)
        found = tuple(self._counted(group) for group in there[:limit])
        return BatchPage(found, found[-1].id if len(there) > limit else None)

    async def top_batches(self, *, limit: int) -> Sequence[Batch]:
        """See `BatchStore.top_batches`."""
        waiting = [batch for batch in map(self._counted, self._there()) if batch.counts.queued]
        return sorted(waiting, key=lambda batch: (batch.counts.queued, batch.id), reverse=True)[:limit]

    async def member(self, batch: str, reference: str) -> Job | None:
        """See `BatchStore.member`."""
        self._check_open()
        return next((job for _, job in self._members(batch) if job.reference == reference), None)

    async def batch_failures(self, batch: str, *, limit: int) -> Sequence[Failure]:
        """See `BatchStore.batch_failures`."""
        failed = [job for _, job in self._members(batch) if job.state is State.FAILED]
        return [
            Failure(job=job.id, reference=job.reference, filename=job.filename, error=job.error)
            for job in sorted(failed, key=lambda job: job.id)[:limit]
        ]

    async def batch_results(self, batch: str, *, after: int, limit: int) -> Sequence[tuple[int, Job]]:
        """See `BatchStore.batch_results`."""
        wanted = [member for member in self._members(batch) if member[0] > after and _succeeded(member[1])]
        return wanted[:limit]

    async def close_batch(self, id: str, now: int, *, receipt: Receipt | None = None) -> Batch | None:
        """See `BatchStore.close_batch`."""
        group = self._group(id)
        if group is not None:
            self._receipts.check(receipt)
            self._receipts.keep(receipt, id)
        if group is not None and group.batch.closed_at is None:
            group.change(closed_at=now)
        return None if group is None else self._counted(group)

    async def cancel_batch(self, id: str, now: int) -> Batch | None:
        """See `BatchStore.cancel_batch`."""
        group = self._group(id)
        if group is not None and not self._counted(group).status.ended:
            closed_at = group.batch.closed_at
            group.change(canceled_at=now, closed_at=now if closed_at is None else closed_at)
        return None if group is None else self._counted(group)

    async def remove_batch(self, id: str, now: int) -> bool:
        """See `BatchStore.remove_batch`."""
        self._check_open()
        group = self._groups.get(id)
        gone_at = group.removed_at if group else None
        if group is None or (gone_at is not None and gone_at < now - REMEMBERED_MS):
            raise NotFound("there is no such batch")
        if gone_at is None:
            group.removed_at = now
        return gone_at is None

    async def delete_members(self, batch: str, now: int, *, limit: int) -> Sequence[Job]:
        """See `BatchStore.delete_members`."""
        some = [job.id for _, job in self._members(batch)[:limit]]
        return [self._drop(its, now) for its in sorted(some)]

    async def interrupted_batches(self) -> Sequence[tuple[str, bool]]:
        """See `BatchStore.interrupted_batches`."""
        self._check_open()
        found = [
            (its, group.removed_at is not None)
            for its, group in self._groups.items()
            if (group.batch.canceled_at is not None and self._counted(group).counts.unfinished)
            or (group.removed_at is not None and group.places)
        ]
        return sorted(found)

    async def expire_batches(self, now: int) -> None:
        """See `BatchStore.expire_batches`."""
        for group in self._there():
            if group.places:
                continue
            batch = group.batch
            if batch.expires_at is None:
                waits = batch.closed_at is None or not group.joined
                group.change(expires_at=now + (int(batch.retention_s * 1000) if waits else 0))
            if (group.batch.expires_at or 0) <= now:
                group.removed_at = now

    # -- for the calls about jobs -------------------------------------------------------------------

    def _join(self, job: Job) -> Job | None:
        """Let a new job join its batch, or tell which job has its reference already."""
        if job.batch is None:
            return None
        group = self._group(job.batch)
        if group is None:
            raise NotFound("there is no such batch")
        members = self._members(job.batch)
        if job.reference is not None:
            for _, member in members:
                if member.reference == job.reference:
                    return member
        check_open(self._counted(group))
        return None

    def _taken_over(self, job: Job) -> tuple[Job, int | None]:
        """Let the job of which this is another try leave their batch: its place, if it has one to take."""
        group, first = self._groups.get(job.batch or ""), job.retry_of or ""
        if (
            group is None
            or first not in group.places
            or group.removed_at is not None
            or group.batch.canceled_at is not None
            or self._recorded(first).state not in {State.FAILED, State.CANCELED}
        ):
            return job.evolve(batch=None), None
        self._change(first, batch=None)
        return job, group.places.pop(first)

    def _joined(self, job: Job, place: int | None = None) -> None:
        """The job is recorded, behind all others or at a place that another try has left."""
        if job.batch is not None:
            group = self._groups[job.batch]
            group.joined += 1
            group.places[job.id] = place or group.joined
            group.change(expires_at=None)

    def _left(self, job: Job) -> None:
        """The job is not recorded any more."""
        if job.batch is not None and job.batch in self._groups:
            self._groups[job.batch].places.pop(job.id, None)

    def _forget_batches(self, then: int) -> None:
        self._groups = {
            its: group
            for its, group in self._groups.items()
            if group.removed_at is None or group.places or group.removed_at >= then
        }

    def _next_batch_expiry(self) -> int | None:
        times = (group.batch.expires_at for group in self._there())
        return min((at for at in times if at is not None), default=None)

    def _there(self) -> list[_Group]:
        self._check_open()
        return [group for group in self._groups.values() if group.removed_at is None]

    def _group(self, id: str) -> _Group | None:
        self._check_open()
        group = self._groups.get(id)
        if group is not None and group.removed_at is not None:
            raise ResultExpired("the batch and its jobs have been removed or have expired")
        return group

    def _counted(self, group: _Group) -> Batch:
        states = Counter(self._recorded(its).state for its in group.places)
        counts = Counts(**{state.value: number for state, number in states.items()})
        return group.batch.model_copy(update={"counts": counts})

    def _members(self, batch: str) -> list[tuple[int, Job]]:
        """The jobs of a batch by their places."""
        group = self._groups.get(batch)
        places = group.places if group else {}
        return [(place, self._recorded(its)) for place, its in sorted((n, its) for its, n in places.items())]

    # -- what the store gives -----------------------------------------------------------------------

    def _check_open(self) -> None:
        raise NotImplementedError

    def _recorded(self, id: str) -> Job:
        """A job that is there, with its image as it is now."""
        raise NotImplementedError

    def _change(self, id: str, **changes: object) -> None:
        raise NotImplementedError

    def _drop(self, id: str, now: int) -> Job:
        raise NotImplementedError


def _succeeded(job: Job) -> bool:
    return job.state is State.SUCCEEDED
