"""Spare work has what nobody else wants."""

from __future__ import annotations

import asyncio

import pytest

from imgsvc.errors import Draining
from imgsvc.scheduler import Policy, Spare, Suspect
from imgsvc.scheduler.calls import PATIENCE_S
from imgsvc.scheduler.line import Line, Turn
from imgsvc.worker import Outcome, Report
from tests.unit.scheduler.bench import Bench, bench, until
from tests.unit.scheduler.parts import SUCCESS, HandLanes, HandSlot, crash, refusal, task

pytestmark = pytest.mark.anyio

LETHAL = Suspect("img_1", frozenset({"thumbnail"}))


def spare(it: Bench, name: str = "spare", suspect: Suspect = LETHAL, timeout: float | None = None) -> Spare:
    return it.scheduler.spare(task(name), suspect, timeout=timeout)


def source(lane: HandSlot) -> str:
    assert lane.task is not None
    return lane.task.source.rpartition("/")[2]


async def ended(work: Spare) -> Report | None:
    async with asyncio.timeout(5):
        return await work.ended


async def test_spare_work_runs_on_an_idle_lane_and_gives_it_back() -> None:
    async with bench() as it:
        work = spare(it)
        lane = await it.started(1)
        assert "running" in repr(work)
        lane.end()
        assert await ended(work) == SUCCESS
        assert not work.running
        assert it.lanes.idle == 1


async def test_spare_work_waits_for_calls_and_jobs_that_came_later() -> None:
    async with bench() as it:
        await it.submit()
        first = await it.started(1)
        work = spare(it)
        await it.submit()
        call = asyncio.create_task(it.scheduler.call(task("call")))
        await asyncio.sleep(0.01)
        first.succeed()
        second = await it.started(2)
        assert source(second) == "call"
        second.end()
        third = await it.started(3)
        assert source(third) != "spare"
        assert not work.running
        third.succeed()
        assert source(await it.started(4)) == "spare"
        it.lanes.started[3].end()
        await call


@pytest.mark.parametrize(("lanes", "at_once"), [(1, 1), (2, 1), (4, 2), (5, 2)])
async def test_spare_work_leaves_half_of_the_lanes_to_whoever_comes(lanes: int, at_once: int) -> None:
    async with bench(lanes=lanes) as it:
        for number in range(3):
            spare(it, f"{number}")
        await it.started(at_once)
        await asyncio.sleep(0.01)
        assert len(it.lanes.busy) == at_once
        it.lanes.busy[0].end()
        await it.started(at_once + 1)
        assert len(it.lanes.busy) == at_once


async def test_a_call_that_has_waited_a_while_has_the_lane_of_spare_work() -> None:
    async with bench() as it:
        work = spare(it)
        lane = await it.started(1)
        call = asyncio.create_task(it.scheduler.call(task("call")))
        report = await ended(work)
        assert report is not None
        assert report.outcome is Outcome.KILLED
        assert lane.canceled
        assert source(await it.started(2)) == "call"
        it.lanes.started[1].end()
        assert (await call).report == SUCCESS


async def test_a_call_in_a_hurry_ends_no_more_spare_work_than_one() -> None:
    async with bench(lanes=4) as it:
        works = [spare(it, f"{number}") for number in range(2)]
        await it.started(2)
        for _ in range(2):
            await it.submit()
        await it.started(4)
        call = asyncio.create_task(it.scheduler.call(task("call")))
        assert await ended(works[1]) is not None
        assert source(await it.started(5)) == "call"
        assert works[0].running
        for lane in it.lanes.busy:
            lane.end()
        await call


async def test_a_call_that_gets_its_lane_soon_ends_no_spare_work() -> None:
    async with bench(lanes=2) as it:
        work = spare(it)
        await it.started(1)
        call = asyncio.create_task(it.scheduler.call(task("call")))
        lane = await it.started(2)
        await asyncio.sleep(PATIENCE_S * 1.1)
        assert work.running
        lane.end()
        await call


async def test_observers_hear_of_spare_work_apart_from_calls() -> None:
    async with bench() as it:
        work = spare(it)
        (await it.started(1)).end()
        await ended(work)
        await until(lambda: it.ear.spare == [(SUCCESS, {"default": "thumbnail"})])
        assert it.ear.calls == []


async def test_of_too_much_spare_work_the_oldest_is_dropped() -> None:
    async with bench(policy=Policy(spare_tasks=2)) as it:
        await it.submit()
        lane = await it.started(1)
        works = [spare(it, f"{number}") for number in range(3)]
        assert await ended(works[0]) is None
        lane.succeed()
        for number in (2, 3):
            lane = await it.started(number)
            assert source(lane) == f"{number - 1}"
            lane.end()
        assert [await ended(work) for work in works[1:]] == [SUCCESS, SUCCESS]


async def test_no_spare_work_is_done_where_the_policy_says_so() -> None:
    async with bench(policy=Policy(spare_tasks=0)) as it:
        assert await ended(spare(it)) is None
        assert it.lanes.started == []


async def test_killed_spare_work_that_waits_never_runs() -> None:
    async with bench() as it:
        await it.submit()
        lane = await it.started(1)
        work = spare(it)
        work.kill()
        assert await ended(work) is None
        lane.succeed()
        await until(lambda: it.lanes.idle == 1)
        assert len(it.lanes.started) == 1


async def test_killed_spare_work_that_runs_ends_and_frees_its_lane() -> None:
    async with bench() as it:
        work = spare(it)
        lane = await it.started(1)
        work.kill()
        report = await ended(work)
        assert report is not None
        assert report.outcome is Outcome.KILLED
        assert lane.canceled
        assert it.lanes.idle == 1
        work.kill()


async def test_spare_work_that_is_killed_as_it_gets_its_lane_does_not_keep_it() -> None:
    lanes, line = HandLanes(), Line(spares=1)
    work = Spare(task(), LETHAL, 1, line)
    assert line.turn() is Turn.SPARE
    line.next_spare().set_result(await lanes.acquire())
    work.kill()
    slot = await work.lane()
    assert slot is not None
    assert await work.run(slot, lambda fit: fit.release()) is None
    assert (lanes.started, lanes.idle) == ([], 1)


async def test_who_stops_waiting_for_a_lane_that_was_just_given_gives_it_back() -> None:
    lanes, line = HandLanes(), Line(spares=1)
    work = Spare(task(), LETHAL, 1, line)
    assert line.turn() is Turn.SPARE
    waiting = asyncio.create_task(work.lane())
    await asyncio.sleep(0)
    line.next_spare().set_result(await lanes.acquire())
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (lanes.idle, line.standing) == (1, 0)


async def test_a_drain_drops_what_waits_and_lets_run_what_runs() -> None:
    async with bench() as it:
        running, waiting = spare(it, "running"), spare(it, "waiting")
        lane = await it.started(1)
        it.scheduler.drain()
        assert await ended(waiting) is None
        assert await ended(spare(it, "late")) is None
        assert running.running
        lane.end()
        assert await ended(running) == SUCCESS


async def test_no_stop_waits_for_spare_work() -> None:
    async with bench(grace=60) as it:
        work = spare(it)
        lane = await it.started(1)
        async with asyncio.timeout(5):
            await it.scheduler.stop(60)
        report = await ended(work)
        assert report is not None
        assert report.outcome is Outcome.KILLED
        assert lane.canceled


async def test_spare_work_that_loses_its_worker_again_and_again_is_held() -> None:
    async with bench(policy=Policy(quarantine_after=2, quarantine_s=60)) as it:
        for number in (1, 2):
            work = spare(it)
            (await it.started(number)).end(crash())
            await ended(work)
        assert it.scheduler.quarantine.holds(LETHAL) is not None
        assert await ended(spare(it)) is None
        assert len(it.lanes.started) == 2
        await until(lambda: it.lanes.idle == 1)


async def test_a_success_of_spare_work_clears_it() -> None:
    async with bench(policy=Policy(quarantine_after=2, quarantine_s=60)) as it:
        for number, report in enumerate((crash(), SUCCESS, crash()), start=1):
            work = spare(it)
            (await it.started(number)).end(report)
            await ended(work)
        assert it.scheduler.quarantine.holds(LETHAL) is None


async def test_spare_work_that_is_refused_tells_so_and_harms_nothing() -> None:
    async with bench() as it:
        work = spare(it)
        (await it.started(1)).end(refusal())
        assert await ended(work) == refusal()
        assert it.lanes.idle == 1


@pytest.mark.parametrize(("asked", "runs"), [(None, 7), (0.5, 0.5)])
async def test_spare_work_may_run_as_long_as_it_was_given(asked: float | None, runs: float) -> None:
    async with bench(policy=Policy(job_timeout_s=7)) as it:
        work = spare(it, timeout=asked)
        lane = await it.started(1)
        assert lane.timeout == runs
        lane.end()
        await ended(work)


async def test_a_call_that_comes_while_the_service_stops_is_told_so_also_behind_spare_work() -> None:
    async with bench() as it:
        spare(it)
        await it.started(1)
        call = asyncio.create_task(it.scheduler.call(task()))
        await asyncio.sleep(0.01)
        it.scheduler.drain()
        with pytest.raises(Draining):
            await call
