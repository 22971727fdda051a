"""What workers are asked to do, and what they answer: values that any wire may carry."""

from __future__ import annotations

from base64 import b64decode, b64encode
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from imgsvc import masters
from imgsvc.bugs import Bug
from imgsvc.errors import Problem
from imgsvc.imaging import Limits
from imgsvc.jobs import Result, Step


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class Kind(StrEnum):
    """What is done with a task's source."""

    #: Its targets' pipelines are run on it.
    RENDER = "render"
    #: It is looked at; the only target is what is found, as JSON.
    ANALYSE = "analyse"


class Target(_Value):
    """One output of a task: a pipeline's canonical text (`analyse` is none), and the key for its result."""

    name: str
    spec: str
    key: str
    #: `Pipeline.or_source`.
    or_source: bool = False
    #: Is the key to be stamped with what was made (`stamp`)?
    stamped: bool = False
    #: Targets of the same group are one picture in several sizes and formats.
    group: str | None = None


class Task(_Value):
    """What a worker is asked to do: keys and text, never pixels, never host paths."""

    kind: Kind = Kind.RENDER
    #: The URL of the storage that `source` and the targets' keys belong to.
    storage: str
    #: The key of the source image.
    source: str
    #: How many bytes it has, where a record says so.
    source_bytes: int | None = None
    targets: tuple[Target, ...]
    limits: Limits
    #: The reduced master that its targets are made from; None: they are made from the source itself.
    master: masters.Wanted | None = None
    #: The `Accept` of the client that waits for it, for targets whose format is `auto`.
    accept: str | None = None
    #: How many pixels an AVIF may have that `auto` chooses where something else would do; None: any number.
    avif_pixels: int | None = None
    #: Keys of other images that operations read, by image id.
    images: dict[str, str] = {}
    #: Its result, if it is one of no more bytes than this, is in the report as well as in the storage:
    #: whoever waits for it need not read it there.
    tell_bytes: int = 0


class Outcome(StrEnum):
    """How a task ended."""

    SUCCEEDED = "succeeded"
    #: The image or the pipeline is at fault; trying again is pointless.
    REFUSED = "refused"
    #: The worker died.
    CRASHED = "crashed"
    #: Killed at its deadline.
    TIMED_OUT = "timed-out"
    #: Killed on request.
    KILLED = "killed"
    #: The storage failed under it; trying again may help.
    INTERRUPTED = "interrupted"


#: Bytes that are base64 wherever they must be text.
_Told = Annotated[
    bytes,
    BeforeValidator(lambda told: b64decode(told) if isinstance(told, str) else told),
    PlainSerializer(lambda told: b64encode(told).decode(), return_type=str, when_used="json"),
]


class Report(_Value):
    """What a task came to: JSON-able; `run` gives it as a plain dict."""

    outcome: Outcome
    results: tuple[Result, ...] = ()
    #: The bytes of its only result, where they were asked for (`Task.tell_bytes`).
    told: _Told | None = Field(default=None, repr=False)
    #: The master that it has made and kept.
    master: masters.Kept | None = None
    #: Why it did not succeed.
    problem: Problem | None = None
    steps: tuple[Step, ...] = ()
    wall_ms: float = 0.0
    cpu_ms: float = 0.0
    #: The high-water mark of the worker's resident memory during the task, in bytes.
    peak_memory_bytes: int | None = None
    #: How it was measured: `vmhwm` (reset by clear_refs before the task) or None.
    memory_method: str | None = None
    warnings: tuple[str, ...] = ()
    pid: int | None = None
    #: What an internal error was, for the log only.
    bug: Bug | None = None
