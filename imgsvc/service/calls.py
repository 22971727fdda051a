"""Synchronous calls: an upload in, a result out, nothing kept."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import NoReturn

from imgsvc.errors import InternalError, Problem, from_problem
from imgsvc.imaging.limits import Limits
from imgsvc.pipeline import Pipeline
from imgsvc.scheduler import Scheduler
from imgsvc.service.blobs import Blobs
from imgsvc.service.intake import Staged
from imgsvc.service.requests import Processed
from imgsvc.storage import Storage
from imgsvc.worker import Outcome, Target, Task


def refuse(problem: Problem | None) -> NoReturn:
    """Raise the error that a problem from a worker or a record stands for."""
    if problem is None:
        raise InternalError("the work failed and did not say why")
    raise from_problem(problem)


@dataclass(frozen=True, kw_only=True)
class Calls:
    """Runs calls on files that live only as long as the call."""

    storage: Storage
    scheduler: Scheduler
    blobs: Blobs
    limits: Limits
    boot: str

    async def process(self, staged: Staged, pipeline: Pipeline) -> Processed:
        """Run one pipeline on an upload now; being canceled kills the work."""
        source = f"staging/{self.boot}/{staged.path.name}"
        target = Target(name="default", spec=pipeline.text, key=f"{source}-result")
        staged.let_go()
        try:
            if self.storage.path(source) != staged.path:
                await asyncio.to_thread(self.storage.adopt, staged.path, source, durable=False)
            task = Task(storage=self.storage.url, source=source, targets=(target,), limits=self.limits)
            called = await self.scheduler.call(task, bytes_in=staged.bytes)
            report = called.report
            if report.outcome is not Outcome.SUCCEEDED or not report.results:
                refuse(report.problem)
            result = report.results[0]
            blob = await self.blobs.take(result.key, result.bytes, source)
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
