"""Work that loses its workers is left alone for a while."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from imgsvc.errors import Problem
from imgsvc.jobs import Job, Output, State
from imgsvc.scheduler import Policy, Suspect
from imgsvc.scheduler.quarantine import Quarantine
from imgsvc.worker import Outcome, Report
from tests.unit.scheduler.bench import Bench, bench, until
from tests.unit.scheduler.parts import crash, image, refusal

LETHAL = Suspect("img_1", frozenset({"blur"}))
OTHER = Suspect("img_1", frozenset({"flip"}))


class Time:
    """Seconds, in the hands of the test."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def one(after: int = 2, seconds: float = 600) -> tuple[Quarantine, Time]:
    time = Time()
    return Quarantine(after, seconds, time), time


def lose(quarantine: Quarantine, suspect: Suspect = LETHAL) -> bool:
    return quarantine.lost(suspect, quarantine.now())


def test_two_losses_in_a_row_are_a_quarantine_and_it_begins_once() -> None:
    quarantine, _ = one()
    assert not quarantine
    assert not lose(quarantine)
    assert quarantine.holds(LETHAL) is None
    assert lose(quarantine)
    problem = quarantine.holds(LETHAL)
    assert problem is not None
    assert problem.code == "worker-crashed"
    assert not lose(quarantine)


def test_other_work_on_the_same_picture_is_free() -> None:
    quarantine, _ = one(after=1)
    lose(quarantine)
    assert quarantine.holds(OTHER) is None
    assert quarantine.holds(Suspect("img_2", LETHAL.specs)) is None


def test_a_success_clears_the_work() -> None:
    quarantine, _ = one()
    lose(quarantine)
    quarantine.survived(LETHAL)
    assert not lose(quarantine)
    assert lose(quarantine)
    quarantine.survived(LETHAL)
    assert quarantine.holds(LETHAL) is None


def test_starts_that_ran_side_by_side_lose_once() -> None:
    quarantine, time = one()
    began = quarantine.now()
    time.now += 1
    assert not any(quarantine.lost(LETHAL, began) for _ in range(5))
    assert lose(quarantine)


def test_starts_that_overlap_without_end_are_counted_all_the_same() -> None:
    quarantine, time = one()
    first, second = quarantine.now(), quarantine.now() + 0.5
    time.now += 1
    quarantine.lost(LETHAL, first)
    third = quarantine.now()
    time.now += 0.5
    assert not quarantine.lost(LETHAL, second)
    time.now += 0.5
    assert quarantine.lost(LETHAL, third)


@pytest.mark.parametrize(("passed", "held"), [(599.9, True), (600, False)])
def test_a_quarantine_ends_so_long_after_the_last_loss(passed: float, held: bool) -> None:
    quarantine, time = one()
    lose(quarantine)
    time.now += 500
    lose(quarantine)
    time.now += passed
    assert bool(quarantine.held()) is held
    assert (quarantine.holds(LETHAL) is not None) is held


def test_what_was_lost_long_ago_counts_no_more() -> None:
    quarantine, time = one()
    lose(quarantine)
    time.now += 600
    assert not lose(quarantine)


def test_no_time_means_no_quarantine() -> None:
    quarantine, _ = one(after=1, seconds=0)
    assert not lose(quarantine)
    assert quarantine.holds(LETHAL) is None
    assert not quarantine


def test_what_is_remembered_has_a_bound() -> None:
    quarantine, _ = one(after=1)
    for number in range(1001):
        lose(quarantine, Suspect(f"img_{number}", frozenset()))
    assert len(quarantine.held()) == 1000
    assert quarantine.holds(Suspect("img_0", frozenset())) is None
    assert quarantine.holds(Suspect("img_1000", frozenset())) is not None


def test_it_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    quarantine, _ = one()
    for _ in range(4):
        lose(quarantine)
    assert [record.message for record in caplog.records] == [
        "quarantine for 600 s: img_1 with blur has lost its worker 2 times in a row"
    ]


# -- in the scheduler -----------------------------------------------------------------------------

AT_ONCE = Policy(retry_base_s=0)

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def quarantined(policy: Policy = AT_ONCE, **changes: object) -> AsyncIterator[tuple[Bench, Job]]:
    """A bench with one job that has lost its worker twice."""
    async with bench(policy=policy) as it:
        job = await it.submit(**changes)
        for count in (1, 2):
            (await it.started(count)).end(crash())
        yield it, await it.became(job, State.FAILED)


async def test_a_job_that_has_lost_two_workers_gets_no_third() -> None:
    async with quarantined(max_attempts=10) as (_, job):
        assert [start.outcome for start in job.history] == ["crashed", "crashed"]
        assert job.error is not None
        assert (job.error.code, job.error.detail) == ("worker-crashed", "the worker died (SIGKILL)")


async def test_the_same_work_ends_at_once_and_no_lane_is_spent() -> None:
    async with quarantined() as (it, _):
        again = await it.submit(outputs=(Output(name="another", spec="thumbnail"),))
        assert (again.state, again.attempts, again.history) == (State.FAILED, 0, ())
        assert again.error is not None
        assert again.error.code == "worker-crashed"
        assert [heard.id for heard in it.ear.jobs][-1] == again.id
        assert len(it.lanes.started) == 2


async def test_other_work_goes_on() -> None:
    async with quarantined() as (it, _):
        job = await it.submit(outputs=(Output(name="default", spec="flip"),))
        (await it.started(3)).succeed()
        await it.became(job, State.SUCCEEDED)


async def test_what_waits_with_the_same_work_is_turned_away_and_the_rest_is_not() -> None:
    async with bench(policy=AT_ONCE) as it:
        first = await it.submit()
        lane = await it.started(1)
        same = [await it.submit() for _ in range(3)]
        other = await it.submit(image=image("2" * 64))
        lane.end(crash())
        (await it.started(2)).end(crash())
        ended = [await it.became(job, State.FAILED) for job in (first, *same)]
        # The second start may have been the first job's again or the next one's.
        assert sum(job.attempts for job in ended) == 2
        assert all(job.error and job.error.code == "worker-crashed" for job in ended)
        (await it.started(3)).succeed()
        await it.became(other, State.SUCCEEDED)


async def test_a_quarantine_may_be_later_than_the_last_attempt() -> None:
    async with bench(policy=Policy(retry_base_s=0, quarantine_after=3)) as it:
        job = await it.submit(max_attempts=2)
        for count in (1, 2):
            (await it.started(count)).end(crash())
        await it.became(job, State.FAILED)
        again = await it.submit()
        (await it.started(3)).end(crash())
        assert (await it.became(again, State.FAILED)).attempts == 1


@pytest.mark.parametrize(
    "report",
    [
        Report(outcome=Outcome.TIMED_OUT, problem=Problem(code="processing-timeout", detail="too slow")),
        refusal(),
    ],
)
async def test_a_deadline_and_a_refusal_never_count(report: Report) -> None:
    async with bench(policy=AT_ONCE) as it:
        for count in (1, 2, 3):
            job = await it.submit()
            (await it.started(count)).end(report)
            await it.became(job, State.FAILED)
        assert not it.scheduler.quarantine


async def test_a_cancel_never_counts() -> None:
    async with bench(policy=AT_ONCE) as it:
        for count in (1, 2, 3):
            job = await it.submit()
            await it.started(count)
            await it.scheduler.cancel(job.id)
            await until(lambda: it.lanes.idle == 1)
        assert not it.scheduler.quarantine


async def test_a_drain_never_counts() -> None:
    async with bench(policy=Policy(quarantine_after=1)) as it:
        await it.submit()
        await it.started(1)
    assert not it.scheduler.quarantine
