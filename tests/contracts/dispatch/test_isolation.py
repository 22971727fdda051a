"""What a dispatcher keeps that says of itself that it isolates: one task's harm is nobody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from imgsvc import dispatch
from imgsvc.dispatch import Dispatcher, Resources
from imgsvc.worker import Outcome, Report, Task
from tests.servers import alive
from tests.unit.scheduler.bench import until

pytestmark = pytest.mark.anyio

Work = Callable[..., Task]


async def beside(
    dispatcher: Dispatcher, harm: Task, innocent: Task, timeout: float = 20
) -> tuple[Report, Report, int, int]:
    """Two tasks at once: their reports, and the pids that did them."""
    one, other = await dispatcher.acquire(), await dispatcher.acquire()
    pids = [slot.pid or 0 for slot in (one, other)]
    reports = await asyncio.gather(one.run(harm, timeout), other.run(innocent, 20))
    one.release()
    other.release()
    return reports[0], reports[1], pids[0], pids[1]


async def both_work(dispatcher: Dispatcher, work: Work) -> None:
    slots = [await dispatcher.acquire() for _ in range(2)]
    for slot in slots:
        assert (await slot.run(work("png"), 20)).outcome is Outcome.SUCCEEDED
        slot.release()


@pytest.mark.parametrize("how", ["segv", "kill", "exit"])
async def test_a_crash_costs_one_task_and_names_the_step(isolating: Dispatcher, work: Work, how: str) -> None:
    crashed, innocent, pid, neighbour = await beside(
        isolating, work(f"flip/test-crash:{how}/png"), work("test-sleep:0.5/png")
    )
    assert crashed.outcome is Outcome.CRASHED
    assert crashed.problem is not None
    assert crashed.problem.code == "worker-crashed"
    assert "test-crash" in crashed.problem.detail
    assert innocent.outcome is Outcome.SUCCEEDED
    await both_work(isolating, work)
    assert not alive(pid)
    assert neighbour in {lane.pid for lane in isolating.lanes()}


async def test_a_hang_in_c_is_ended_at_its_deadline(isolating: Dispatcher, work: Work) -> None:
    hung, innocent, pid, neighbour = await beside(
        isolating, work("test-spin:20/png"), work("test-sleep:0.8/png"), timeout=0.4
    )
    assert hung.outcome is Outcome.TIMED_OUT
    assert hung.problem is not None
    assert "test-spin" in hung.problem.detail
    assert innocent.outcome is Outcome.SUCCEEDED
    await both_work(isolating, work)
    assert not alive(pid)
    assert neighbour in {lane.pid for lane in isolating.lanes()}


async def test_a_kill_frees_the_processor_at_once(isolating: Dispatcher, work: Work) -> None:
    slot = await isolating.acquire()
    running = asyncio.ensure_future(slot.run(work("test-spin:20/png"), 30))
    await until(lambda: "spin" in (slot.step() or ""), 20)
    pid = slot.pid
    assert pid is not None
    slot.kill()
    assert (await running).outcome is Outcome.KILLED
    await until(lambda: not alive(pid), 5)
    slot.release()
    await both_work(isolating, work)


async def test_a_memory_bomb_is_refused_and_its_worker_lives(isolating: Dispatcher, work: Work) -> None:
    refused, innocent, pid, neighbour = await beside(
        isolating, work("test-memory:4000000000/png"), work("test-sleep:0.3/png")
    )
    assert refused.outcome is Outcome.REFUSED
    assert refused.problem is not None
    assert refused.problem.code == "image-too-large-for-memory"
    assert innocent.outcome is Outcome.SUCCEEDED
    assert {pid, neighbour} == {lane.pid for lane in isolating.lanes()}
    await both_work(isolating, work)


async def test_no_process_is_left_behind(isolating: Dispatcher, work: Work) -> None:
    await both_work(isolating, work)
    pids = [lane.pid for lane in (*isolating.lanes(), isolating.desk())]
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    assert {pid for pid in pids if pid is not None} <= before
    await isolating.stop()
    await until(lambda: not any(alive(pid) for pid in pids if pid is not None), 10)


async def test_a_lane_comes_back_as_often_as_it_is_lost(tmp_path: Path, work: Work) -> None:
    dispatcher = dispatch.connect("loky:", Resources(lanes=1, scratch=tmp_path))
    await dispatcher.start()
    try:
        for number in range(1, 4):
            slot = await dispatcher.acquire()
            assert (await slot.run(work("test-crash:segv/png"), 20)).outcome is Outcome.CRASHED
            slot.release()
            again = await dispatcher.acquire()
            assert (await again.run(work("png"), 20)).outcome is Outcome.SUCCEEDED
            again.release()
            assert dispatcher.lanes()[0].restarts == number
    finally:
        await dispatcher.stop()
