"""The job store on SQLite: calls from the event loop become errands for a writing and a reading thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

from imgsvc.errors import Problem, Unavailable
from imgsvc.jobs import Image, Job, Priority, State
from imgsvc.jobstore._base import Backlog, Ending, ImagePage, Page, Stored
from imgsvc.jobstore._checks import (
    check_answer,
    check_failed,
    check_image,
    check_job,
    check_results,
    image_cursor,
    job_cursor,
)
from imgsvc.jobstore._receipts import Answer, Receipt
from imgsvc.jobstore.sqlite import reads, receipts, writes
from imgsvc.jobstore.sqlite.batch_calls import BatchCalls
from imgsvc.jobstore.sqlite.clerk import Clerk, one_by_one, rehearsed, together
from imgsvc.jobstore.sqlite.connection import reader, writer
from imgsvc.jobstore.sqlite.faults import opening
from imgsvc.jobstore.sqlite.line import Line

#: How many rows a long piece of work changes at a time: some 10 ms, in which nobody else is served.
_STEP = 200


class SqliteStore(BatchCalls):
    """See `jobstore.JobStore`; one process at a time writes (the data directory's lock sees to it)."""

    lasts = True

    def __init__(self, path: Path, patience: float) -> None:
        self._path = path
        self._patience = patience
        self._line = Line()
        self._writer, self._reader = self._clerks(create=True)

    def __repr__(self) -> str:
        return f"<SqliteStore {self._path} {self._writer!r} {self._reader!r}>"

    def _connect(self, *, create: bool, rehearsal: bool) -> sqlite3.Connection:
        connection = writer(self._path, self._patience, create=create, rehearsal=rehearsal)
        try:
            self._line.attach(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _clerks(self, *, create: bool, rehearsal: bool = False) -> tuple[Clerk, Clerk]:
        """Who writes and who reads: in a rehearsal one does both, for nobody else sees what it changes."""
        serve = partial(rehearsed if rehearsal else together, journal=self._line)
        connect = partial(self._connect, create=create, rehearsal=rehearsal)
        writes = Clerk("imgsvc-jobs-writer", connect, serve)
        if rehearsal:
            return writes, writes
        return writes, Clerk("imgsvc-jobs-reader", partial(reader, self._path, self._patience), one_by_one)

    async def open(self, *, create: bool = True, rehearsal: bool = False) -> None:
        """See `JobStore.open`."""
        self._writer, self._reader = self._clerks(create=create, rehearsal=rehearsal)
        try:
            # The writer migrates, so the reader comes second.
            await self._writer.start()
            if self._reader is not self._writer:
                await self._reader.start()
        except Unavailable as error:
            await self._writer.stop()
            raise opening(error, self._path) from error
        except BaseException:
            await self._writer.stop()
            raise

    async def close(self) -> None:
        """See `JobStore.close`."""
        # The last to go folds the write-ahead log into the database; a reader may not.
        await self._reader.stop()
        await self._writer.stop()

    async def ping(self) -> None:
        """See `JobStore.ping`."""
        await self._writer.hand(writes.ping)
        await self._reader.hand(reads.ping)

    async def add_image(self, image: Image, *, receipt: Receipt | None = None) -> tuple[Image, bool]:
        """See `JobStore.add_image`."""
        check_image(image)
        return await self._writer.hand(partial(writes.add_image, image=image, receipt=receipt))

    async def image(self, id: str) -> Image | None:
        """See `JobStore.image`."""
        return await self._reader.hand(partial(reads.image, id=id))

    async def images(self, *, limit: int, cursor: str | None = None) -> ImagePage:
        """See `JobStore.images`."""
        return await self._reader.hand(partial(reads.images, limit=limit, before=image_cursor(cursor)))

    async def delete_image(self, id: str, now: int) -> str | None:
        """See `JobStore.delete_image`."""
        return await self._writer.hand(partial(writes.delete_image, id=id, now=now))

    async def add(self, job: Job, *, rank: int, stored: bool = False, receipt: Receipt | None = None) -> Job:
        """See `JobStore.add`."""
        check_job(job)
        return await self._writer.hand(
            partial(writes.add, job=job, rank=rank, stored=stored, receipt=receipt)
        )

    async def add_failed(self, job: Job) -> Job:
        """See `JobStore.add_failed`."""
        check_failed(job)
        return await self._writer.hand(partial(writes.add_failed, job=job))

    async def get(self, id: str) -> Job | None:
        """See `JobStore.get`."""
        return await self._reader.hand(partial(reads.job, id=id))

    async def list(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        states: Sequence[State] = (),
        batch: str | None = None,
        reference: str | None = None,
    ) -> Page:
        """See `JobStore.list`."""
        wanted = reads.Wanted(limit, job_cursor(cursor), tuple(states), batch, reference)
        return await self._reader.hand(partial(reads.jobs, wanted=wanted))

    async def claim(self, now: int, *, lane: int) -> Job | None:
        """See `JobStore.claim`."""
        return await self._writer.hand(partial(writes.claim, now=now, lane=lane))

    async def settle(self, id: str, attempt: int, ending: Ending) -> Job | None:
        """See `JobStore.settle`."""
        check_results(id, ending.results)
        return await self._writer.hand(partial(writes.settle, id=id, attempt=attempt, ending=ending))

    async def queued_with(self, image: str, *, after: str, limit: int) -> Sequence[Job]:
        """See `JobStore.queued_with`."""
        return await self._reader.hand(partial(reads.queued_with, image=image, after=after, limit=limit))

    async def fail(self, id: str, error: Problem, now: int) -> Job | None:
        """See `JobStore.fail`."""
        return await self._writer.hand(partial(writes.fail, id=id, error=error, now=now))

    async def cancel(self, id: str, now: int) -> Job | None:
        """See `JobStore.cancel`."""
        return await self._writer.hand(partial(writes.cancel, id=id, now=now))

    async def cancel_queued(self, now: int, *, batch: str | None = None) -> Sequence[Job]:
        """See `JobStore.cancel_queued`."""
        canceled: list[Job] = []
        last = await self._writer.hand(writes.newest_queued)
        while last:
            step = partial(writes.cancel_queued, now=now, last=last, batch=batch, limit=_STEP)
            some = await self._writer.hand(step)
            canceled += some
            if len(some) < _STEP:
                break
        return canceled

    async def delete(self, id: str, now: int) -> Job | None:
        """See `JobStore.delete`."""
        return await self._writer.hand(partial(writes.delete, id=id, now=now))

    async def recover(self, now: int, *, max_lost: int) -> Sequence[Job]:
        """See `JobStore.recover`."""
        return await self._writer.hand(partial(writes.recover, now=now, max_lost=max_lost))

    async def position(self, id: str) -> int | None:
        """See `JobStore.position`."""
        return (await self.positions([id])).get(id)

    async def positions(self, ids: Sequence[str]) -> Mapping[str, int]:
        """See `JobStore.positions`."""
        return await self._reader.hand(partial(reads.positions, ids=tuple(ids), line=self._line))

    async def depths(self) -> Mapping[Priority, int]:
        """See `JobStore.depths`."""
        return await self._reader.hand(lambda _: self._line.depths())

    async def backlog(self) -> Backlog:
        """See `JobStore.backlog`."""
        return await self._reader.hand(reads.backlog)

    async def counts(self) -> Mapping[State, int]:
        """See `JobStore.counts`."""
        return await self._reader.hand(reads.counts)

    async def last_ranks(self) -> Mapping[Priority, int]:
        """See `JobStore.last_ranks`."""
        return await self._reader.hand(reads.last_ranks)

    async def hasten(self, latest: int) -> None:
        """See `JobStore.hasten`."""
        await self._writer.hand(partial(writes.hasten, latest=latest))

    async def next_start(self, now: int = 0) -> int | None:
        """See `JobStore.next_start`."""
        return await self._reader.hand(partial(reads.next_start, now=now))

    async def receipt(self, key: str, now: int) -> Receipt | None:
        """See `JobStore.receipt`."""
        return await self._reader.hand(partial(receipts.find, key=key, now=now))

    async def answered(self, receipt: Receipt, answer: Answer) -> bool:
        """See `JobStore.answered`."""
        check_answer(answer)
        return await self._writer.hand(partial(receipts.answered, receipt=receipt, answer=answer))

    async def expire(self, now: int, *, limit: int) -> Sequence[Job]:
        """See `JobStore.expire`."""
        return await self._writer.hand(partial(writes.expire, now=now, limit=limit))

    async def stored(self) -> Stored:
        """See `JobStore.stored`."""
        return await self._reader.hand(reads.stored)

    async def make_room(
        self, now: int, *, down_to: int, limit: int, spare: Collection[str] = ()
    ) -> Sequence[Job]:
        """See `JobStore.make_room`."""
        spared = tuple(spare)
        return await self._writer.hand(
            partial(writes.make_room, now=now, down_to=down_to, limit=limit, spare=spared)
        )

    async def unneeded_images(self, now: int, *, limit: int) -> Sequence[str]:
        """See `JobStore.unneeded_images`."""
        return await self._writer.hand(partial(writes.unneeded_images, now=now, limit=limit))

    async def expire_receipts(self, now: int, *, limit: int) -> tuple[int, Sequence[str]]:
        """See `JobStore.expire_receipts`."""
        return await self._writer.hand(partial(receipts.expire, now=now, limit=limit))

    async def next_expiry(self) -> int | None:
        """See `JobStore.next_expiry`."""
        return await self._reader.hand(reads.next_expiry)

    async def known_keys(self, keys: Sequence[str]) -> frozenset[str]:
        """See `JobStore.known_keys`."""
        return await self._reader.hand(partial(reads.known_keys, keys=tuple(keys)))

    async def forget(self, now: int) -> None:
        """See `JobStore.forget`."""
        while not await self._writer.hand(partial(writes.forget, now=now, limit=_STEP)):
            pass

    async def paused(self) -> bool:
        """See `JobStore.paused`."""
        return await self._reader.hand(reads.paused)

    async def set_paused(self, paused: bool) -> None:
        """See `JobStore.set_paused`."""
        await self._writer.hand(partial(writes.set_paused, paused=paused))
