"""What is asked of the service, and what it answers, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from imgsvc.batches import Batch
from imgsvc.dispatch import LaneInfo
from imgsvc.jobs import Priority, Result, State
from imgsvc.jobstore import Backlog, Stored
from imgsvc.pipeline import Pipeline, Srcset
from imgsvc.scheduler import Held
from imgsvc.service.blobs import Blob
from imgsvc.worker import Report


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A validated wish: pipelines by the names of their outputs, and how to run them.

    A `Srcset` becomes several outputs when the image is known. What is None is decided by the policy.
    `timeout_s` can only shorten the policy's.
    """

    outputs: Mapping[str, Pipeline | Srcset]
    #: None: the batch's, or normal; `retention_s` likewise.
    priority: Priority | None = None
    timeout_s: float | None = None
    retention_s: float | None = None
    reference: str | None = None
    batch: str | None = None
    max_attempts: int | None = None

    @property
    def meaning(self) -> dict[str, object]:
        """All of it as plain values, the same for two requests that mean the same.

        What is not given is left out: a field that a later version adds makes no repeat another request.
        """
        told = {field.name: getattr(self, field.name) for field in fields(self)}
        told["outputs"] = [
            (name, wanted.meaning if isinstance(wanted, Srcset) else wanted.written)
            for name, wanted in self.outputs.items()
        ]
        return {name: value for name, value in told.items() if value is not None}


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """A validated wish for a batch; what is None is decided by the policy."""

    name: str | None = None
    priority: Priority | None = None
    retention_s: float | None = None

    @property
    def meaning(self) -> dict[str, object]:
        """As `JobRequest.meaning`."""
        told = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in told.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Processed:
    """What a synchronous call came to; close `blob` when it is sent."""

    report: Report
    result: Result
    blob: Blob
    #: Milliseconds that it waited for a lane, and that the upload took.
    queue_ms: float
    upload_ms: float
    lane: int


@dataclass(frozen=True, slots=True)
class QueuePlace:
    """A queued job's place in the line, from 1, and milliseconds until it may start.

    Nobody knows how long while the queue is paused: None.
    """

    position: int
    estimated_wait_ms: float | None


@dataclass(frozen=True, slots=True)
class QueueStats:
    """What waits."""

    backlog: Backlog
    #: Queued jobs by priority.
    depths: Mapping[Priority, int]
    #: The batches with most queued jobs.
    top_batches: Sequence[Batch]
    #: Milliseconds since the oldest queued job was created.
    oldest_age_ms: int | None
    paused: bool


@dataclass(frozen=True, slots=True)
class UploadStats:
    """Bodies under way (calls with their work), those that wait to be read, and how many may be."""

    active: int
    waiting: int
    limit: int


@dataclass(frozen=True, slots=True)
class MasterStats:
    """Reduced masters since the start, and what is kept of them now."""

    #: Renders that found theirs, and that had to decode the original for it.
    hits: int
    misses: int
    #: Masters that were made in idle time.
    filled: int
    evictions: int
    #: Files that were gone, or not what they should have been.
    broken: int
    entries: int
    bytes: int
    limit: int


@dataclass(frozen=True, slots=True)
class RenderStats:
    """Renders since the start, and what is cached of them now."""

    hits: int
    misses: int
    #: Requests that waited for a task that another one had begun.
    shared: int
    #: Requests that were answered with a failure that was remembered.
    spared: int
    evictions: int
    #: Cached files that were gone, or not what they should have been.
    broken: int
    entries: int
    bytes: int
    limit: int


@dataclass(frozen=True, slots=True)
class Stats:
    """The service in numbers. What ran how long is counted by the metrics observer, not here."""

    queue: QueueStats
    uploads: UploadStats
    #: Jobs by state, as recorded now.
    jobs: Mapping[State, int]
    #: Bytes of results and images, and the cap on results (None: there is none).
    stored: Stored
    result_limit: int | None
    #: Bytes free for new blobs, where that can be told, and how many must stay free.
    free_bytes: int | None
    reserve_bytes: int
    renders: RenderStats
    masters: MasterStats
    uptime_s: float


@dataclass(frozen=True, slots=True)
class Workers:
    """Every lane with the id of the job that it runs (None: nothing, or a synchronous call), and the desk."""

    lanes: tuple[tuple[LaneInfo, str | None], ...]
    desk: LaneInfo
    #: Work that is not done for a while, for it has lost its workers.
    quarantine: tuple[Held, ...] = ()


@dataclass(frozen=True, slots=True)
class Readiness:
    """May traffic come? `reasons` say why not; `degraded` what is not well although it may."""

    ok: bool
    reasons: tuple[str, ...] = ()
    degraded: tuple[str, ...] = ()
