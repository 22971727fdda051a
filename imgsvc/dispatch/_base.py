"""What a dispatcher is: lanes that run one task each, and a desk that reads headers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from imgsvc.imaging.facts import Facts
from imgsvc.imaging.limits import Limits
from imgsvc.worker import Report, Task


@dataclass(frozen=True, slots=True)
class Resources:
    """What a dispatcher may use; its URL's own options come on top."""

    #: Lanes, which is tasks in flight.
    lanes: int = 2
    #: Address space that a worker may use, in bytes (None: no limit).
    memory: int | None = 1536 * 1024 * 1024
    #: Seconds that the desk may take over a header.
    desk_timeout: float = 2.0
    #: Seconds that a header may wait for the desk in all: ten that stall in a row, with their replacements.
    desk_patience: float = 30.0
    #: Processes that are up beside those of the lanes, to take the place of one that is killed.
    spares: int = 1
    #: Tasks after which a lane's process is replaced, so that what leaks stays small.
    tasks_per_process: int = 1000
    #: Resident bytes after a task beyond which it is replaced too.
    worn_rss: int = 384 * 1024 * 1024
    #: A local folder for the small files that lanes map; nothing is left in it.
    scratch: Path = Path("/tmp")  # noqa: S108  # a fallback for programs without a data directory


class CannotStart(Exception):
    """No worker process comes up; `str(error)` says why, for the operator's eyes."""


class LaneState(StrEnum):
    """What a lane is doing."""

    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Restart:
    """Why and when a lane's process was last replaced."""

    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class LaneInfo:
    """A lane as an operator sees it; `step` is what its worker is doing this moment."""

    lane: int
    pid: int | None
    state: LaneState
    step: str | None
    rss_bytes: int | None
    tasks: int
    restarts: int
    last_restart: Restart | None


class Slot(Protocol):
    """The right to run one task at a time on one lane, until it is released."""

    #: The lane's number, from 1.
    lane: int

    @property
    def pid(self) -> int | None:
        """The pid of the process that will run the task, where there is one."""

    async def run(self, task: Task, timeout: float) -> Report:
        """Run a task to its end, at most `timeout` seconds; never raises for the task's fault.

        A crash, a deadline and a kill are outcomes of the report (`problem` set, naming the step
        where it is known). When a report is there, nothing of the task runs any more and, where the
        dispatcher `isolates`, its process has been replaced or is being replaced.
        Cancelling this call kills the task.
        """

    def step(self) -> str | None:
        """What the worker is doing this moment: "decode", "thumb: resize", …"""

    def kill(self) -> None:
        """End the running task now; `run` then reports KILLED. Nothing happens without one."""

    def release(self) -> None:
        """Give the lane back; the slot is of no use afterwards."""


class Dispatcher(Protocol):
    """Runs tasks, at most one per lane at a time. Start and use it on one event loop."""

    #: Does a crash, a hang or a memory bomb in one task leave its neighbours unharmed?
    isolates: bool

    async def start(self) -> None:
        """Bring up the lanes and the desk; returns when at least one lane takes tasks.

        Raises CannotStart.
        """

    async def stop(self) -> None:
        """Kill what runs and leave no process behind; safe to call twice."""

    async def acquire(self) -> Slot:
        """Wait for an idle lane and take it; waiters are served in order. Cancellable."""

    async def probe(self, path: Path, limits: Limits) -> Facts:
        """Read a local file's header on the desk, never behind a task.

        Raises the ImageRefused errors of `imaging.probe`; ImageTooComplex when the desk computes for
        longer than its deadline (2 s), ImageCorrupt when the header crashes it, QueueTimeout when it
        stalls on a machine that has no time for it.
        """

    def lanes(self) -> Sequence[LaneInfo]:
        """Every lane, as it is now."""

    def desk(self) -> LaneInfo:
        """The desk, as it is now."""
