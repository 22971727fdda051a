"""The calls of the sweep: what has had its time, what makes room, what nobody needs."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from imgsvc.jobs import Job, owner
from imgsvc.jobstore._base import REMEMBERED_MS, Stored
from imgsvc.jobstore.memory.pictures import Pictures
from imgsvc.jobstore.memory.receipts import Receipts


class Housekeeping:
    """See `jobstore.JobStore`."""

    _pictures: Pictures
    _receipts: Receipts
    _removed: dict[str, int]
    _made_results: dict[str, None]

    async def expire(self, now: int, *, limit: int) -> Sequence[Job]:
        """See `JobStore.expire`."""
        ends = ((job.expires_at, job.id) for job in self._jobs.values() if job.expires_at is not None)
        due = sorted(end for end in ends if end[0] <= now)[:limit]
        return [self._drop(its, now) for its in sorted(its for _, its in due)]

    async def stored(self) -> Stored:
        """See `JobStore.stored`."""
        return Stored(results=sum(map(_weight, self._jobs.values())), images=self._pictures.bytes())

    async def make_room(
        self, now: int, *, down_to: int, limit: int, spare: Collection[str] = ()
    ) -> Sequence[Job]:
        """See `JobStore.make_room`."""
        excess = sum(map(_weight, self._jobs.values())) - down_to
        gone = []
        oldest = [its for its in [*self._made_results][:-1] if self._jobs[its].batch not in spare]
        for its in oldest[:limit]:
            if excess <= 0:
                break
            gone.append(its)
            excess -= _weight(self._jobs[its])
        return [self._drop(its, now) for its in sorted(gone)]

    async def unneeded_images(self, now: int, *, limit: int) -> Sequence[str]:
        """See `JobStore.unneeded_images`."""
        needed = {job.image.id for job in self._to_do()}
        return self._pictures.remove_unneeded(now, limit, needed=needed, shown=self._shown_images())

    async def expire_receipts(self, now: int, *, limit: int) -> tuple[int, Sequence[str]]:
        """See `JobStore.expire_receipts`."""
        self._check_open()
        return self._receipts.expire(now, limit)

    async def next_expiry(self) -> int | None:
        """See `JobStore.next_expiry`."""
        self._check_open()
        jobs = (job.expires_at for job in self._jobs.values())
        times = [
            at for at in (*jobs, self._pictures.next_expiry(), self._next_batch_expiry()) if at is not None
        ]
        return min(times, default=None)

    async def known_keys(self, keys: Sequence[str]) -> frozenset[str]:
        """See `JobStore.known_keys`."""
        answers = self._receipts.blobs()
        return frozenset(key for key in keys if key in answers or key in self._names(owner(key)))

    async def forget(self, now: int) -> None:
        """See `JobStore.forget`."""
        self._check_open()
        then = now - REMEMBERED_MS
        self._removed = {its: at for its, at in self._removed.items() if at >= then}
        self._pictures.forget(then, shown=self._shown_images())
        self._forget_batches(then)

    def _shown_images(self) -> set[str]:
        return {job.image.id for job in self._jobs.values()}

    def _names(self, id: str | None) -> set[str]:
        """The blob keys that an image or a job names."""
        image, job = self._pictures.find(id or ""), self._jobs.get(id or "")
        return {image.key} if image else {result.key for result in job.results} if job else set()

    # -- what the store gives -----------------------------------------------------------------------

    @property
    def _jobs(self) -> dict[str, Job]:
        raise NotImplementedError

    def _check_open(self) -> None:
        raise NotImplementedError

    def _to_do(self) -> Sequence[Job]:
        raise NotImplementedError

    def _drop(self, id: str, now: int) -> Job:
        raise NotImplementedError

    def _next_batch_expiry(self) -> int | None:
        raise NotImplementedError

    def _forget_batches(self, then: int) -> None:
        raise NotImplementedError


def _weight(job: Job) -> int:
    """Bytes of a job's results."""
    return sum(result.bytes for result in job.results)
