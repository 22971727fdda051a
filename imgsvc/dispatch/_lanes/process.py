"""A worker process as a lane sees it, and the watch that is kept over it."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from enum import Enum, auto
from typing import Protocol

from imgsvc.dispatch._lanes.board import Board

#: Seconds in which a process must be gone after SIGKILL; one in an uninterruptible wait may stay.
PATIENCE_S = 5.0
#: How often a process that is about to be gone is looked at.
_GLANCE_S = 0.002

_log = logging.getLogger(__name__)


class Process(Protocol):
    """One worker process and its way in; nothing here blocks but `join`."""

    pid: int
    #: A file that becomes readable when the process ends.
    sentinel: int
    board: Board
    #: Resolves when the process takes tasks.
    ready: Future[int]

    def seal(self) -> None:
        """Called once `ready` has resolved: close what only the start needed."""

    def submit(self, task: bytes, cpu_s: float) -> Future[int]:
        """Hand over a task, which is answered by the length of what is on the board, or `child.FAILED`.

        Raises RuntimeError when the process is known to be gone, ValueError for a task that is too long.
        """

    def kill(self) -> None:
        """Send SIGKILL; a process that has ended is no error."""

    @property
    def exitcode(self) -> int | None:
        """As in multiprocessing: minus the signal that ended it; None while it runs."""

    def close(self) -> None:
        """Let go of the process, which has ended or is given up."""

    def join(self, seconds: float) -> None:
        """Wait until what served the process in here has ended too."""


class End(Enum):
    """How a call came to its end."""

    ANSWERED = auto()
    DEADLINE = auto()
    KILLED = auto()
    DIED = auto()


class Watch:
    """A process, watched by the event loop: at most one call at a time, and its end noticed at once."""

    def __init__(self, process: Process) -> None:
        self.process = process
        #: Called when the process ends while it is watched and idle; belongs to whoever has the process.
        self.died: Callable[[Watch], None] = _nobody_minds
        #: Resolves with the exit code when the process is gone; None until it is to go.
        self.ending: asyncio.Task[int | None] | None = None
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._call: asyncio.Future[End] | None = None
        self._dead = False
        self._loop.add_reader(process.sentinel, self._on_death)

    def __repr__(self) -> str:
        return f"<Watch pid={self.process.pid}{' dead' if self._dead else ''}>"

    @property
    def alive(self) -> bool:
        """Has nothing been heard of its death?"""
        return not self._dead

    async def call(self, result: Future[int], timeout: float) -> End:
        """Wait for a call that was made on the process, at most `timeout` seconds.

        The process still runs after DEADLINE and after a cancellation: end it.
        """
        self._call = self._loop.create_future()
        result.add_done_callback(self._on_result)
        alarm = self._loop.call_later(timeout, self._settle, End.DEADLINE)
        if self._dead:
            self._settle(End.DIED)
        try:
            return await self._call
        finally:
            alarm.cancel()
            self._call = None

    def kill(self) -> None:
        """End the process; a call that is under way ends as KILLED."""
        self._settle(End.KILLED)
        if not self._dead:
            self.process.kill()

    async def gone(self, patience_s: float = PATIENCE_S) -> int | None:
        """Kill the process and wait for its exit code; None: it survives SIGKILL and is given up."""
        if not self._dead:
            self.process.kill()
        deadline = self._loop.time() + patience_s
        while (code := self.process.exitcode) is None and self._loop.time() < deadline:  # noqa: ASYNC110  # see below
            await asyncio.sleep(_GLANCE_S)  # the sentinel tells a moment before there is an exit code
        if code is None:
            _log.error("worker process %d survives SIGKILL and is left behind", self.process.pid)
        return code

    def close(self) -> None:
        """Stop watching and let go of the process."""
        self._unwatch()
        self.process.close()

    def _on_result(self, result: Future[int]) -> None:
        """Called on a thread of the executor's, or at once on the loop's."""
        error = result.exception()
        # A broken executor means a dead process, which the sentinel tells sooner and more exactly.
        end = End.ANSWERED if error is None else End.DIED
        if threading.get_ident() == self._thread:
            self._settle(end)
            return
        try:
            self._loop.call_soon_threadsafe(self._settle_call, self._call, end)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return

    def _settle_call(self, call: asyncio.Future[End] | None, end: End) -> None:
        if call is not None and call is self._call:
            self._settle(end)

    def _settle(self, end: End) -> None:
        if self._call is not None and not self._call.done():
            self._call.set_result(end)

    def _on_death(self) -> None:
        self._unwatch()
        if self._call is not None:
            self._settle(End.DIED)
        else:
            self.died(self)

    def _unwatch(self) -> None:
        if not self._dead:
            self._dead = True
            self._loop.remove_reader(self.process.sentinel)


def _nobody_minds(watch: Watch) -> None:
    """What a process that belongs to nobody yet is to nobody."""


def cause(code: int | None) -> str:
    """An exit code in words."""
    if code is None:
        return "it survives SIGKILL"
    if code < 0:
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"
    return f"exit code {code}"
