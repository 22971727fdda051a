"""Idempotency keys: a request that comes again under its key is known, while it is done and afterwards."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace

from imgsvc.errors import IdempotencyKeyInUse, IdempotencyKeyReused, Unavailable
from imgsvc.jobs import answer_key
from imgsvc.jobstore import Answer, JobStore, Receipt
from imgsvc.scheduler import Clock, Scheduler
from imgsvc.service.blobs import Blob, Blobs

_log = logging.getLogger(__name__)


class Claim:
    """A key in the hands of the one request that is being answered under it."""

    def __init__(
        self, receipt: Receipt, known: Receipt | None, store: JobStore, scheduler: Scheduler
    ) -> None:
        #: This request; what it means is filled in by `means`.
        self.receipt = receipt
        #: What was done under this key before, at the same place.
        self.known = known
        self._store = store
        self._scheduler = scheduler
        self._held = ExitStack()
        #: Where a picture lies that is to be the answer, and that no record names yet.
        self.blob: str | None = None

    def means(self, meaning: str) -> Receipt | None:
        """What the request turned out to mean, as a digest: the known one where it is a repeat of that.

        Raises IdempotencyKeyReused when it is another request than the known one.
        """
        if self.known is None:
            self.receipt = replace(self.receipt, meaning=meaning)
        elif self.known.meaning != meaning:
            raise _reused("its parameters or its image were others")
        return self.known

    def room(self) -> str:
        """A blob key for an answer that is a picture: the blob stays if `answered` names it."""
        self.blob = answer_key()
        self._held.enter_context(self._scheduler.pending.hold([self.blob]))
        return self.blob

    async def answered(self, answer: Answer) -> None:
        """Keep the answer for repeats; a store that can't is no reason not to give it this time."""
        receipt = self.known or self.receipt
        if not receipt.meaning:
            raise ValueError("what a request means must be told before it is answered")
        try:
            if await self._store.answered(receipt, answer) and answer.blob == self.blob:
                self.blob = None
        except Unavailable as error:
            _log.warning("an answer could not be kept for its repeats: %s", error)

    async def release(self) -> None:
        """Leave no blob that no record names."""
        with self._held:
            if self.blob is not None:
                await self._scheduler.sweeper.remove([self.blob])


class Keys:
    """Keys of requests in progress, in memory, and receipts of those that were done, in the store."""

    def __init__(
        self, store: JobStore, scheduler: Scheduler, blobs: Blobs, *, retention_s: float, clock: Clock
    ) -> None:
        self._store = store
        self._scheduler = scheduler
        self._blobs = blobs
        self._retention_ms = round(retention_s * 1000)
        self._clock = clock
        self._claimed: set[str] = set()
        #: How many keys have been claimed and given back.
        self._released = 0

    def __repr__(self) -> str:
        return f"<Keys of {len(self._claimed)} requests in progress>"

    @asynccontextmanager
    async def claim(self, key: str, place: str) -> AsyncIterator[Claim]:
        """Take a key for a request to `place` (method and path), before its body is read.

        A key whose answer is there is taken by nobody: any number may be given that answer at once. Raises
        IdempotencyKeyInUse while another request has the key, IdempotencyKeyReused when it belongs to
        another place, and what the store raises.
        """
        self._check_free(key)
        released = self._released
        known = await self._store.receipt(key, self._clock())
        if known is not None and known.answer is not None:
            yield self._claim(key, place, known)
            return
        self._check_free(key)
        self._claimed.add(key)
        try:
            if self._released != released:  # perhaps by the request that we have just not seen
                known = await self._store.receipt(key, self._clock())
            claim = self._claim(key, place, known)
            try:
                yield claim
            finally:
                await self._scheduler.crew.finish(claim.release())
        finally:
            self._claimed.discard(key)
            self._released += 1

    def _check_free(self, key: str) -> None:
        if key in self._claimed:
            raise IdempotencyKeyInUse("a request with this Idempotency-Key is still in progress")

    def _claim(self, key: str, place: str, known: Receipt | None) -> Claim:
        if known is not None and known.place != place:
            raise _reused("it went to another path")
        now = self._clock()
        receipt = Receipt(key, place, meaning="", created_at=now, expires_at=now + self._retention_ms)
        return Claim(receipt, known, self._store, self._scheduler)

    async def open(self, answer: Answer) -> Blob:
        """The picture that an answer is; close the Blob. Raises ResultExpired when it is gone."""
        return await self._blobs.open(answer.blob or "", answer.size)


def _reused(why: str) -> IdempotencyKeyReused:
    return IdempotencyKeyReused(f"the Idempotency-Key was used for another request: {why}")
