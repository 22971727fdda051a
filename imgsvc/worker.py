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
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any, BinaryIO

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
from imgsvc.imaging import Clock, CpuClock, Output, Progress, Rendered, Timed, picture
from imgsvc.imaging.analysis import Analysed, analyse
from imgsvc.imaging.render import opened_source, prepared, render_opened
from imgsvc.imaging.source import Origin
from imgsvc.jobs import Result, Step
from imgsvc.pipeline import Grammar
from imgsvc.pipeline.negotiation import Client
from imgsvc.raster.geometry import Size
from imgsvc.storage import Storage, connect
from imgsvc.tasks import Kind, Outcome, Report, Target, Task

__all__ = ["Kind", "Outcome", "Progress", "Report", "Target", "Task", "judge", "run"]

#: Keys below these name what a synchronous call reads at once, or what can be made again: it need not survive
#: a power cut.
PASSING = ("staging/", "cache/", "masters/")


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
        told=done.told,
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
    told: bytes | None = None


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
    results = _store(storage, task.targets, rendered, clock)
    return _Done(results, _warnings(rendered), told=_told(task, rendered))


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
    return _Done(results, _warnings(rendered), kept, _told(task, rendered))


def _told(task: Task, rendered: Sequence[Rendered]) -> bytes | None:
    """The only result's bytes, where the report may have them."""
    if len(rendered) != 1 or rendered[0].data.nbytes > task.tell_bytes:
        return None
    return bytes(rendered[0].data)


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
