"""The use cases: everything that a caller may want, whoever the caller is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from imgsvc.batches import Batch
from imgsvc.errors import JobCanceled, JobNotFinished, NotFound, ResultExpired
from imgsvc.jobs import Image, Job, Result, State
from imgsvc.jobstore import JobStore, Page, Receipt
from imgsvc.metrics import Metrics
from imgsvc.pipeline import Pipeline
from imgsvc.scheduler import Clock, Ended, Policy, Scheduler
from imgsvc.service.admission import Admission
from imgsvc.service.batches import Batches
from imgsvc.service.blobs import Blob, Blobs
from imgsvc.service.calls import Calls, refuse
from imgsvc.service.images import Images
from imgsvc.service.intake import Arrived, Intake, Staged
from imgsvc.service.keys import Keys
from imgsvc.service.renders import Renders
from imgsvc.service.requests import BatchRequest, JobRequest, Processed, QueuePlace
from imgsvc.service.room import Place
from imgsvc.service.sources import Sources
from imgsvc.service.status import Status
from imgsvc.service.submissions import Submissions
from imgsvc.service.timebox import Timebox


class Service:
    """Submit, look, fetch, cancel, remove, process. Raises the errors of `imgsvc.errors` only.

    Times are milliseconds since the epoch, durations seconds unless their name says otherwise. Parts are
    built, opened, started and closed by others (`imgsvc.wiring`).
    """

    def __init__(  # noqa: PLR0913  # a façade knows every room
        self,
        *,
        store: JobStore,
        scheduler: Scheduler,
        policy: Policy,
        metrics: Metrics | None,
        blobs: Blobs,
        submissions: Submissions,
        calls: Calls,
        admission: Admission,
        intake: Intake,
        batches: Batches,
        images: Images,
        keys: Keys,
        renders: Renders,
        timebox: Timebox,
        sources: Sources,
        status: Status,
        clock: Clock,
    ) -> None:
        self._store = store
        self._scheduler = scheduler
        self._blobs = blobs
        self._submissions = submissions
        self._calls = calls
        self._clock = clock
        self.policy = policy
        #: What has been counted since the start; None where nobody counts.
        self.metrics = metrics
        #: Who may come in: `async with service.admission.job(size) as place`.
        self.admission = admission
        #: Where uploads come in: `async with service.intake.begin() as incoming`.
        self.intake = intake
        #: What is done with batches.
        self.batches = batches
        #: What is done with stored images.
        self.images = images
        #: Who comes with an Idempotency-Key: `async with service.keys.claim(key, place) as claim`.
        self.keys = keys
        #: Pictures on the fly.
        self.renders = renders
        #: Those whose format is chosen for a client, in time.
        self.timebox = timebox
        #: The pictures of a folder that is only read, where there is one.
        self.sources = sources
        #: What an operator sees.
        self.status = status

    def open(self) -> None:
        """Take up what an earlier server has cached; call it once, on the event loop."""
        self.renders.open()

    # -- taking work ----------------------------------------------------------------------------

    async def submit(
        self,
        staged: Staged,
        request: JobRequest,
        *,
        filename: str | None = None,
        place: Place | None = None,
        receipt: Receipt | None = None,
    ) -> Job:
        """A durable job with an image that has just arrived; when this returns, the promise is made.

        `place` is what `admission.job` gave; the request's `receipt` is kept with the job, both or neither.
        Raises the ImageRefused errors that the header shows, OutputTooLarge, QueueFull, Draining,
        IdempotencyKeyInUse and what the storage and the store raise.
        """
        self.admission.check_draining()
        return await self._submissions.upload(staged, request, filename, place, receipt)

    async def submit_stored(
        self,
        image: str,
        request: JobRequest,
        *,
        filename: str | None = None,
        place: Place | None = None,
        receipt: Receipt | None = None,
    ) -> Job:
        """A durable job with a stored image, by its id. Raises NotFound, and as `submit`."""
        await self.admission.check()
        return await self._submissions.stored(await self.images.get(image), request, filename, place, receipt)

    async def open_batch(self, request: BatchRequest, *, receipt: Receipt | None = None) -> Batch:
        """A batch that jobs may join. Raises Draining, InsufficientStorage."""
        await self.admission.check()
        return await self.batches.open(request, receipt)

    async def fill_batch(
        self,
        request: BatchRequest,
        wish: JobRequest,
        files: Sequence[Arrived],
        *,
        place: Place | None = None,
        receipt: Receipt | None = None,
    ) -> Batch:
        """A closed batch of these files; see `Batches.fill`. Raises Draining too."""
        self.admission.check_draining()
        return await self.batches.fill(request, wish, files, place, receipt)

    async def retry(self, id: str, *, receipt: Receipt | None = None) -> Job:
        """A new job that does what an ended one was to do. Raises JobNotFinished, NotFound, as `submit`.

        In a batch it takes the place of one that has failed or was canceled.
        """
        job = await self.job(id)
        if not job.state.ended:
            raise JobNotFinished(f"the job is {job.state}; only one that has ended can be tried again")
        await self.admission.check()
        try:
            return await self._submissions.retried(job, receipt)
        except NotFound:
            raise NotFound("the job's image has been removed, so the job can't be run again") from None

    async def process(
        self, staged: Staged, pipeline: Pipeline, *, accept: str | None = None, keep: str | None = None
    ) -> Processed:
        """Run a pipeline on an upload now and hand its result over; nothing is kept but the blob `keep`.

        `accept` is the client's `Accept`, for a pipeline that negotiates. Being canceled kills the work.
        Raises QueueTimeout when no lane was free in time, Draining, the ImageRefused and TaskFailed errors,
        InsufficientStorage. Close `Processed.blob` when it is sent.
        """
        return await self._calls.process(staged, pipeline, accept=accept, keep=keep)

    # -- jobs -----------------------------------------------------------------------------------

    async def job(self, id: str) -> Job:
        """A job. Raises NotFound for an unknown id, ResultExpired for one that was removed or expired."""
        job = await self._store.get(id)
        if job is None:
            raise NotFound("there is no such job")
        if job.expires_at is not None and job.expires_at <= self._clock():
            raise ResultExpired("the job and its results have expired")
        return job

    async def wait(self, id: str, seconds: float) -> Job:
        """A job, as soon as it has ended or `seconds` are over, whichever comes first; as `job`.

        Returns early when the service is shutting down.
        """
        with self._scheduler.watch(id) as ended:
            return await self._when(ended, await self.job(id), seconds)

    async def _when(self, ended: Ended, job: Job, seconds: float) -> Job:
        """The job once it has ended or the time is up; `ended` was watched before it was looked at."""
        if job.state.ended or seconds <= 0:
            return job
        await asyncio.wait({ended}, timeout=seconds)
        return (ended.result() if ended.done() else None) or await self.job(job.id)

    async def jobs(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        states: Sequence[State] = (),
        batch: str | None = None,
        reference: str | None = None,
    ) -> Page:
        """Jobs, newest first. Raises InvalidParameter for a cursor that is not ours."""
        return await self._store.list(
            limit=limit, cursor=cursor, states=states, batch=batch, reference=reference
        )

    async def queue_places(self, jobs: Iterable[Job]) -> Mapping[str, QueuePlace]:
        """Where the queued ones among these jobs wait; the others are left out."""
        queued = {job.id: job for job in jobs if job.state is State.QUEUED}
        if not queued:
            return {}
        places = await self._store.positions(list(queued))
        return {its: QueuePlace(place, self._wait_ms(queued[its], place)) for its, place in places.items()}

    def _wait_ms(self, job: Job, place: int) -> float | None:
        if self._scheduler.paused:
            return None
        pause = (job.not_before or 0) - self._clock()
        return round(max(pause, self._scheduler.estimate(place)), 1)

    def current_step(self, job: Job) -> str | None:
        """What a running job's worker is doing this moment: "decode", "thumb: resize", …"""
        return self._scheduler.step(job.id)

    async def cancel(self, id: str) -> Job:
        """Cancel a job; a running one is killed, one that has ended stays as it is. As `job`."""
        job = await self._scheduler.cancel(id)
        if job is None:
            raise NotFound("there is no such job")
        return job

    async def cancel_queued(self, batch: str | None = None) -> int:
        """Cancel every queued job (of one batch): how many it were."""
        return await self._scheduler.cancel_queued(batch)

    async def delete(self, id: str) -> None:
        """Remove a job and its results, canceling it first. Raises NotFound for an id that never was."""
        await self._scheduler.delete(id)

    # -- results --------------------------------------------------------------------------------

    async def result(self, id: str, name: str | None = None, *, wait: float = 0) -> tuple[Job, Result]:
        """One result of a job, by name or the only one, waiting for it up to `wait` seconds.

        Raises JobNotFinished, JobCanceled, the error that the job failed with, NotFound for a name that
        the job does not have (or none where it has several), and as `job`.
        """
        with self._scheduler.watch(id) as ended:
            job = await self.job(id)
            names = [output.name for output in job.outputs]
            if name is None and len(names) > 1:
                raise NotFound(f"the job has several results, ask for one by its name: {', '.join(names)}")
            if name not in {None, *names}:  # said at once: waiting would not bring it
                raise NotFound("the job has no result of this name")
            job = await self._when(ended, job, wait)
        for result in self.results_of(job):
            if name in {None, result.name}:
                return job, result
        raise NotFound("the job has no result of this name")

    def results_of(self, job: Job) -> tuple[Result, ...]:
        """All results of a job that has succeeded; raises as `result` for any other."""
        if not job.state.ended:
            raise JobNotFinished(f"the job is {job.state}", retry_after=self._scheduler.retry_after())
        if job.state is State.CANCELED:
            raise JobCanceled("the job was canceled")
        if job.state is State.FAILED:
            refuse(job.error)
        return job.results

    async def open_blob(self, of: Result | Image) -> Blob:
        """The bytes of a result or an image; close the Blob. Raises ResultExpired when they are gone."""
        return await self._blobs.open(of.key, of.bytes)

    # -- the operator ---------------------------------------------------------------------------

    async def pause(self) -> None:
        """Start no queued job until resumed, over restarts; synchronous calls go on."""
        await self._scheduler.pause(paused=True)

    async def resume(self) -> None:
        """Start queued jobs again."""
        await self._scheduler.pause(paused=False)

    def drain(self) -> None:
        """Take nothing new and let every long poll go, for the server is about to stop; safe to call twice.

        What runs goes on until `stop`.
        """
        self._scheduler.drain()

    async def stop(self, grace: float) -> None:
        """Drain; after `grace` seconds what still runs is killed and its jobs go back to the queue.

        What needs no lane is answered as before: jobs, results, images, cancellations. May be canceled and
        called again with a shorter grace; once it has returned, calling it again does nothing.
        """
        await self._scheduler.stop(grace)
        await self.renders.close()
        await self.sources.close()
