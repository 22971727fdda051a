"""Processes that are up before they are needed: a lane whose process is killed goes on with one of them."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from imgsvc.dispatch._base import CannotStart
from imgsvc.dispatch._lanes.process import PATIENCE_S, End, Process, Watch, cause

#: Seconds for a process to come up; it takes 0.3 s of CPU time, more on a machine that is short of it.
_WARM_UP_S = 30.0
#: Seconds before another try for a spare that did not come up or died.
_PAUSE_S = 5.0

_log = logging.getLogger(__name__)


async def bring_up(spawn: Callable[[], Process]) -> Watch:
    """A process that takes tasks. Raises CannotStart, and leaves nothing behind then."""
    try:
        process = spawn()
    except OSError as error:
        raise CannotStart(f"a worker process can't be started: {error}") from error
    watch = Watch(process)
    try:
        end = await watch.call(process.ready, _WARM_UP_S)
    except BaseException:
        await asyncio.shield(see_off(watch))
        raise
    if end is not End.ANSWERED:
        said = process.board.step()
        code = await asyncio.shield(see_off(watch))
        late = f"it took longer than {_WARM_UP_S:g} s"
        why = said or (late if end is End.DEADLINE else cause(code))
        raise CannotStart(f"a worker process does not come up: {why}")
    process.seal()
    return watch


async def see_off(watch: Watch, patience_s: float = PATIENCE_S) -> int | None:
    """Kill a process and leave nothing behind: its exit code."""
    code = await watch.gone(patience_s)
    watch.close()
    # What served it in this process ends within 0.1 s.
    await asyncio.to_thread(watch.process.join, 2 * PATIENCE_S)
    return code


class Reserve:
    """Brings up processes for whoever asks, and keeps some spare ones. One for all lanes.

    Whoever asks while a spare one is on its way gets that, and no process is brought up in reserve
    while somebody waits for one: on a busy machine each would only slow the other down.
    """

    def __init__(self, spawn: Callable[[], Process], spares: int) -> None:
        self._spawn = spawn
        self._spares = spares
        self._ready: deque[Watch] = deque()
        self._waiting: deque[asyncio.Future[Watch]] = deque()
        self._builds: set[asyncio.Task[None]] = set()
        self._chores: set[asyncio.Task[int | None]] = set()
        #: Set while spares do not come up or die: no further one is made until it rings.
        self._pause: asyncio.TimerHandle | None = None
        self._stopped = False

    def __repr__(self) -> str:
        return f"<Reserve: {len(self._ready)} spare, {len(self._builds)} on their way>"

    async def take(self) -> Watch:
        """A process, at once where there is a spare one. Raises CannotStart."""
        if self._ready:
            watch = self._ready.popleft()
            self._fill()
            return watch
        waiting: asyncio.Future[Watch] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        self._fill()
        try:
            return await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled() and waiting.exception() is None:
                self._keep(waiting.result())  # it came in the same moment
            raise

    async def stop(self) -> None:
        """End every process that nobody has taken, and wait until nothing is left of them."""
        self._stopped = True
        if self._pause is not None:
            self._pause.cancel()
        for build in self._builds:
            build.cancel()
        while self._ready:
            self._end(self._ready.popleft())
        while busy := self._builds | self._chores:
            await asyncio.wait(busy)

    def _fill(self) -> None:
        """As many on their way as are waited for; spares when nobody waits."""
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft()
        wanted = sum(not waiting.done() for waiting in self._waiting)
        if not wanted and self._pause is None:
            wanted = self._spares - len(self._ready)
        if self._stopped:
            return
        for _ in range(wanted - len(self._builds)):
            build = asyncio.create_task(self._build())
            self._builds.add(build)
            build.add_done_callback(self._built)

    async def _build(self) -> None:
        try:
            watch = await bring_up(self._spawn)
        except CannotStart as error:
            waiting = self._next()
            if waiting is not None:
                waiting.set_exception(error)
            else:
                _log.warning("a spare worker: %s; trying again in %g s", error, _PAUSE_S)
                self._wait()
        else:
            self._keep(watch)

    def _built(self, build: asyncio.Task[None]) -> None:
        self._builds.discard(build)
        if not build.cancelled() and (error := build.exception()) is not None:
            _log.error("a worker was not brought up, by a bug", exc_info=error)
            self._wait()
        self._fill()

    def _keep(self, watch: Watch) -> None:
        """Give a process to whoever waits, or keep it."""
        if self._stopped or not watch.alive:
            self._end(watch)
            return
        waiting = self._next()
        if waiting is not None:
            waiting.set_result(watch)
        else:
            watch.died = self._on_death
            self._ready.append(watch)

    def _next(self) -> asyncio.Future[Watch] | None:
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                return waiting
        return None

    def _on_death(self, watch: Watch) -> None:
        """A spare process has ended: whoever did it may do it again, so there is no hurry."""
        if watch in self._ready:
            self._ready.remove(watch)
            _log.info("a spare worker (pid %d) died", watch.process.pid)
            self._end(watch)
            self._wait()

    def _wait(self) -> None:
        if self._pause is None and not self._stopped:
            self._pause = asyncio.get_running_loop().call_later(_PAUSE_S, self._go_on)

    def _go_on(self) -> None:
        self._pause = None
        self._fill()

    def _end(self, watch: Watch) -> None:
        chore = asyncio.create_task(see_off(watch))
        self._chores.add(chore)
        chore.add_done_callback(self._chores.discard)
