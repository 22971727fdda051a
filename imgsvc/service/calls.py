"""Synchronous calls: an upload in, a result out, nothing kept."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NoReturn

from imgsvc.errors import InternalError, Problem, QueueTimeout, from_problem
from imgsvc.imaging.limits import Limits
from imgsvc.jobs import image_id
from imgsvc.pipeline import Pipeline
from imgsvc.scheduler import Called, Scheduler, Suspect
from imgsvc.service.blobs import Blobs
from imgsvc.service.intake import Staged
from imgsvc.service.pace import Pace
from imgsvc.service.requests import Processed
from imgsvc.storage import Storage
from imgsvc.worker import Outcome, Target, Task

#: Bytes that are hashed at a time.
_PIECE = 1 << 20


def refuse(problem: Problem | None) -> NoReturn:
    """Raise the error that a problem from a worker or a record stands for."""
    if problem is None:
        raise InternalError("the work failed and did not say why")
    raise from_problem(problem)


#: Runs a task; as `Calls.run`.
Run = Callable[[Task, int, Suspect, Callable[[], None]], Awaitable[Called]]


@dataclass(frozen=True, kw_only=True)
class Calls:
    """Runs calls on files that live only as long as the call."""

    storage: Storage
    scheduler: Scheduler
    blobs: Blobs
    limits: Limits
    boot: str
    pace: Pace

    async def process(
        self, staged: Staged, pipeline: Pipeline, *, accept: str | None, keep: str | None
    ) -> Processed:
        """Run one pipeline on an upload now; being canceled kills the work.

        `accept` decides where the pipeline negotiates: the worker, who reads the header, resolves it.
        Where the work succeeds the result stays as the blob `keep`, if that is given.
        """
        source = f"staging/{self.boot}/{staged.path.name}"
        target = Target(name="default", spec=pipeline.text, key=keep or f"{source}-result")
        staged.let_go()
        try:
            if self.storage.path(source) != staged.path:
                await asyncio.to_thread(self.storage.adopt, staged.path, source, durable=False)
            task = Task(
                storage=self.storage.url,
                source=source,
                targets=(target,),
                limits=self.limits,
                accept=accept if pipeline.negotiates else None,
                avif_pixels=self.pace.pixels(pipeline) if pipeline.negotiates else None,
            )
            called = await self.run(task, staged.bytes)
            report = called.report
            if report.outcome is not Outcome.SUCCEEDED or not report.results:
                refuse(report.problem)
            result = report.results[0]
            opening = self.blobs.take if keep is None else self.blobs.open
            blob = await opening(result.key, result.bytes, source)
        except BaseException:
            await self.scheduler.crew.finish(self.scheduler.sweeper.remove_traces([source, target.key]))
            raise
        return Processed(
            report=report,
            result=result,
            blob=blob,
            queue_ms=round(called.queue_ms, 3),
            upload_ms=staged.upload_ms,
            lane=called.lane,
        )

    async def run(
        self,
        task: Task,
        bytes_in: int,
        suspect: Suspect | None = None,
        started: Callable[[], None] | None = None,
    ) -> Called:
        """Run the task, unless its work is in quarantine, and tell the quarantine what it came to.

        `started` is called when it has its lane. An upload, whose work is no known `suspect`, is hashed only
        while some work is suspected, or when its own worker was lost. Raises what the quarantine holds
        against it, QueueTimeout and Draining.
        """
        quarantine = self.scheduler.quarantine
        if suspect is None and quarantine:
            suspect = await self._suspect(task)
        if suspect is not None and (problem := quarantine.holds(suspect)) is not None:
            refuse(problem)
        began = quarantine.now()
        called = await self.scheduler.call(task, bytes_in=bytes_in, started=started)
        if called.report.outcome is Outcome.CRASHED:
            # What begins while this is hashed counts as having run beside it: it may cost one more.
            await self.scheduler.lost(suspect or await self._suspect(task), began)
        elif called.report.outcome is Outcome.SUCCEEDED and suspect is not None:
            quarantine.survived(suspect)
        self.pace.saw(called.report, task.targets)
        return called

    async def run_idle(self, task: Task, _: int, suspect: Suspect, started: Callable[[], None]) -> Called:
        """Run the task when a lane is idle and nobody else wants it; as `run`.

        Raises QueueTimeout where that never came.
        """
        started()  # it waits for nobody, and nobody for it
        spare = self.scheduler.spare(task, suspect)
        try:
            report = await spare.ended
        except BaseException:
            spare.kill()
            raise
        if report is None:
            raise QueueTimeout("no worker was idle", retry_after=self.scheduler.retry_after())
        self.pace.saw(report, task.targets)
        return Called(report, 0.0, 0)

    async def _suspect(self, task: Task) -> Suspect:
        digest = await asyncio.to_thread(_sha256, self.storage, task.source)
        return Suspect(image_id(digest), frozenset(target.spec for target in task.targets))


def _sha256(storage: Storage, key: str) -> str:
    digest = hashlib.sha256()
    with storage.open(key) as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
