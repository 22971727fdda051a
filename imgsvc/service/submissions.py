"""How an upload becomes a job or a stored image: header read, limits held, blob kept, record committed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from functools import partial

from imgsvc import logs
from imgsvc.batches import Batch
from imgsvc.dispatch import Dispatcher
from imgsvc.errors import ImageRefused, NotFound
from imgsvc.imaging.facts import Facts
from imgsvc.imaging.limits import Limits, check_source
from imgsvc.jobs import Image, Job, Output, Priority, State, Timings, image_id, image_key, new_id
from imgsvc.jobstore import JobStore, Receipt, check_open, rank
from imgsvc.raster.geometry import Size
from imgsvc.scheduler import Clock, Policy, Scheduler
from imgsvc.service.facts import facts_of, image_of
from imgsvc.service.intake import Arrived, Staged
from imgsvc.service.outputs import asked, planned
from imgsvc.service.requests import JobRequest
from imgsvc.service.restoring import restore
from imgsvc.service.room import Place, Room
from imgsvc.storage import Storage


@dataclass(frozen=True, kw_only=True)
class Submissions:
    """Order of truth: the blob, the record, the answer."""

    store: JobStore
    storage: Storage
    dispatcher: Dispatcher
    scheduler: Scheduler
    room: Room
    limits: Limits
    policy: Policy
    clock: Clock

    async def upload(
        self,
        staged: Staged,
        request: JobRequest,
        filename: str | None,
        place: Place | None,
        receipt: Receipt | None,
    ) -> Job:
        """A job with an image that has just been uploaded; as `welcome` where it names a batch."""
        batch, first = await self._batch(request)
        if first is not None:
            return first
        image, facts, known = await self._seen(staged)
        outputs = planned(request.outputs, facts, self.limits)
        job = self._job(request, outputs, image, filename, staged.upload_ms, batch)
        adding = self._add_upload(job, staged, place, receipt, known=known)
        return await self.scheduler.crew.finish(adding)

    async def stored(
        self,
        image: Image,
        request: JobRequest,
        filename: str | None,
        place: Place | None,
        receipt: Receipt | None,
    ) -> Job:
        """A job with an image that is stored; raises NotFound when it went meanwhile, and as `upload`."""
        batch, first = await self._batch(request)
        if first is not None:
            return first
        outputs = planned(request.outputs, facts_of(image), self.limits)
        job = self._job(request, outputs, image, filename, None, batch)
        return await self.scheduler.crew.finish(self._add_stored(job, place, receipt))

    async def retried(self, job: Job, receipt: Receipt | None) -> Job:
        """A new job that does what an ended one was to do; raises NotFound when its image went."""
        again = Job(
            id=new_id("job"),
            state=State.QUEUED,
            priority=job.priority,
            reference=job.reference,
            batch=job.batch,
            retry_of=job.id,
            max_attempts=job.max_attempts,
            timeout_ms=job.timeout_ms,
            retention_s=job.retention_s,
            created_at=self.clock(),
            image=job.image,
            filename=job.filename,
            outputs=job.outputs,
        )
        return await self.scheduler.crew.finish(self._add_stored(again, None, receipt))

    async def welcome(self, id: str, reference: str | None) -> tuple[Batch, Job | None]:
        """The batch that a job wants to join, and the job that has its reference there already.

        Raises NotFound, ResultExpired, and InvalidParameter for a batch that is closed or full.
        """
        batch = await self.store.batch(id)
        if batch is None:
            raise NotFound("there is no such batch")
        first = await self.store.member(id, reference) if reference is not None else None
        if first is None:
            check_open(batch)
        return batch, first

    async def member(self, batch: Batch, request: JobRequest, file: Arrived) -> Job:
        """A job of a batch that is being filled, where there is room for it already.

        A file that is no picture to work on becomes a job that has failed.
        """
        request = replace(request, batch=batch.id)
        refused, staged = file.refused, file.staged
        if staged is not None and refused is None:
            try:
                image, facts, known = await self._seen(staged)
                outputs = planned(request.outputs, facts, self.limits)
            except ImageRefused as error:
                refused = error
            else:
                job = self._job(request, outputs, image, file.filename, staged.upload_ms, batch)
                return await self._keep(job, staged, None, known=known)
        problem = refused.problem if refused is not None else None
        image = unreadable(file, self.clock())
        job = self._job(request, asked(request.outputs), image, file.filename, None, batch)
        job = job.evolve(
            state=State.FAILED,
            error=problem,
            finished_at=job.created_at,
            expires_at=job.created_at + int(job.retention_s * 1000),
        )
        logs.remember(job.id)
        return self.scheduler.failed(await self.store.add_failed(job))

    async def image(self, staged: Staged, receipt: Receipt | None) -> tuple[Image, bool]:
        """Store an image for its own sake: what stands, and whether it is new."""
        facts = await self.dispatcher.probe(staged.path, self.limits)
        return await self.scheduler.crew.finish(self._add_image(self._image(staged, facts), staged, receipt))

    # -- the parts ------------------------------------------------------------------------------

    async def _batch(self, request: JobRequest) -> tuple[Batch | None, Job | None]:
        if request.batch is None:
            return None, None
        return await self.welcome(request.batch, request.reference)

    async def _seen(self, staged: Staged) -> tuple[Image, Facts, bool]:
        """What the upload is and shows, and whether the same bytes are stored already."""
        known = await self.store.image(image_id(_digest(staged)))
        if known is not None and _taken(known, self.limits):
            await asyncio.to_thread(restore, self.storage, known, staged.path.read_bytes)
            return known, facts_of(known), True
        facts = await self.dispatcher.probe(staged.path, self.limits)
        return self._image(staged, facts), facts, False

    def _image(self, staged: Staged, facts: Facts) -> Image:
        """The upload as an image of its own, under a key of its own."""
        digest = _digest(staged)
        key = image_key(image_id(digest))
        return image_of(facts, digest, staged.bytes, key=key, created_at=self.clock())

    def _job(
        self,
        request: JobRequest,
        outputs: tuple[Output, ...],
        image: Image,
        filename: str | None,
        upload_ms: float | None,
        batch: Batch | None,
    ) -> Job:
        policy = self.policy
        usual = batch.priority if batch else Priority.NORMAL
        kept_s = batch.retention_s if batch else policy.retention_s
        timeout_s = min(request.timeout_s or policy.job_timeout_s, policy.job_timeout_s)
        return Job(
            id=new_id("job"),
            state=State.QUEUED,
            priority=request.priority or usual,
            reference=request.reference,
            batch=request.batch,
            max_attempts=request.max_attempts or policy.max_attempts,
            timeout_ms=max(1, round(timeout_s * 1000)),
            retention_s=kept_s if request.retention_s is None else request.retention_s,
            created_at=self.clock(),
            image=image,
            filename=filename,
            outputs=outputs,
            timings=Timings(upload_ms=upload_ms),
        )

    async def _add_upload(
        self, job: Job, staged: Staged, place: Place | None, receipt: Receipt | None, *, known: bool
    ) -> Job:
        async with self.room.adding(staged.bytes, place):
            return await self._keep(job, staged, receipt, known=known)

    async def _keep(self, job: Job, staged: Staged, receipt: Receipt | None, *, known: bool) -> Job:
        if known:
            try:
                # The same bytes are there: nothing more needs to be kept.
                return await self._record(job, receipt, stored=True)
            except NotFound:
                if await self.store.image(job.image.id) is not None:
                    raise  # the batch has gone
                # They went this moment.
                fresh = {
                    "key": image_key(job.image.id),
                    "created_at": job.created_at,
                    "kept": False,
                    "expires_at": None,
                }
                job = job.evolve(image=job.image.model_copy(update=fresh))
        with self.scheduler.pending.hold([job.image.key]):
            await self._adopt(staged, job.image)
            try:
                added = await self._record(job, receipt)
            except BaseException:
                await self.scheduler.sweeper.remove([job.image.key])
                raise
            if added.image.key != job.image.key:
                await self.scheduler.sweeper.remove([job.image.key])
            return added

    async def _add_stored(self, job: Job, place: Place | None, receipt: Receipt | None) -> Job:
        async with self.room.adding(job.image.bytes, place):
            return await self._record(job, receipt, stored=True)

    async def _add_image(self, image: Image, staged: Staged, receipt: Receipt | None) -> tuple[Image, bool]:
        if self.policy.image_retention_s is not None:
            expires_at = image.created_at + round(self.policy.image_retention_s * 1000)
            image = image.model_copy(update={"expires_at": expires_at})
        with self.scheduler.pending.hold([image.key]):
            await self._adopt(staged, image)
            try:
                standing, new = await self.store.add_image(image, receipt=receipt)
            except BaseException:
                await self.scheduler.sweeper.remove([image.key])
                raise
            if standing.key != image.key:
                await asyncio.to_thread(
                    restore, self.storage, standing, partial(self.storage.read, image.key)
                )
                await self.scheduler.sweeper.remove([image.key])
        self.scheduler.sweeper.expect(standing.expires_at)
        return standing, new

    async def _adopt(self, staged: Staged, image: Image) -> None:
        """The file becomes a blob, durably; from here on its staging place is ours to clean."""
        staged.let_go()
        try:
            await asyncio.to_thread(self.storage.adopt, staged.path, image.key)
        except BaseException:
            await asyncio.to_thread(staged.path.unlink, missing_ok=True)
            raise

    async def _record(self, job: Job, receipt: Receipt | None, *, stored: bool = False) -> Job:
        place = rank(self.scheduler.steady.when(job.created_at), job.priority, self.policy.ageing_s)
        logs.remember(job.id)
        added = await self.store.add(job, rank=place, stored=stored, receipt=receipt)
        # Another client was faster with the same reference.
        return added if added.id != job.id else await self.scheduler.added(added)


def unreadable(file: Arrived, now: int) -> Image:
    """What there is to tell of a file that is no picture: its size and its hash."""
    its = image_id(file.sha256)
    return Image(
        id=its,
        sha256=file.sha256,
        key=image_key(its),
        bytes=file.bytes,
        format="",
        content_type="application/octet-stream",
        width=0,
        height=0,
        frames=0,
        has_alpha=False,
        created_at=now,
    )


def _digest(staged: Staged) -> str:
    if staged.sha256 is None:
        raise ValueError("an upload that is kept must be hashed")
    return staged.sha256


def _taken(image: Image, limits: Limits) -> bool:
    """Would an image that passed the desk before pass it now? The limits may have changed since."""
    try:
        check_source(Size(image.width, image.height), image.frames, limits)
    except ImageRefused:
        return False
    return image.format in limits.input_formats
