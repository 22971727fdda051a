"""Keeps one process up: a new one comes whenever the present one is gone or worn out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from imgsvc.dispatch._base import CannotStart, Restart
from imgsvc.dispatch._lanes.memory import resident
from imgsvc.dispatch._lanes.process import PATIENCE_S, Watch, cause
from imgsvc.errors import Draining

#: Seconds before another try when a process does not come up, doubled each time up to the longest.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 30.0

#: Seconds between two looks at a process's memory: each costs as much as handing over a task.
_WEIGH_EVERY_S = 1.0

_log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Terms:
    """How long a process serves, and how long one that is killed may take to go."""

    #: Tasks after which it is replaced, between two of them.
    tasks: int
    #: Resident bytes after a task beyond which it is replaced.
    rss: int
    #: Seconds after SIGKILL in which it must be gone, or it is given up.
    patience_s: float = PATIENCE_S


class Keeper:
    """One process at a time; `changed` hears of each change."""

    def __init__(
        self, name: str, fetch: Callable[[], Awaitable[Watch]], changed: Callable[[], None], terms: Terms
    ) -> None:
        """`fetch` gives a process that is up, or raises CannotStart."""
        #: Why no process came up at first; None when one did.
        self.first: asyncio.Future[CannotStart | None] = asyncio.get_running_loop().create_future()
        #: Does the present process do a task? Its user says so.
        self.busy = False
        self.stopped = False
        self.restarts = 0
        self.last_restart: Restart | None = None
        self._name = name
        self._fetch = fetch
        self._changed = changed
        self._terms = terms
        self._present: Watch | None = None
        #: Tasks that the present process has done.
        self._done = 0
        self._weighed = float("-inf")
        #: Why the present process is to be replaced, once it is.
        self._wear: str | None = None
        #: A fresh process that waits for the end of the task on the old one.
        self._fresh: Watch | None = None
        self._up = asyncio.Event()
        self._builder: asyncio.Task[None] | None = None
        #: What must be over before nothing is left of the processes that are gone.
        self._chores: set[asyncio.Task[Any]] = set()

    def __repr__(self) -> str:
        return f"<Keeper of {self._name}: {self._present}{' stopped' if self.stopped else ''}>"

    @property
    def present(self) -> Watch | None:
        """The process, while it is alive."""
        return self._present if self._present is not None and self._present.alive else None

    @property
    def fit(self) -> Watch | None:
        """The process, while it may be given work: one whose end is decided may not."""
        return self.present if self.present is not None and self.present.ending is None else None

    def start(self) -> None:
        """Bring up a process in the background."""
        self._builder = asyncio.create_task(self._build())

    async def stop(self) -> None:
        """End whatever process there is, and wait until nothing is left of it."""
        self.stopped = True
        self._up.set()
        if self._builder is not None:
            self._builder.cancel()
            await asyncio.wait([self._builder])
        for watch in (self._present, self._fresh):
            if watch is not None:
                watch.kill()
                self.end(watch, "the service stops")
        self._changed()
        while self._chores:
            await asyncio.wait(self._chores)

    async def ready(self) -> Watch:
        """The process, as soon as there is one; raises Draining once it is stopped."""
        while True:
            await self._up.wait()
            if self.stopped:
                raise Draining("the workers are being stopped")
            if self.fit is not None:
                return self.fit
            self._up.clear()

    def end(self, watch: Watch, reason: str) -> asyncio.Task[int | None]:
        """End a process and have it replaced: resolves with its exit code when it is gone."""
        if watch.ending is None:
            watch.ending = self._chore(self._see_off(watch, reason))
        return watch.ending

    def rest(self, watch: Watch) -> None:
        """A task is over: take a fresh process if there is one, or ask for one if it is time."""
        if watch is not self._present:
            return
        self._done += 1
        if self._fresh is not None:
            self._retire(watch)
        elif self._builder is None and not self.stopped:
            self._wear = self._worn(watch)
            if self._wear is not None:
                self.start()

    def _worn(self, watch: Watch) -> str | None:
        if self._done >= self._terms.tasks:
            return f"its process had done {self._done} tasks"
        now = time.monotonic()
        if now < self._weighed + _WEIGH_EVERY_S:
            return None
        self._weighed = now
        rss = resident(watch.process.pid)
        if rss is not None and rss > self._terms.rss:
            return f"its process kept {rss >> 20} MiB of memory"
        return None

    def _retire(self, watch: Watch) -> None:
        self.end(watch, self._wear or "its process was worn out")

    async def _build(self) -> None:
        pause = _FIRST_PAUSE_S
        while self._fresh is None:
            try:
                watch = await self._fetch()
            except CannotStart as error:
                if not self.first.done():
                    self.first.set_result(error)
                _log.warning("%s: %s; trying again in %g s", self._name, error, pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)
            else:
                watch.died = self._on_death
                if watch.alive:
                    self._fresh = watch
                else:
                    self.end(watch, "its process died as it came up")
        self._builder = None
        if self._present is None:
            self._adopt()
        elif not self.busy:
            self._retire(self._present)
        if not self.first.done():
            self.first.set_result(None)

    def _adopt(self) -> None:
        """The fresh process becomes the present one."""
        self._present, self._fresh = self._fresh, None
        self._done, self._wear = 0, None
        self._up.set()
        self._changed()

    def _on_death(self, watch: Watch) -> None:
        """A process has ended while it was idle."""
        self.end(watch, "its process died while it was idle")
        self._changed()

    async def _see_off(self, watch: Watch, reason: str) -> int | None:
        code = await watch.gone(self._terms.patience_s)
        if watch is self._fresh:
            self._fresh = None
        if watch is self._present:
            self._present = None
            _log.info("%s: %s (pid %d, %s)", self._name, reason, watch.process.pid, cause(code))
            if not self.stopped:
                self._replace(reason)
        self._chore(self._bury(watch))
        return code

    def _replace(self, reason: str) -> None:
        self.restarts += 1
        self.last_restart = Restart(reason, datetime.now(UTC))
        if self._fresh is not None:
            self._adopt()
        elif self._builder is None:
            self.start()
        self._changed()

    def _chore(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)
        return task

    async def _bury(self, watch: Watch) -> None:
        watch.close()
        # What served it in this process ends within 0.1 s; only the end of the service waits for that.
        await asyncio.to_thread(watch.process.join, 2 * PATIENCE_S)
