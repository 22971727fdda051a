"""One start of a job: the task it becomes, and what its report means for the job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from imgsvc.errors import InternalError, Problem
from imgsvc.imaging.limits import Limits
from imgsvc.jobs import Job, State, result_key
from imgsvc.jobstore import Ending
from imgsvc.scheduler.backoff import Backoff
from imgsvc.scheduler.policy import Policy
from imgsvc.worker import Outcome, Report, Target, Task

#: What an attempt that is tried again is called in the job's history.
CRASHED, INTERRUPTED, DRAINED = "crashed", "interrupted", "drained"


def task(job: Job, storage: str, limits: Limits, images: Mapping[str, str] | None = None) -> Task:
    """What a worker is asked to do for this start; each start has result keys of its own."""
    targets = tuple(
        Target(
            name=output.name,
            spec=output.spec,
            key=result_key(job.id, job.attempts, number),
            group=output.picture,
        )
        for number, output in enumerate(job.outputs)
    )
    return Task(
        storage=storage,
        source=job.image.key,
        source_bytes=job.image.bytes,
        targets=targets,
        limits=limits,
        images=dict(images or {}),
    )


@dataclass(frozen=True, slots=True)
class Run:
    """What there is to tell of one start when it is over; times in milliseconds."""

    report: Report
    lane: int
    #: From handing the task to the lane to its report.
    run_ms: float
    #: From the job's creation to this start.
    queue_ms: float = 0.0
    #: It was killed so that the server can stop.
    drained: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """What decides whether a start that failed is followed by another one."""

    policy: Policy
    backoff: Backoff
    #: Is the job's work in quarantine?
    held: bool = False


def verdict(job: Job, run: Run, terms: Terms, at: int, *, settle_ms: float = 0.0) -> Ending:
    """What becomes of a running job; `at` is the time now, `settle_ms` what passed since the report.

    Tried again is what may pass: a worker or a storage that was lost. What the image or the pipeline
    is at fault for, and what took too long, would end the same way again.
    """
    outcome = run.report.outcome
    if outcome is Outcome.SUCCEEDED:
        return _end(job, run, State.SUCCEEDED, at, settle_ms)
    if outcome is Outcome.KILLED and run.drained:
        return _again(DRAINED, at, drained=True)
    if outcome is Outcome.INTERRUPTED:
        failures = _times(job, INTERRUPTED) + 1
        if failures < terms.policy.max_interrupted:
            return _again(INTERRUPTED, at, pause_s=terms.backoff.pause(failures))
    if outcome in {Outcome.CRASHED, Outcome.KILLED} and not terms.held:
        failures = _times(job, CRASHED) + 1
        if failures < job.max_attempts:
            return _again(CRASHED, at, pause_s=terms.backoff.pause(failures))
    return _end(job, run, State.FAILED, at, settle_ms)


def _again(outcome: str, at: int, *, pause_s: float = 0, drained: bool = False) -> Ending:
    not_before = at + round(pause_s * 1000) if pause_s else None
    return Ending(state=State.QUEUED, outcome=outcome, at=at, not_before=not_before, drained=drained)


def _end(job: Job, run: Run, state: State, at: int, settle_ms: float) -> Ending:
    report = run.report
    upload_ms = job.timings.upload_ms
    timings = job.timings.model_copy(
        update={
            "queue_ms": run.queue_ms,
            "run_ms": round(run.run_ms, 3),
            "total_ms": round((upload_ms or 0.0) + run.queue_ms + run.run_ms + settle_ms, 3),
            "cpu_ms": report.cpu_ms,
            "peak_memory_bytes": report.peak_memory_bytes,
            "memory_method": report.memory_method,
            "steps": report.steps,
            "lane": run.lane,
            "pid": report.pid,
        }
    )
    error = report.problem if state is State.FAILED else None
    if state is State.FAILED and error is None:
        error = Problem(code=InternalError.code, detail="the worker did not say why it failed")
    return Ending(
        state=state,
        outcome=CRASHED if report.outcome in {Outcome.CRASHED, Outcome.KILLED} else state,
        at=at,
        results=report.results if state is State.SUCCEEDED else (),
        error=error,
        warnings=report.warnings,
        timings=timings,
    )


def _times(job: Job, outcome: str) -> int:
    """How often a start of this job has ended so."""
    return sum(1 for attempt in job.history if attempt.outcome == outcome)
