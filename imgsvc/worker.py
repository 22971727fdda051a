"""Task to report: what every worker does, wherever it runs."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import BaseModel, ConfigDict

from imgsvc import masters
from imgsvc.bugs import Bug
from imgsvc.errors import (
    ImageTooLargeForMemory,
    ImgsvcError,
    InternalError,
    Problem,
    StorageUnavailable,
    Unavailable,
)
from imgsvc.imaging import Clock, CpuClock, Limits, Output, Progress, Rendered, Timed, picture
from imgsvc.imaging.analysis import Analysed, analyse
from imgsvc.imaging.render import opened_source, prepared, render_opened
from imgsvc.imaging.source import Origin
from imgsvc.jobs import Result, Step
from imgsvc.pipeline import Grammar
from imgsvc.pipeline.negotiation import Client
from imgsvc.raster.geometry import Size
from imgsvc.storage import Storage, connect

__all__ = ["Kind", "Outcome", "Progress", "Report", "Target", "Task", "judge", "run"]

#: Keys below these name what a synchronous call reads at once, or what can be made again: it need not survive
#: a power cut.
PASSING = ("staging/", "cache/", "masters/")


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


def run(task: Mapping[str, Any], progress: Progress | None = None) -> dict[str, Any]:
    """Do a task given as a plain dict and answer a report as a plain dict; never raises."""
    clock = Clock(progress)
    wall, cpu = time.perf_counter(), CpuClock()
    measured = _reset_peak()
    done = _Done()
    outcome, problem, bug = Outcome.SUCCEEDED, None, None
    try:
        done = _do(Task.model_validate(task), clock)
    except BaseException as error:  # noqa: BLE001  # an exception that crosses the process border may break the lane
        outcome, problem = judge(error)
        if problem.code == InternalError.code:
            bug = Bug.of(error, clock.last)
    report = Report(
        outcome=outcome,
        results=done.results,
        master=done.master,
        problem=problem,
        steps=tuple(_step(timed) for timed in clock.steps),
        wall_ms=(time.perf_counter() - wall) * 1000,
        cpu_ms=max(cpu.ms, sum(timed.cpu_ms for timed in clock.steps)),
        peak_memory_bytes=_peak() if measured else None,
        memory_method="vmhwm" if measured else None,
        warnings=done.warnings,
        pid=os.getpid(),
        bug=bug,
    )
    return report.model_dump(mode="json")


@dataclass(frozen=True, slots=True)
class _Done:
    """What a task has come to."""

    results: tuple[Result, ...] = ()
    warnings: tuple[str, ...] = ()
    master: masters.Kept | None = None


def _do(task: Task, clock: Clock) -> _Done:
    storage = _storage(task.storage)
    if task.kind is Kind.ANALYSE:
        return _Done(_analyse(storage, task, clock))
    targets = [
        (target.name, replace(_grammar().parse(target.spec), or_source=target.or_source))
        for target in task.targets
    ]
    images = {}
    for image, key in task.images.items():
        with storage.open(key) as file:
            images[image] = picture(file, task.limits)
    client = Client(task.accept, task.avif_pixels)
    prepare = partial(prepared, targets=targets, limits=task.limits, client=client, images=images)
    if task.master is not None:
        return _from_master(storage, task, task.master, prepare, clock)
    with _source(storage, task) as source:
        opened = opened_source(source, task.limits)
        rendered = render_opened(opened, prepare(opened), task.limits, clock, _groups(task.targets))
    return _Done(_store(storage, task.targets, rendered, clock), _warnings(rendered))


def _from_master(
    storage: Storage,
    task: Task,
    wanted: masters.Wanted,
    prepare: Callable[[Origin], Sequence[Output]],
    clock: Clock,
) -> _Done:
    """The targets from a master; one that had to be made is kept once they are stored."""
    its = masters.Masters(storage, task.limits, clock)
    rendered, made = its.render(wanted, partial(_source, storage, task), prepare)
    results = _store(storage, task.targets, rendered, clock)
    kept = its.keep(wanted.key, made) if made is not None and wanted.key is not None else None
    return _Done(results, _warnings(rendered), kept)


def _warnings(rendered: Iterable[Rendered]) -> tuple[str, ...]:
    return tuple(warning for result in rendered for warning in result.warnings)


def _source(storage: Storage, task: Task) -> BinaryIO:
    """A task's source, open."""
    source = storage.open(task.source)
    try:
        _check_size(source, task.source_bytes)
    except BaseException:
        source.close()
        raise
    return source


def _analyse(storage: Storage, task: Task, clock: Clock) -> tuple[Result, ...]:
    """What is found may be longer than a report: it is a blob like any other result."""
    (target,) = task.targets
    with _source(storage, task) as source:
        found = analyse(source, task.limits, clock, target.name)
    return _store(storage, task.targets, [found], clock)


def _groups(targets: Sequence[Target]) -> list[list[str]]:
    """The names of the targets of each group."""
    found: dict[str, list[str]] = {}
    for target in targets:
        if target.group is not None:
            found.setdefault(target.group, []).append(target.name)
    return list(found.values())


def _check_size(source: BinaryIO, expected: int | None) -> None:
    """What was cut short behind our back is our fault, not that of whoever sent the image."""
    found = source.seek(0, os.SEEK_END)
    if expected is not None and found != expected:
        raise InternalError("the stored image is damaged")


def _store(
    storage: Storage, targets: Sequence[Target], made: Sequence[Rendered | Analysed], clock: Clock
) -> tuple[Result, ...]:
    """Write the results, all or none."""
    results: list[Result] = []
    try:
        for target, each in zip(targets, made, strict=True):
            with clock.step("store", target.name):
                result = _result(target, each)
                storage.put(result.key, each.data, durable=not result.key.startswith(PASSING))
                results.append(result)
    except BaseException:
        for result in results:
            with suppress(Exception):  # what stays is swept
                storage.delete(result.key)
        raise
    return tuple(results)


def _result(target: Target, made: Rendered | Analysed) -> Result:
    digest = hashlib.sha256(made.data).hexdigest()
    return Result(
        name=target.name,
        key=stamp(target.key, digest, made.media_type, made.size) if target.stamped else target.key,
        content_type=made.media_type,
        bytes=made.data.nbytes,
        width=made.size.width,
        height=made.size.height,
        frames=made.frames,
        sha256=digest,
    )


def stamp(key: str, sha256: str, media_type: str, size: Size) -> str:
    """A key that says what is under it: the hash of the bytes, their format and the size of the picture."""
    return f"{key}-{sha256}-{media_type.rpartition('/')[2]}-{size}"


def _step(timed: Timed) -> Step:
    return Step(
        output=timed.output,
        op=timed.op,
        wall_ms=timed.wall_ms,
        cpu_ms=timed.cpu_ms,
        before=timed.before,
        after=timed.after,
        note=timed.note,
    )


def judge(error: BaseException) -> tuple[Outcome, Problem]:
    """What an exception makes of a task."""
    match error:
        case Unavailable():
            return Outcome.INTERRUPTED, error.problem
        case ImgsvcError():
            return Outcome.REFUSED, error.problem
        case FileNotFoundError():
            return Outcome.REFUSED, InternalError("the stored image is gone").problem
        case MemoryError() | OSError(errno=errno.ENOMEM):
            refusal = ImageTooLargeForMemory("the image needs more memory than a worker may use")
            return Outcome.REFUSED, refusal.problem
        case FileExistsError() | OSError(errno=int()):
            return Outcome.INTERRUPTED, StorageUnavailable("the storage failed during the work").problem
    return Outcome.REFUSED, InternalError("something went wrong inside the service").problem


@lru_cache(maxsize=4)
def _storage(url: str) -> Storage:
    """The storage, opened once per process."""
    return connect(url)


@cache
def _grammar() -> Grammar:
    """Every operation there is: the API has refused what may not be asked for."""
    return Grammar(testing=True)


def _reset_peak() -> bool:
    """Set the high-water mark to what this process uses now (proc(5), clear_refs); False: it can't be."""
    try:
        Path("/proc/self/clear_refs").write_text("5", "ascii")
    except OSError:
        return False
    return True


def _peak() -> int | None:
    """The high-water mark of resident memory since it was last set, in bytes."""
    try:
        status = Path("/proc/self/status").read_text("ascii", "replace")
    except OSError:
        return None
    found = re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else None
