"""Task to report: what every worker does, wherever it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from imgsvc.errors import Problem
from imgsvc.imaging.limits import Limits
from imgsvc.jobs import Result, Step


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class Target(_Value):
    """One output of a task: a pipeline's canonical text, and the key for its result."""

    name: str
    spec: str
    key: str


class Task(_Value):
    """What a worker is asked to do: keys and text, never pixels, never host paths."""

    #: The URL of the storage that `source` and the targets' keys belong to.
    storage: str
    #: The key of the source image.
    source: str
    targets: tuple[Target, ...]
    limits: Limits
    #: Keys of other images that operations read, by image id.
    images: dict[str, str] = {}


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


class Report(_Value):
    """What a task came to: JSON-able; `run` gives it as a plain dict."""

    outcome: Outcome
    results: tuple[Result, ...] = ()
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


#: Told the name of each step as it begins ("decode", "thumb: resize", …).
Progress = Callable[[str], None]


def run(task: Mapping[str, Any], progress: Progress | None = None) -> dict[str, Any]:
    """Do a task given as a plain dict and answer a report as a plain dict; never raises."""
    raise NotImplementedError
