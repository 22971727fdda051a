"""The documents that callers get: jobs and images as plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from imgsvc import formats
from imgsvc.api import problems
from imgsvc.api.pictures import pictures
from imgsvc.batches import Batch, Failure
from imgsvc.jobs import Attempt, Image, Job, Result, State, Step, Timings

#: What every document is: JSON as orjson takes it.
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Now:
    """What is true of a job only this moment."""

    #: Its place in the line, from 1, and what the wait is guessed at; None unless it is queued.
    position: int | None = None
    estimated_wait_ms: float | None = None
    #: What its worker is doing; None unless it runs.
    step: str | None = None


def time(ms: int | None) -> str | None:
    """Milliseconds since the epoch as RFC 3339 in UTC, with milliseconds."""
    if ms is None:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def duration(ms: float | None) -> float | None:
    """Milliseconds to a hundredth: finer is noise."""
    return None if ms is None else round(ms, 2)


def job(job: Job, now: Now, public_url: str | None = None) -> Document:
    """The job document (design/api.md); pages find pictures under `public_url`, where there is one."""
    done, total = progress(job, now.step)
    return {
        "id": job.id,
        "status": job.state.value,
        "priority": job.priority.value,
        "reference": job.reference,
        "batch": job.batch,
        "retry_of": job.retry_of,
        "attempts": job.attempts,
        "max_attempts": job.max_attempts,
        "timeout_ms": job.timeout_ms,
        "not_before": time(job.not_before),
        "created_at": time(job.created_at),
        "started_at": time(job.started_at),
        "finished_at": time(job.finished_at),
        "expires_at": time(job.expires_at),
        "image": {
            "id": job.image.id,
            "filename": job.filename,
            "content_type": job.image.content_type,
            "bytes": job.image.bytes,
            # A file of a batch that is no picture has none.
            "width": job.image.width or None,
            "height": job.image.height or None,
            "sha256": job.image.sha256,
        },
        "outputs": [{"name": output.name, "spec": output.spec} for output in job.outputs],
        "results": [_result(job, result) for result in job.results],
        "pictures": pictures(job, public_url),
        "queue": {"position": now.position, "estimated_wait_ms": duration(now.estimated_wait_ms)},
        "progress": {"done": done, "total": total, "current": current(now.step, len(job.outputs))},
        "timings": _timings(job.timings),
        "history": [_attempt(attempt) for attempt in job.history],
        "warnings": list(job.warnings),
        "error": None if job.error is None else problems.document(job.error),
        "links": {
            "self": path(job.id),
            "result": result_path(job, None),
            "image": f"/v1/images/{job.image.id}",
        },
    }


def image(image: Image) -> Document:
    """What is known of a stored image."""
    return {
        "id": image.id,
        "format": image.format,
        "content_type": image.content_type,
        "width": image.width,
        "height": image.height,
        "frames": image.frames,
        "bytes": image.bytes,
        "sha256": image.sha256,
        "has_alpha": image.has_alpha,
        "created_at": time(image.created_at),
        "kept": image.kept,
        "expires_at": time(image.expires_at),
        "links": {"self": image_path(image.id)}
        | {part: f"{image_path(image.id)}/{part}" for part in ("content", "info")},
    }


def info(image: Image, found: Mapping[str, Any], *, gps: bool) -> Document:
    """What an image is and what was found in it (`imaging.analysis`); its place only with `gps`."""
    facts = ("id", "format", "content_type", "width", "height", "frames", "bytes", "sha256", "has_alpha")
    path = image_path(image.id)
    return {
        **{name: getattr(image, name) for name in facts},
        **found,
        "gps": found["gps"] if gps else None,
        "links": {"self": f"{path}/info", "image": path},
    }


def batch(batch: Batch, failures: Sequence[Failure]) -> Document:
    """The batch document (design/api.md)."""
    counts = batch.counts
    jobs = f"/v1/jobs?batch={batch.id}"
    return {
        "id": batch.id,
        "status": batch.status.value,
        "name": batch.name,
        "counts": {"total": counts.total} | counts.model_dump(),
        "failures": [
            {
                "job": failure.job,
                "reference": failure.reference,
                "filename": failure.filename,
                "error": None if failure.error is None else problems.document(failure.error),
            }
            for failure in failures
        ],
        "created_at": time(batch.created_at),
        "links": {
            "self": batch_path(batch.id),
            "jobs": jobs,
            "failed": f"{jobs}&status=failed",
            "results": f"{batch_path(batch.id)}/results.zip",
        },
    }


def batch_path(batch_id: str) -> str:
    """Where a batch is."""
    return f"/v1/batches/{batch_id}"


def image_path(image_id: str) -> str:
    """Where an image is."""
    return f"/v1/images/{image_id}"


def path(job_id: str) -> str:
    """Where a job is."""
    return f"/v1/jobs/{job_id}"


def result_path(job: Job, name: str | None) -> str:
    """Where a job's result is: by name where it has several, and all of them without a name."""
    if len(job.outputs) == 1:
        return f"{path(job.id)}/result"
    return f"{path(job.id)}/results.zip" if name is None else f"{path(job.id)}/results/{name}"


def etag(sha256: str) -> str:
    """The strong entity tag of stored bytes."""
    return f'"{sha256}"'


def progress(job: Job, step: str | None) -> tuple[int, int]:
    """Steps done and steps in all: one decode, then each output's operations and its encoding."""
    planned = _planned(job)
    # Results are stored when all of them are made.
    if job.state is State.SUCCEEDED or (step is not None and step.endswith(": store")):
        return len(planned), len(planned)
    if step is None or step not in planned:
        return 0, len(planned)
    return planned.index(step), len(planned)


def current(step: str | None, outputs: int = 1) -> str | None:
    """What a worker is doing, as callers see it: the output's name only where there are several."""
    return step.rpartition(": ")[2] if step is not None and outputs == 1 else step


def server_timing(queue_ms: float | None, steps: Sequence[Step]) -> str:
    """A Server-Timing header: the wait, then every step in its order."""
    entries = [] if queue_ms is None else [f"queue;dur={_short(queue_ms)}"]
    entries += [f"{step.op}{_told(step.note)};dur={_short(step.wall_ms)}" for step in steps]
    return ", ".join(entries)


def render_timing(way: str, queue_ms: float | None, steps: Sequence[Step]) -> str:
    """A Server-Timing header of a render: whether it was kept, then what its making took."""
    made = server_timing(queue_ms, steps)
    return f'cache;desc="{way}"' + (f", {made}" if made else "")


def timing_of(job: Job, name: str | None) -> str:
    """The Server-Timing of one result of a job: what its other outputs took is left out."""
    steps = [step for step in job.timings.steps if step.output in (None, name)]
    return server_timing(job.timings.queue_ms, steps)


def _planned(job: Job) -> list[str]:
    planned = ["decode"]
    before: dict[str, list[list[str]]] = {}
    for output in job.outputs:
        chain = _chain(output.spec)
        done = before.setdefault(output.picture or output.name, [])
        # Others of the same picture differ in their last operation, or in nothing but the format.
        own = chain if not done else [] if chain in done else chain[-1:]
        done.append(chain)
        names = [word.partition(":")[0] for word in own]
        planned += [f"{output.name}: {name}" for name in (*names, "encode")]
    return planned


def _chain(spec: str) -> list[str]:
    """The operations of a canonical text, without the format."""
    words = [word for word in spec.split("/") if word]
    return words[:-1] if words and words[-1].partition(":")[0] in formats.endings() else words


def _result(job: Job, result: Result) -> Document:
    return {
        "name": result.name,
        "content_type": result.content_type,
        "bytes": result.bytes,
        "width": result.width,
        "height": result.height,
        "etag": etag(result.sha256),
        "url": result_path(job, result.name),
    }


def _timings(timings: Timings) -> Document:
    worked = timings.lane is not None or timings.pid is not None
    parts = [duration(part) for part in (timings.upload_ms, timings.queue_ms, timings.run_ms)]
    total = duration(timings.total_ms)
    if total is not None:  # also when every part was rounded up
        total = max(total, round(sum(part or 0.0 for part in parts), 2))
    return {
        **dict(zip(("upload_ms", "queue_ms", "run_ms"), parts, strict=True)),
        "total_ms": total,
        "cpu_ms": duration(timings.cpu_ms),
        "peak_memory_bytes": timings.peak_memory_bytes,
        "memory_method": timings.memory_method,
        "steps": [_step(step) for step in timings.steps],
        "worker": {"lane": timings.lane, "pid": timings.pid} if worked else None,
    }


def _step(step: Step) -> Document:
    return {
        "output": step.output,
        "op": step.op,
        "wall_ms": duration(step.wall_ms),
        "cpu_ms": duration(step.cpu_ms),
        "in": step.before,
        "out": step.after,
    }


def _attempt(attempt: Attempt) -> Document:
    return {
        "attempt": attempt.attempt,
        "started_at": time(attempt.started_at),
        "ended_at": time(attempt.ended_at),
        "outcome": attempt.outcome,
        "lane": attempt.lane,
    }


def _told(note: str | None) -> str:
    return "" if note is None else f';desc="{note}"'


def _short(ms: float) -> str:
    return f"{ms:.2f}".rstrip("0").rstrip(".")
