"""Someone sets the wall clock by a day: nothing is lost, nothing waits for ever, no duration is wrong."""

from __future__ import annotations

import asyncio

import pytest

from imgsvc import jobstore
from imgsvc.jobs import Priority, State
from imgsvc.jobstore import rank
from imgsvc.scheduler import Policy
from imgsvc.scheduler.alarm import Alarm
from tests.unit.scheduler.bench import Bench, bench, until
from tests.unit.scheduler.clocks import DAY, WallClock
from tests.unit.scheduler.parts import crash, job

pytestmark = pytest.mark.anyio

#: Pauses are short, so that a test can wait for one.
HASTY = Policy(retry_base_s=0.05, retry_cap_s=0.05)


async def submit(it: Bench, clock: WallClock, **changes: object) -> str:
    """A job, as the service records it."""
    new = job(created_at=clock(), **changes)
    place = rank(it.scheduler.steady.when(new.created_at), Priority.NORMAL, 60)
    return (await it.scheduler.added(await it.store.add(new, rank=place))).id


async def ended(it: Bench, count: int) -> None:
    await until(lambda: len(it.ear.jobs) == count)


@pytest.mark.parametrize("jump", [DAY, -DAY])
async def test_a_job_that_waits_for_another_try_gets_it(jump: int) -> None:
    clock = WallClock()
    async with bench(policy=HASTY, clock=clock) as it:
        await submit(it, clock)
        (await it.started(1)).end(crash())
        await until(lambda: not it.scheduler.running())
        clock.jump(jump)
        (await it.started(2)).succeed()
        await ended(it, 1)
        assert it.ear.jobs[0].state is State.SUCCEEDED


async def test_it_gets_it_before_others_that_came_later() -> None:
    clock = WallClock()
    async with bench(policy=HASTY, clock=clock) as it:
        first = await submit(it, clock)
        others = [await submit(it, clock) for _ in range(3)]
        (await it.started(1)).end(crash())
        lane = await it.started(2)
        clock.jump(-DAY)
        await asyncio.sleep(0.1)  # its pause, which nobody's clock shortens
        lane.succeed()
        for count in (3, 4, 5):
            (await it.started(count)).succeed()
        await ended(it, 4)
        assert [heard.id for heard in it.ear.jobs] == [others[0], first, *others[1:]]


@pytest.mark.parametrize("jump", [DAY, -DAY])
async def test_durations_are_those_of_a_clock_that_nobody_sets(jump: int) -> None:
    clock = WallClock()
    async with bench(clock=clock) as it:
        await submit(it, clock)
        lane = await it.started(1)
        await submit(it, clock)
        clock.jump(jump)
        lane.succeed()
        (await it.started(2)).succeed()
        await ended(it, 2)
        for heard in it.ear.jobs:
            timings = heard.timings
            assert timings.queue_ms is not None
            assert timings.run_ms is not None
            assert timings.total_ms is not None
            assert 0 <= timings.queue_ms < 10_000
            assert 0 <= timings.run_ms < 10_000
            assert timings.queue_ms + timings.run_ms <= timings.total_ms < 20_000


@pytest.mark.parametrize("jump", [DAY, -DAY])
async def test_the_line_keeps_its_order(jump: int) -> None:
    clock = WallClock()
    async with bench(clock=clock) as it:
        order = [await submit(it, clock)]
        lane = await it.started(1)
        for _ in range(3):
            order.append(await submit(it, clock))
            clock.jump(jump)
        lane.succeed()
        for count in (2, 3, 4):
            (await it.started(count)).succeed()
        await ended(it, 4)
        assert [heard.id for heard in it.ear.jobs] == order


async def test_a_clock_that_was_set_back_while_no_server_ran_keeps_nobody_waiting() -> None:
    clock = WallClock()
    store = jobstore.connect("memory:")
    async with bench(store=store, policy=Policy(retry_base_s=3600, retry_cap_s=3600), clock=clock) as it:
        waits = await submit(it, clock)
        (await it.started(1)).end(crash())
        await until(lambda: not it.scheduler.running())
        await it.scheduler.pause(paused=True)
        second = await submit(it, clock)
    clock.jump(-DAY)
    async with bench(store=store, clock=clock) as it:
        third = await submit(it, clock)
        await it.scheduler.pause(paused=False)
        for count in (1, 2, 3):
            (await it.started(count)).succeed()
        await ended(it, 3)
        assert [heard.id for heard in it.ear.jobs] == [waits, second, third]


@pytest.mark.parametrize("jump", [DAY, -DAY])
async def test_an_alarm_rings_after_the_time_that_it_was_set_for(jump: int) -> None:
    clock, rung = WallClock(), asyncio.Event()
    alarm = Alarm(rung.set, clock)
    alarm.set(clock() + 20)
    clock.jump(jump)
    # A later one does not put it off, whatever the clock says now.
    alarm.set(clock() + 3_600_000)
    async with asyncio.timeout(5):
        await rung.wait()


async def test_an_earlier_alarm_counts_however_the_clock_was_set() -> None:
    clock, rung = WallClock(), asyncio.Event()
    alarm = Alarm(rung.set, clock)
    alarm.set(clock() + 3_600_000)
    clock.jump(DAY)
    alarm.set(clock() + 20)
    async with asyncio.timeout(5):
        await rung.wait()


@pytest.mark.parametrize(("jump", "left"), [(DAY, 0), (-DAY, 1)])
async def test_expiry_follows_the_wall_clock_and_never_takes_what_is_to_be_done(jump: int, left: int) -> None:
    clock = WallClock()
    async with bench(clock=clock) as it:
        await submit(it, clock, retention_s=3600)
        (await it.started(1)).succeed()
        await ended(it, 1)
        await submit(it, clock, retention_s=3600)
        lane = await it.started(2)
        await submit(it, clock, retention_s=3600)
        clock.jump(jump)
        await it.scheduler.sweeper.due()
        counts = await it.store.counts()
        assert (counts[State.SUCCEEDED], counts[State.RUNNING], counts[State.QUEUED]) == (left, 1, 1)
        lane.succeed()
        (await it.started(3)).succeed()
        await ended(it, 3)
