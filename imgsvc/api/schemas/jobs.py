"""The shapes of jobs."""

from __future__ import annotations

from pydantic import Field

from imgsvc.api.schemas.problems import ProblemShape
from imgsvc.api.schemas.shape import Shape, Size, Time
from imgsvc.jobs import Priority, State


class JobImageShape(Shape):
    """The image that a job works on, and the name under which it was sent."""

    id: str
    filename: str | None
    content_type: str
    bytes: int
    width: int | None = Field(
        description="As displayed, EXIF orientation applied; null for a file that was no picture."
    )
    height: int | None
    sha256: str


class OutputShape(Shape):
    """A wanted result."""

    name: str
    spec: str = Field(
        description="The pipeline's canonical text.", examples=["resize:300x200,fit=cover/webp"]
    )


class ResultShape(Shape):
    """A result that is there."""

    name: str
    content_type: str
    bytes: int
    width: int
    height: int
    etag: str
    url: str


class SourceShape(Shape):
    """One format of a picture, as a `<source>` offers it."""

    type: str = Field(examples=["image/webp"])
    srcset: str = Field(description="A link and its true width for each size, rising.")


class PictureShape(Shape):
    """An output with `widths` or `formats`, ready for a page."""

    name: str = Field(description="The output's name.")
    html: str = Field(
        description="A `<picture>` with everything below; `alt` and `sizes` are yours to fill in."
    )
    src: str = Field(description="The largest result that every browser shows.")
    sources: list[SourceShape] = Field(
        description="In the order in which they are offered; `<img>` has the last."
    )
    width: int = Field(description="Of the largest result.")
    height: int


class QueueShape(Shape):
    """Where a queued job stands; null once it runs."""

    position: int | None = Field(description="From 1.")
    estimated_wait_ms: float | None


class ProgressShape(Shape):
    """How many of a job's steps are done."""

    done: int
    total: int
    current: str | None = Field(description="What the worker is doing this moment.")


class StepShape(Shape):
    """One timed step; `output` is null for the decode that all outputs share."""

    output: str | None
    op: str
    wall_ms: float
    cpu_ms: float
    before: Size | None = Field(alias="in")
    after: Size | None = Field(alias="out")


class WorkerShape(Shape):
    """Who did it."""

    lane: int | None
    pid: int | None


class TimingsShape(Shape):
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


class AttemptShape(Shape):
    """One start of a job."""

    attempt: int
    started_at: Time
    ended_at: Time | None
    outcome: str | None
    lane: int | None


class JobLinksShape(Shape):
    """Where to go from a job."""

    self: str
    result: str = Field(description="The result; of several outputs, all of them as a ZIP file.")
    image: str


class JobShape(Shape):
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
    expires_at: Time | None = Field(
        description="When it goes with its results; sooner only where all results are over their cap."
    )
    image: JobImageShape
    outputs: list[OutputShape]
    results: list[ResultShape]
    pictures: list[PictureShape] = Field(
        description="Outputs with `widths` or `formats`, once their results are there; links begin with "
        "`PUBLIC_URL` where it is set."
    )
    queue: QueueShape
    progress: ProgressShape
    timings: TimingsShape
    history: list[AttemptShape]
    warnings: list[str]
    error: ProblemShape | None
    links: JobLinksShape


class JobListShape(Shape):
    """Jobs, newest first."""

    items: list[JobShape]
    next_cursor: str | None


class CanceledShape(Shape):
    """How many jobs were canceled."""

    canceled: int
