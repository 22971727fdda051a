"""The calls about batches: errands for the writing and the reading thread, as all others."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from imgsvc.batches import Batch, Failure
from imgsvc.jobs import Job
from imgsvc.jobstore._batches import BatchPage
from imgsvc.jobstore._checks import batch_cursor
from imgsvc.jobstore._receipts import Receipt
from imgsvc.jobstore.sqlite import batches
from imgsvc.jobstore.sqlite.clerk import Clerk

#: Batches that one step of the housekeeping removes.
_STEP = 200


class BatchCalls:
    """See `jobstore._batches.BatchStore`."""

    _writer: Clerk
    _reader: Clerk

    async def add_batch(self, batch: Batch, *, receipt: Receipt | None = None) -> None:
        """See `BatchStore.add_batch`."""
        await self._writer.hand(partial(batches.add, batch=batch, receipt=receipt))

    async def batch(self, id: str) -> Batch | None:
        """See `BatchStore.batch`."""
        return await self._reader.hand(partial(batches.batch, id=id))

    async def batches(self, *, limit: int, cursor: str | None = None) -> BatchPage:
        """See `BatchStore.batches`."""
        return await self._reader.hand(partial(batches.batches, limit=limit, cursor=batch_cursor(cursor)))

    async def top_batches(self, *, limit: int) -> Sequence[Batch]:
        """See `BatchStore.top_batches`."""
        return await self._reader.hand(partial(batches.top, limit=limit))

    async def member(self, batch: str, reference: str) -> Job | None:
        """See `BatchStore.member`."""
        return await self._reader.hand(partial(batches.member, batch=batch, reference=reference))

    async def batch_failures(self, batch: str, *, limit: int) -> Sequence[Failure]:
        """See `BatchStore.batch_failures`."""
        return await self._reader.hand(partial(batches.failures, batch=batch, limit=limit))

    async def batch_results(self, batch: str, *, after: int, limit: int) -> Sequence[tuple[int, Job]]:
        """See `BatchStore.batch_results`."""
        return await self._reader.hand(partial(batches.results, batch=batch, after=after, limit=limit))

    async def close_batch(self, id: str, now: int, *, receipt: Receipt | None = None) -> Batch | None:
        """See `BatchStore.close_batch`."""
        return await self._writer.hand(partial(batches.close, id=id, now=now, receipt=receipt))

    async def cancel_batch(self, id: str, now: int) -> Batch | None:
        """See `BatchStore.cancel_batch`."""
        return await self._writer.hand(partial(batches.cancel, id=id, now=now))

    async def remove_batch(self, id: str, now: int) -> bool:
        """See `BatchStore.remove_batch`."""
        return await self._writer.hand(partial(batches.remove, id=id, now=now))

    async def delete_members(self, batch: str, now: int, *, limit: int) -> Sequence[Job]:
        """See `BatchStore.delete_members`."""
        return await self._writer.hand(partial(batches.delete_members, batch=batch, now=now, limit=limit))

    async def interrupted_batches(self) -> Sequence[tuple[str, bool]]:
        """See `BatchStore.interrupted_batches`."""
        return await self._reader.hand(batches.interrupted)

    async def expire_batches(self, now: int) -> None:
        """See `BatchStore.expire_batches`."""
        while not await self._writer.hand(partial(batches.expire, now=now, limit=_STEP)):
            pass
