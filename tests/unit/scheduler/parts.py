"""Parts that a test holds in its hands: lanes whose tasks end when the test says so, and jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from imgsvc.dispatch import LaneInfo, LaneState
from imgsvc.errors import Problem
from imgsvc.imaging.facts import Facts
from imgsvc.imaging.limits import Limits
from imgsvc.jobs import Image, Job, Output, Priority, Result, State, image_id, image_key, new_id
from imgsvc.jobstore import JobStore, rank
from imgsvc.scheduler import Scheduler
from imgsvc.scheduler.clock import now
from imgsvc.worker import Outcome, Report, Target, Task

SUCCESS = Report(outcome=Outcome.SUCCEEDED)


class HandSlot:
    """One lane: the test ends its task with `lane.end(report)`."""

    def __init__(self, lanes: HandLanes, lane: int) -> None:
        self.lane = lane
        self.pid: int | None = 1000 + lane
        self.free = True
        self.task: Task | None = None
        self.timeout: float | None = None
        self.canceled = False
        self._lanes = lanes
        self._end: asyncio.Future[Report] | None = None

    async def run(self, task: Task, timeout: float) -> Report:
        self.task, self.timeout = task, timeout
        self._end = asyncio.get_running_loop().create_future()
        self._lanes.started.append(self)
        try:
            return await self._end
        except asyncio.CancelledError:
            self.canceled = True
            raise
        finally:
            self.task = None

    def end(self, report: Report | Exception = SUCCESS) -> None:
        assert self._end is not None
        if isinstance(report, Exception):
            self._end.set_exception(report)
        else:
            self._end.set_result(report)

    def succeed(self) -> None:
        """The task has written all its results."""
        assert self.task is not None
        results = tuple(
            Result(
                name=target.name,
                key=target.key,
                content_type="image/png",
                bytes=3,
                width=1,
                height=1,
                frames=1,
                sha256="0" * 64,
            )
            for target in self.task.targets
        )
        self.end(Report(outcome=Outcome.SUCCEEDED, results=results, wall_ms=5, cpu_ms=4))

    def step(self) -> str | None:
        return "decode" if self.task is not None else None

    def kill(self) -> None:
        if self._end is not None and not self._end.done():
            self._end.set_result(Report(outcome=Outcome.KILLED))

    def release(self) -> None:
        self._lanes.put_back(self)


class HandLanes:
    """A dispatcher with lanes in the hands of the test."""

    isolates = True

    def __init__(self, count: int = 1) -> None:
        self._all = [HandSlot(self, number + 1) for number in range(count)]
        self._idle: asyncio.Queue[HandSlot] = asyncio.Queue()
        for slot in self._all:
            self._idle.put_nowait(slot)
        #: Every start so far, in order.
        self.started: list[HandSlot] = []
        self.acquired = 0

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def acquire(self) -> HandSlot:
        slot = await self._idle.get()
        self.acquired += 1
        slot.free = False
        return slot

    def put_back(self, slot: HandSlot) -> None:
        assert not slot.free, "released twice"
        slot.free = True
        self._idle.put_nowait(slot)

    @property
    def idle(self) -> int:
        return self._idle.qsize()

    @property
    def busy(self) -> list[HandSlot]:
        return [slot for slot in self._all if slot.task is not None]

    async def probe(self, path: Path, limits: Limits) -> Facts:
        raise NotImplementedError

    def lanes(self) -> Sequence[LaneInfo]:
        return [LaneInfo(slot.lane, slot.pid, LaneState.IDLE, None, None, 0, 0, None) for slot in self._all]

    def desk(self) -> LaneInfo:
        return LaneInfo(0, 1, LaneState.IDLE, None, None, 0, 0, None)


def image(content: str = "1") -> Image:
    sha256 = content.rjust(64, "0")
    return Image(
        id=image_id(sha256),
        sha256=sha256,
        key=image_key(image_id(sha256)),
        bytes=10,
        format="png",
        content_type="image/png",
        width=4,
        height=3,
        frames=1,
        has_alpha=False,
        created_at=now(),
    )


def job(**changes: object) -> Job:
    values: Mapping[str, object] = {
        "id": new_id("job"),
        "state": State.QUEUED,
        "max_attempts": 3,
        "timeout_ms": 30_000,
        "retention_s": 3600,
        "created_at": now(),
        "image": image(),
        "outputs": (Output(name="default", spec="thumbnail"),),
    }
    return Job.model_validate({**values, **changes})


async def submit(store: JobStore, scheduler: Scheduler, **changes: object) -> Job:
    """A job in the store, and the scheduler told of it."""
    new = job(**changes)
    return await scheduler.added(await store.add(new, rank=rank(new.created_at, Priority.NORMAL, 60)))


def crash() -> Report:
    return Report(
        outcome=Outcome.CRASHED, problem=Problem(code="worker-crashed", detail="the worker died (SIGKILL)")
    )


def refusal() -> Report:
    return Report(
        outcome=Outcome.REFUSED, problem=Problem(code="image-corrupt", detail="the image is damaged")
    )


def task(name: str = "call") -> Task:
    """A synchronous call's task."""
    target = Target(name="default", spec="thumbnail", key=f"staging/now/{name}-result")
    return Task(storage="memory:", source=f"staging/now/{name}", targets=(target,), limits=Limits())
