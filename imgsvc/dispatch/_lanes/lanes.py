"""A dispatcher of lanes, whatever their processes are made of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from imgsvc.dispatch._base import CannotStart, LaneInfo, LaneState, Resources, Slot
from imgsvc.dispatch._lanes import desk
from imgsvc.dispatch._lanes.keeper import Terms
from imgsvc.dispatch._lanes.lane import Lane
from imgsvc.dispatch._lanes.process import Process
from imgsvc.dispatch._lanes.reports import report
from imgsvc.dispatch._lanes.reserve import Reserve, bring_up
from imgsvc.dispatch._line import Line
from imgsvc.errors import Draining
from imgsvc.imaging import Facts, Limits
from imgsvc.worker import Report, Task


class Lanes:
    """See `dispatch.Dispatcher`; processes come from `spawn`, which is told the function they run."""

    isolates = True

    def __init__(self, resources: Resources, work: str, spawn: Callable[[str], Process]) -> None:
        self._resources = resources
        self._work = work
        self._spawn = spawn
        self._line: Line[Lane] = Line()
        self._lanes: tuple[Lane, ...] = ()
        self._reserve: Reserve | None = None
        self._desk_lane: Lane | None = None
        self._desk: desk.Desk | None = None
        self._stopped = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {list(self._lanes)} {self._reserve}>"

    async def start(self) -> None:
        """See `Dispatcher.start`."""
        terms = Terms(self._resources.tasks_per_process, self._resources.worn_rss)
        self._reserve = Reserve(partial(self._spawn, self._work), self._resources.spares)
        self._desk_lane = Lane(0, partial(bring_up, partial(self._spawn, desk.WORK)), _nobody, terms)
        self._desk = desk.Desk(self._desk_lane, self._resources.desk_timeout, self._resources.desk_patience)
        self._lanes = tuple(
            Lane(number, self._reserve.take, self._changed, terms)
            for number in range(1, self._resources.lanes + 1)
        )
        for lane in (self._desk_lane, *self._lanes):
            lane.start()
        faults: list[CannotStart] = []
        for first in asyncio.as_completed([lane.first for lane in self._lanes]):
            fault = await first
            if fault is None:
                return
            faults.append(fault)
        await self.stop()
        raise faults[0]

    async def stop(self) -> None:
        """See `Dispatcher.stop`."""
        self._stopped = True
        self._line.dismiss(Draining("the workers are being stopped"))
        lanes = [lane for lane in (self._desk_lane, *self._lanes) if lane is not None]
        await asyncio.gather(*(lane.stop() for lane in lanes))
        if self._reserve is not None:
            await self._reserve.stop()

    async def acquire(self) -> Slot:
        """See `Dispatcher.acquire`; raises Draining once it is stopped."""
        if self._stopped:
            raise Draining("the workers are being stopped")
        return LaneSlot(await self._line.take(), self._line)

    async def probe(self, path: Path, limits: Limits) -> Facts:
        """See `Dispatcher.probe`; raises Draining once it is stopped."""
        if self._desk is None:
            raise Draining("the workers have not been started")
        return await self._desk.probe(path, limits)

    def lanes(self) -> Sequence[LaneInfo]:
        """See `Dispatcher.lanes`."""
        if self._lanes:
            return [lane.info() for lane in self._lanes]
        return [_none_yet(number) for number in range(1, self._resources.lanes + 1)]

    def desk(self) -> LaneInfo:
        """See `Dispatcher.desk`."""
        return self._desk_lane.info() if self._desk_lane is not None else _none_yet(0)

    def _changed(self, lane: Lane) -> None:
        """A lane may take a task now, or may not any more."""
        if lane.available:
            self._line.offer(lane)
        else:
            self._line.withdraw(lane)


class LaneSlot:
    """See `dispatch.Slot`."""

    def __init__(self, lane: Lane, line: Line[Lane]) -> None:
        self.lane = lane.number
        self._lane = lane
        self._line = line
        self._released = False

    def __repr__(self) -> str:
        return f"<LaneSlot{' released' if self._released else ''} {self._lane}>"

    @property
    def pid(self) -> int | None:
        """See `Slot.pid`."""
        return self._lane.pid

    async def run(self, task: Task, timeout: float) -> Report:
        """See `Slot.run`; raises Draining when the dispatcher is stopped before the task is begun."""
        if self._released:
            raise RuntimeError("the slot has been released")
        return report(await self._lane.run(task.model_dump_json().encode(), timeout), timeout)

    def step(self) -> str | None:
        """See `Slot.step`."""
        return None if self._released else self._lane.step()

    def kill(self) -> None:
        """See `Slot.kill`."""
        if not self._released:
            self._lane.kill()

    def release(self) -> None:
        """See `Slot.release`; a task that still runs is killed."""
        self.kill()
        if not self._released:
            self._released = True
            self._line.put_back(self._lane)


def _none_yet(number: int) -> LaneInfo:
    """A lane before the start."""
    return LaneInfo(
        lane=number,
        pid=None,
        state=LaneState.STARTING,
        step=None,
        rss_bytes=None,
        tasks=0,
        restarts=0,
        last_restart=None,
    )


def _nobody(lane: Lane) -> None:
    """The desk's lane is not in the line."""
