"""The shapes of all documents, for OpenAPI and for the tests that hold the documents to them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema

from imgsvc.dispatch import LaneState
from imgsvc.jobs import Priority, State

Time = Annotated[
    str, Field(description="RFC 3339, UTC, with milliseconds.", examples=["2026-11-23T08:39:35.120Z"])
]
Size = Annotated[tuple[int, int], Field(description="Width and height in pixels.", examples=[[300, 200]])]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FaultShape(_Shape):
    """One thing that is wrong, and what would be right."""

    detail: str
    pointer: str | None = Field(None, description="JSON pointer into the JSON form of what was sent.")
    offset: int | None = Field(None, description="Where in the text form the fault is, in characters.")
    allowed: list[str | int | float] | str | None = None


class ProblemShape(_Shape):
    """An error (RFC 9457)."""

    type: str = Field(examples=["/problems/invalid-operation"])
    title: str
    status: int
    detail: str
    code: str = Field(examples=["invalid-operation"])
    request_id: str | None = None
    output: str | None = Field(None, description="The output at fault, where there are several.")
    errors: list[FaultShape] = []
    limit: float | None = None
    actual: float | None = None
    supported: list[str] = []


class JobImageShape(_Shape):
    """The image that a job works on, and the name under which it was sent."""

    id: str
    filename: str | None
    content_type: str
    bytes: int
    width: int = Field(description="As displayed, EXIF orientation applied.")
    height: int
    sha256: str


class OutputShape(_Shape):
    """A wanted result."""

    name: str
    spec: str = Field(
        description="The pipeline's canonical text.", examples=["resize:300x200,fit=cover/webp"]
    )


class ResultShape(_Shape):
    """A result that is there."""

    name: str
    content_type: str
    bytes: int
    width: int
    height: int
    etag: str
    url: str


class QueueShape(_Shape):
    """Where a queued job stands; null once it runs."""

    position: int | None = Field(description="From 1.")
    estimated_wait_ms: float | None


class ProgressShape(_Shape):
    """How many of a job's steps are done."""

    done: int
    total: int
    current: str | None = Field(description="What the worker is doing this moment.")


class StepShape(_Shape):
    """One timed step; `output` is null for the decode that all outputs share."""

    output: str | None
    op: str
    wall_ms: float
    cpu_ms: float
    before: Size | None = Field(alias="in")
    after: Size | None = Field(alias="out")


class WorkerShape(_Shape):
    """Who did it."""

    lane: int | None
    pid: int | None


class TimingsShape(_Shape):
    """Where the time went."""

    upload_ms: float | None
    queue_ms: float | None
    run_ms: float | None
    total_ms: float | None = Field(description="Upload, queue, run and settling.")
    cpu_ms: float | None
    peak_memory_bytes: int | None
    memory_method: str | None
    steps: list[StepShape]
    worker: WorkerShape | None


class AttemptShape(_Shape):
    """One start of a job."""

    attempt: int
    started_at: Time
    ended_at: Time | None
    outcome: str | None
    lane: int | None


class JobLinksShape(_Shape):
    """Where to go from a job."""

    self: str
    result: str = Field(description="The result; of several outputs, all of them as a ZIP file.")
    image: str


class JobShape(_Shape):
    """A job: these pipelines will be run on this image."""

    id: str
    status: State
    priority: Priority
    reference: str | None
    batch: str | None
    retry_of: str | None
    attempts: int = Field(description="Starts so far.")
    max_attempts: int
    timeout_ms: int
    not_before: Time | None
    created_at: Time
    started_at: Time | None
    finished_at: Time | None
    expires_at: Time | None
    image: JobImageShape
    outputs: list[OutputShape]
    results: list[ResultShape]
    queue: QueueShape
    progress: ProgressShape
    timings: TimingsShape
    history: list[AttemptShape]
    warnings: list[str]
    error: ProblemShape | None
    links: JobLinksShape


class JobListShape(_Shape):
    """Jobs, newest first."""

    items: list[JobShape]
    next_cursor: str | None


class ImageLinksShape(_Shape):
    """Where to go from an image."""

    self: str
    content: str


class ImageShape(_Shape):
    """A stored image."""

    id: str
    format: str
    content_type: str
    width: int = Field(description="As displayed, EXIF orientation applied.")
    height: int
    frames: int
    bytes: int
    sha256: str
    has_alpha: bool
    created_at: Time
    expires_at: Time | None
    links: ImageLinksShape


class ImageListShape(_Shape):
    """Images, newest first."""

    items: list[ImageShape]
    next_cursor: str | None


class CanceledShape(_Shape):
    """How many jobs were canceled."""

    canceled: int


class PausedShape(_Shape):
    """Is the queue paused?"""

    paused: bool


class WordShape(BaseModel):
    """An operation or a format."""

    name: str
    description: str
    json_schema: dict[str, Any] = Field(alias="schema", description="JSON Schema of its JSON form.")
    example: str


class OperationsShape(_Shape):
    """The whole vocabulary."""

    operations: list[WordShape]
    formats: list[WordShape]


class ExplainedStepShape(_Shape):
    """One operation and the sizes around it; null without a size to start from."""

    op: str
    before: Size | None = Field(alias="in")
    after: Size | None = Field(alias="out")


class ExplainedShape(_Shape):
    """What a pipeline was understood as."""

    spec: str = Field(description="The canonical text.")
    operations: list[dict[str, Any]] = Field(description="The JSON form.")
    steps: list[ExplainedStepShape]


class VersionShape(BaseModel):
    """What runs here."""

    name: str
    version: str
    python: str
    pillow: str


class MeaningShape(_Shape):
    """What a problem means."""

    type: str
    code: str
    status: int
    title: str
    description: str


class LaneRestartShape(_Shape):
    """Why and when a lane's process was last replaced."""

    reason: str
    at: Time


class LaneShape(_Shape):
    """One worker process."""

    lane: int
    pid: int | None
    state: LaneState
    job: str | None = Field(description="The job that it runs; null also for a synchronous call.")
    step: str | None
    rss_bytes: int | None
    tasks: int
    restarts: int
    last_restart: LaneRestartShape | None


class WorkersShape(_Shape):
    """Lanes, and the desk that reads headers."""

    lanes: list[LaneShape]
    desk: LaneShape


class DurationsShape(_Shape):
    """Milliseconds; percentiles are from fixed buckets."""

    mean: float
    p50: float
    p95: float
    p99: float


class OperationStatsShape(_Shape):
    """One operation since the start of this server."""

    count: int
    errors: int
    wall_ms: DurationsShape
    cpu_ms: DurationsShape


class BacklogShape(_Shape):
    """What waits."""

    depth: int
    running: int
    bytes: int
    oldest_age_ms: float | None
    paused: bool
    limit: int
    limit_bytes: int
    batches: list[dict[str, Any]] | None = Field(description="Not built yet.")


class StorageShape(_Shape):
    """Room on the disk."""

    free_bytes: int | None
    reserve_bytes: int


class StatsShape(_Shape):
    """The service in numbers."""

    queue: BacklogShape
    operations: dict[str, OperationStatsShape]
    jobs: dict[State, int] = Field(description="As recorded now.")
    totals: dict[str, Any] = Field(description="Since the start of this server.")
    storage: StorageShape
    uptime_s: float


class LiveShape(_Shape):
    """The event loop turns."""

    status: str


class ReadyShape(_Shape):
    """Work is taken."""

    status: str
    reasons: list[str]
    degraded: list[str] = Field(description="What is not as it should be, and does not stop the service.")


#: The shapes by the names that OpenAPI shows; those without a fixed form are said there.
SHAPES: dict[str, type[BaseModel]] = {
    cls.__name__.removesuffix("Shape"): cls
    for cls in (
        ProblemShape,
        JobShape,
        JobListShape,
        ImageShape,
        ImageListShape,
        CanceledShape,
        PausedShape,
        OperationsShape,
        ExplainedShape,
        StatsShape,
        WorkersShape,
        VersionShape,
        MeaningShape,
        LiveShape,
        ReadyShape,
    )
}


def components() -> dict[str, Any]:
    """All of them as JSON Schema, by name."""
    _, schema = models_json_schema(
        [(cls, "validation") for cls in SHAPES.values()], ref_template="#/components/schemas/{model}"
    )
    named: dict[str, Any] = {
        name.removesuffix("Shape"): _renamed(found) for name, found in schema["$defs"].items()
    }
    return named


def _renamed(value: Any) -> Any:  # noqa: ANN401  # any JSON
    """References without the suffix of our class names."""
    if isinstance(value, dict):
        return {
            key: inner.removesuffix("Shape")
            if isinstance(inner, str) and key in {"$ref", "title"}
            else _renamed(inner)
            for key, inner in value.items()
        }
    return [_renamed(inner) for inner in value] if isinstance(value, list) else value
