"""A job's life: frozen values, and the table of what may become of them."""

from __future__ import annotations

import re
from enum import StrEnum
from secrets import token_hex
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict
from uuid_utils import uuid7

from imgsvc.errors import Problem

#: An output's name is part of URLs and file names.
OUTPUT_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
LONGEST_OUTPUT_NAME = 64
OUTPUT_NAME_RULE = "1 to 64 letters, digits, '_', '-' and '.', not '-' or '.' first"
#: How the blob keys of answers begin.
ANSWERS = "answers/"


def new_id(prefix: str) -> str:
    """A new id such as `job_01a2078f8902711898b1f94c2f219ecb`: UUIDv7, so ids sort by time."""
    return f"{prefix}_{uuid7().hex}"


def image_id(sha256: str) -> str:
    """The id of the image with this content."""
    return f"img_{sha256[:32]}"


def image_key(image: str) -> str:
    """A fresh blob key for an image's bytes: it carries the image's id, and no two calls give the same."""
    digest = image.removeprefix("img_")
    return f"images/{digest[:2]}/{digest[2:4]}/{digest}-{token_hex(4)}"


def result_key(job: str, attempt: int, number: int) -> str:
    """The blob key for the result `number` of one attempt of a job: no other attempt writes there.

    The folders come from the id's last digits, which are random: the first ones are the time.
    """
    return f"results/{job[-4:-2]}/{job[-2:]}/{job}-{attempt}-{number}"


def answer_key() -> str:
    """A fresh blob key for an answer that is a picture: kept for whoever repeats its request."""
    name = uuid7().hex
    return f"{ANSWERS}{name[-4:-2]}/{name[-2:]}/{name}"


def owner(key: str) -> str | None:
    """The id of the image or job that a blob was written for; None for a key of another shape."""
    room, _, rest = key.partition("/")
    name, dash, _ = rest.rpartition("/")[2].partition("-")
    if not dash or room not in {"images", "results"}:
        return None
    return f"img_{name}" if room == "images" else name


class ImpossibleTransition(ValueError):
    """A change of state that the table does not have: a bug of ours, never the caller's."""


class State(StrEnum):
    """Where a job is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def ended(self) -> bool:
        """Is this the end of the job's life?"""
        return not TRANSITIONS[self]


#: What may follow what; a change that is not in the table is refused.
TRANSITIONS = MappingProxyType(
    {
        # claimed by a lane · quarantined or source gone · canceled
        State.QUEUED: frozenset({State.RUNNING, State.FAILED, State.CANCELED}),
        # its end · canceled · one more try after a crash, a drain or a recovery
        State.RUNNING: frozenset({State.SUCCEEDED, State.FAILED, State.CANCELED, State.QUEUED}),
        State.SUCCEEDED: frozenset[State](),
        State.FAILED: frozenset[State](),
        State.CANCELED: frozenset[State](),
    }
)


class Priority(StrEnum):
    """How soon a job should run; the order of the members is the order of service."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"

    @property
    def classes(self) -> int:
        """How many classes above `low` this is."""
        return {Priority.HIGH: 2, Priority.NORMAL: 1, Priority.LOW: 0}[self]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class Image(_Value):
    """Stored source bytes, addressed by content."""

    #: `img_` and the first 128 bits of `sha256`, in hex.
    id: str
    #: Of a file of the folder of sources, which no record has, it is the BLAKE3 instead.
    sha256: str
    #: Where the bytes are in the storage; carries its writer's id.
    key: str
    bytes: int
    format: str
    content_type: str
    width: int
    height: int
    frames: int
    has_alpha: bool
    #: Times are milliseconds since the epoch, UTC.
    created_at: int
    #: Kept for its own sake (`POST /v1/images`); else it goes with the last of the jobs that have it.
    kept: bool = False
    #: When an image that is kept goes by itself; None: only when it is deleted (`IMAGE_RETENTION`).
    expires_at: int | None = None


class Output(_Value):
    """One wanted result: its name and its pipeline's canonical text."""

    name: str
    spec: str
    #: The picture that it is one size and format of (an output with `widths`), None for one by itself.
    picture: str | None = None


class Result(_Value):
    """One result that is there."""

    name: str
    key: str
    content_type: str
    bytes: int
    width: int
    height: int
    frames: int
    sha256: str


class Step(_Value):
    """One timed step of a run; `output` is None for the decode that all outputs share."""

    output: str | None
    op: str
    wall_ms: float
    cpu_ms: float
    before: tuple[int, int] | None
    after: tuple[int, int] | None
    #: What was found on the way: `quality 71`.
    note: str | None = None


class Timings(_Value):
    """Where a job's time went, in milliseconds."""

    upload_ms: float | None = None
    queue_ms: float | None = None
    run_ms: float | None = None
    total_ms: float | None = None
    cpu_ms: float | None = None
    peak_memory_bytes: int | None = None
    memory_method: str | None = None
    steps: tuple[Step, ...] = ()
    lane: int | None = None
    pid: int | None = None


class Attempt(_Value):
    """One start of a job."""

    attempt: int
    started_at: int
    ended_at: int | None = None
    #: How it ended: a state, or `crashed`, `lost` (with the server), `drained`, `interrupted`.
    outcome: str | None = None
    lane: int | None = None


class Job(_Value):
    """A promise: these pipelines will be run on this image, each giving one named result."""

    # A misspelt field in `evolve` must not pass unseen.
    model_config = ConfigDict(extra="forbid")

    id: str
    state: State
    priority: Priority = Priority.NORMAL
    reference: str | None = None
    batch: str | None = None
    retry_of: str | None = None
    #: Starts so far.
    attempts: int = 0
    max_attempts: int
    #: Starts that ended with the server (kill -9), not by the job's own doing.
    lost: int = 0
    #: Starts given back by a drain; they cost nothing.
    drained: int = 0
    timeout_ms: int
    #: Not claimed before this time (milliseconds since the epoch).
    not_before: int | None = None
    #: Seconds that the job and its results are kept after its end.
    retention_s: float
    created_at: int
    started_at: int | None = None
    finished_at: int | None = None
    expires_at: int | None = None
    #: The source's id, and the name under which the client sent it.
    image: Image
    filename: str | None = None
    outputs: tuple[Output, ...]
    results: tuple[Result, ...] = ()
    timings: Timings = Timings()
    history: tuple[Attempt, ...] = ()
    warnings: tuple[str, ...] = ()
    error: Problem | None = None

    def evolve(self, **changes: object) -> Job:
        """The job with some fields changed; this one stays as it is.

        Raises ImpossibleTransition for a change of state that `TRANSITIONS` does not have, and
        ValidationError (a ValueError) for an unknown field or a value that does not fit.
        """
        after = State(str(changes.get("state", self.state)))
        if after is not self.state and after not in TRANSITIONS[self.state]:
            raise ImpossibleTransition(f"a {self.state} job can't become {after}")
        return Job.model_validate({**self.__dict__, **changes})
