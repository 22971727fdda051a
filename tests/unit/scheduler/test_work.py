"""A task can be ended whatever it is about."""

from __future__ import annotations

import asyncio

import pytest

from imgsvc.errors import Draining
from imgsvc.scheduler.work import Work
from imgsvc.worker import Outcome
from tests.unit.scheduler.bench import until
from tests.unit.scheduler.parts import HandLanes, HandSlot, crash, task

pytestmark = pytest.mark.anyio


async def work() -> tuple[Work, HandSlot, HandLanes]:
    lanes = HandLanes()
    slot = await lanes.acquire()
    return Work(slot, lambda fit: fit.release()), slot, lanes


async def test_what_is_killed_before_it_runs_never_begins() -> None:
    it, _, lanes = await work()
    it.kill()
    assert (await it.run(task(), 1)).outcome is Outcome.KILLED
    assert (lanes.started, lanes.idle) == ([], 1)


async def test_what_is_killed_while_its_lane_has_no_process_ends_all_the_same() -> None:
    it, slot, lanes = await work()
    slot.kill = lambda: None  # type: ignore[method-assign]  # there is nothing to kill yet
    running = asyncio.create_task(it.run(task(), 1))
    await until(lambda: bool(lanes.started))
    it.kill()
    assert (await running).outcome is Outcome.KILLED
    assert lanes.idle == 1


async def test_a_kill_that_comes_too_late_changes_nothing() -> None:
    it, slot, lanes = await work()
    running = asyncio.create_task(it.run(task(), 1))
    await until(lambda: bool(lanes.started))
    slot.succeed()
    assert (await running).outcome is Outcome.SUCCEEDED
    it.kill()
    assert it.step() is None


async def test_the_lane_goes_back_once_the_canceled_task_is_gone() -> None:
    it, slot, lanes = await work()
    running = asyncio.create_task(it.run(task(), 1))
    await until(lambda: bool(lanes.started))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert slot.canceled
    assert lanes.idle == 1


async def test_a_dispatcher_that_stops_first_counts_as_a_kill() -> None:
    it, slot, lanes = await work()
    running = asyncio.create_task(it.run(task(), 1))
    await until(lambda: bool(lanes.started))
    slot.end(Draining("the workers are being stopped"))
    assert (await running).outcome is Outcome.KILLED


async def test_a_lane_that_is_fit_goes_to_whoever_is_next() -> None:
    lanes = HandLanes()
    slot = await lanes.acquire()
    freed: list[object] = []
    running = asyncio.create_task(Work(slot, freed.append).run(task(), 1))
    await until(lambda: bool(lanes.started))
    slot.succeed()
    await running
    assert (freed, lanes.idle) == ([slot], 0)


async def test_a_lane_whose_process_died_goes_back_to_be_repaired() -> None:
    lanes = HandLanes()
    slot = await lanes.acquire()
    freed: list[object] = []
    running = asyncio.create_task(Work(slot, freed.append).run(task(), 1))
    await until(lambda: bool(lanes.started))
    slot.end(crash())
    await running
    assert (freed, lanes.idle) == ([], 1)
