"""How an upload becomes a job or a stored image: header read, limits held, blob kept, record committed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from imgsvc import formats
from imgsvc.dispatch import Dispatcher
from imgsvc.errors import NotFound
from imgsvc.imaging import check_output
from imgsvc.imaging.facts import Facts
from imgsvc.imaging.limits import Limits
from imgsvc.jobs import Image, Job, Output, State, Timings, image_id, image_key, new_id
from imgsvc.jobstore import JobStore, rank
from imgsvc.pipeline import Pipeline
from imgsvc.scheduler import Clock, Policy, Scheduler
from imgsvc.service.intake import Staged
from imgsvc.service.requests import JobRequest
from imgsvc.service.room import Room
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

    async def upload(self, staged: Staged, request: JobRequest, filename: str | None) -> Job:
        """A job with an image that has just been uploaded."""
        image = await self._image(staged)
        check(request.outputs, image, self.limits)
        job = self._job(request, image, filename, staged.upload_ms)
        return await self.scheduler.crew.finish(self._add_upload(job, staged))

    async def stored(self, image: Image, request: JobRequest, filename: str | None = None) -> Job:
        """A job with an image that is stored; raises NotFound when it went meanwhile."""
        check(request.outputs, image, self.limits)
        return await self.again(self._job(request, image, filename, None))

    async def again(self, job: Job) -> Job:
        """Add a job whose image is stored; raises NotFound when it went meanwhile."""
        return await self.scheduler.crew.finish(self._add_stored(job))

    async def image(self, staged: Staged) -> tuple[Image, bool]:
        """Store an image for its own sake: what stands, and whether it is new."""
        return await self.scheduler.crew.finish(self._add_image(await self._image(staged), staged))

    # -- the parts ------------------------------------------------------------------------------

    async def _image(self, staged: Staged) -> Image:
        """What the header tells; refused here is what the header shows to be too much."""
        if staged.sha256 is None:
            raise ValueError("an upload that is kept must be hashed")
        facts = await self.dispatcher.probe(staged.path, self.limits)
        id = image_id(staged.sha256)  # noqa: A001  # the field's own word
        return Image(
            id=id,
            sha256=staged.sha256,
            key=image_key(id),
            bytes=staged.bytes,
            format=facts.format,
            content_type=formats.registry()[facts.format].media_type,
            width=facts.width,
            height=facts.height,
            frames=facts.frames,
            has_alpha=facts.has_alpha,
            created_at=self.clock(),
        )

    def _job(self, request: JobRequest, image: Image, filename: str | None, upload_ms: float | None) -> Job:
        policy = self.policy
        timeout_s = min(request.timeout_s or policy.job_timeout_s, policy.job_timeout_s)
        return Job(
            id=new_id("job"),
            state=State.QUEUED,
            priority=request.priority,
            reference=request.reference,
            batch=request.batch,
            max_attempts=request.max_attempts or policy.max_attempts,
            timeout_ms=max(1, round(timeout_s * 1000)),
            retention_s=policy.retention_s if request.retention_s is None else request.retention_s,
            created_at=self.clock(),
            image=image,
            filename=filename,
            outputs=tuple(
                Output(name=name, spec=pipeline.text) for name, pipeline in request.outputs.items()
            ),
            timings=Timings(upload_ms=upload_ms),
        )

    async def _add_upload(self, job: Job, staged: Staged) -> Job:
        async with self.room.place(staged.bytes):
            if await self.store.image(job.image.id) is not None:
                try:
                    # The same bytes are there: nothing needs to be kept.
                    return await self._record(job, stored=True)
                except NotFound:
                    pass  # they went this moment
            with self.scheduler.pending.hold([job.image.key]):
                await self._adopt(staged, job.image)
                try:
                    added = await self._record(job)
                except BaseException:
                    await self.scheduler.sweeper.remove([job.image.key])
                    raise
                if added.image.key != job.image.key:
                    await self.scheduler.sweeper.remove([job.image.key])
                return added

    async def _add_stored(self, job: Job) -> Job:
        async with self.room.place(job.image.bytes):
            return await self._record(job, stored=True)

    async def _add_image(self, image: Image, staged: Staged) -> tuple[Image, bool]:
        if self.policy.image_retention_s is not None:
            expires_at = image.created_at + round(self.policy.image_retention_s * 1000)
            image = image.model_copy(update={"expires_at": expires_at})
        with self.scheduler.pending.hold([image.key]):
            await self._adopt(staged, image)
            try:
                standing, new = await self.store.add_image(image)
            except BaseException:
                await self.scheduler.sweeper.remove([image.key])
                raise
            if standing.key != image.key:
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

    async def _record(self, job: Job, *, stored: bool = False) -> Job:
        place = rank(job.created_at, job.priority, self.policy.ageing_s)
        added = await self.store.add(job, rank=place, stored=stored)
        self.scheduler.wake()
        return added


def check(outputs: Mapping[str, Pipeline], image: Image, limits: Limits) -> None:
    """Raises OutputTooLarge, naming the operation, before a pixel is read."""
    facts = Facts(
        format=image.format,
        width=image.width,
        height=image.height,
        frames=image.frames,
        has_alpha=image.has_alpha,
    )
    for name, pipeline in outputs.items():
        check_output(pipeline, facts, limits, output=name)
