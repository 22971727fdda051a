"""The shapes of what an operator sees."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from imgsvc.api.schemas.batches import TopBatchShape
from imgsvc.api.schemas.shape import Shape, Time
from imgsvc.dispatch import LaneState
from imgsvc.jobs import Priority, State


class PausedShape(Shape):
    """Is the queue paused?"""

    paused: bool


class PurgedShape(Shape):
    """What was removed."""

    image: str
    purged: int = Field(description="Pictures that were made on the fly, and are gone.")


class LaneRestartShape(Shape):
    """Why and when a lane's process was last replaced."""

    reason: str
    at: Time


class LaneShape(Shape):
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


class HeldShape(Shape):
    """Work that is refused without a try, for it has lost its workers."""

    image: str
    specs: list[str] = Field(description="What was made of it, as canonical texts.")
    losses: int
    left_ms: float = Field(description="Until it may be tried again.")


class WorkersShape(Shape):
    """Lanes, and the desk that reads headers."""

    lanes: list[LaneShape]
    desk: LaneShape
    quarantine: list[HeldShape] = Field(description="The latest 100.")


class DurationsShape(Shape):
    """Milliseconds; percentiles are from fixed buckets."""

    mean: float
    p50: float
    p95: float
    p99: float


class OperationStatsShape(Shape):
    """One operation since the start of this server."""

    count: int
    errors: int
    wall_ms: DurationsShape
    cpu_ms: DurationsShape


class BacklogShape(Shape):
    """What waits."""

    depth: int
    by_priority: dict[Priority, int] = Field(description="The depth by priority.")
    running: int
    bytes: int
    oldest_age_ms: float | None
    paused: bool
    limit: int
    limit_bytes: int
    top_batches: list[TopBatchShape] = Field(description="Those with most queued jobs, at most five.")


class UploadsShape(Shape):
    """Bodies on their way in, synchronous calls with their work among them."""

    active: int
    waiting: int = Field(description="Their bodies are not read yet.")
    limit: int


class StorageShape(Shape):
    """What is stored, and the room for more."""

    result_bytes: int = Field(description="Of all results.")
    result_limit_bytes: int | None = Field(
        description="Past it the results that ended first go before their time; null: no cap."
    )
    image_bytes: int = Field(description="Of all stored images.")
    free_bytes: int | None
    reserve_bytes: int


class CacheShape(Shape):
    """Renders since the start, and what is cached of them."""

    hits: int
    misses: int
    shared: int = Field(description="Requests that waited for the task of another one.")
    spared: int = Field(description="Requests that a failure of a moment ago has answered.")
    evictions: int
    broken: int = Field(description="Cached files that were gone, or not what they should have been.")
    entries: int
    bytes: int
    limit_bytes: int


class MastersShape(Shape):
    """Reduced masters since the start, and what is kept of them."""

    hits: int = Field(description="Renders that found theirs.")
    misses: int = Field(description="Renders that decoded the original for theirs.")
    filled: int = Field(description="Masters that were made in a lane's idle time.")
    evictions: int
    broken: int = Field(description="Files that were gone, or not what they should have been.")
    entries: int
    bytes: int
    limit_bytes: int


class StatsShape(Shape):
    """The service in numbers."""

    queue: BacklogShape
    uploads: UploadsShape
    operations: dict[str, OperationStatsShape]
    jobs: dict[State, int] = Field(description="As recorded now.")
    totals: dict[str, Any] = Field(description="Since the start of this server.")
    storage: StorageShape
    cache: CacheShape
    masters: MastersShape
    uptime_s: float


class VersionShape(BaseModel):
    """What runs here."""

    name: str
    version: str
    python: str
    pillow: str


class LiveShape(Shape):
    """The event loop turns."""

    status: str


class ReadyShape(Shape):
    """Work is taken."""

    status: str
    reasons: list[str]
    degraded: list[str] = Field(description="What is not as it should be, and does not stop the service.")
