"""Whose turn it is."""

from __future__ import annotations

import asyncio

import pytest

from imgsvc.errors import Draining
from imgsvc.scheduler.line import Line, Turn

pytestmark = pytest.mark.anyio


async def test_nobody_has_a_turn_in_an_empty_line() -> None:
    assert Line().turn() is Turn.NOBODY


async def test_a_flood_of_calls_leaves_every_fourth_turn_to_jobs() -> None:
    line = Line()
    line.added(5)
    for _ in range(12):
        line.enter()
    turns = []
    for _ in range(12):
        turn = line.turn()
        turns.append(turn)
        if turn is Turn.CALL:
            line.next_call()
        else:
            line.claimed(found=True, since=line.changes)
    assert turns == [Turn.CALL, Turn.CALL, Turn.CALL, Turn.JOB] * 3


async def test_calls_take_every_turn_while_no_job_waits() -> None:
    line = Line()
    for _ in range(8):
        line.enter()
    assert [(line.turn(), line.next_call())[0] for _ in range(8)] == [Turn.CALL] * 8


async def test_a_call_goes_before_jobs_that_came_earlier() -> None:
    line = Line()
    line.added(100)
    line.enter()
    assert line.turn() is Turn.CALL


async def test_no_more_claims_are_under_way_than_jobs_wait() -> None:
    line = Line()
    line.added(2)
    assert [line.turn() for _ in range(3)] == [Turn.JOB, Turn.JOB, Turn.NOBODY]


async def test_a_claim_that_finds_nothing_ends_the_claims() -> None:
    line = Line()
    line.recounted(7, since=line.changes)
    assert line.turn() is Turn.JOB
    line.claimed(found=False, since=line.changes)
    assert line.turn() is Turn.NOBODY


async def test_a_job_that_comes_during_an_empty_claim_is_not_forgotten() -> None:
    line = Line()
    line.added()
    assert line.turn() is Turn.JOB
    before = line.changes
    line.added()
    line.claimed(found=False, since=before)
    assert line.turn() is Turn.JOB


async def test_a_job_that_comes_while_the_store_counts_is_not_forgotten() -> None:
    line = Line()
    before = line.changes
    line.added()
    line.recounted(0, since=before)
    assert line.turn() is Turn.JOB


async def test_a_paused_line_serves_calls_only() -> None:
    line = Line()
    line.added(3)
    line.pause(paused=True)
    assert line.turn() is Turn.NOBODY
    line.enter()
    assert line.turn() is Turn.CALL


async def test_a_call_that_left_is_not_served() -> None:
    line = Line()
    line.leave(line.enter())
    assert line.turn() is Turn.NOBODY


async def test_a_closed_line_tells_those_who_wait_and_those_who_come() -> None:
    line = Line()
    early = line.enter()
    line.close(Draining("the service is shutting down"))
    late = line.enter()
    for waiting in (early, late):
        with pytest.raises(Draining):
            await waiting
    line.added()
    assert line.turn() is Turn.NOBODY


async def test_wanted_returns_when_someone_comes_and_not_before() -> None:
    line = Line()
    wanted = asyncio.create_task(line.wanted())
    await asyncio.sleep(0)
    assert not wanted.done()
    line.added()
    async with asyncio.timeout(1):
        await wanted


async def test_spare_work_has_the_last_turn() -> None:
    line = Line(spares=1)
    line.stand_by()
    line.added()
    line.enter()
    turns = []
    for _ in range(3):
        turns.append(line.turn())
        if turns[-1] is Turn.CALL:
            line.next_call()
        elif turns[-1] is Turn.JOB:
            line.claimed(found=True, since=line.changes)
    assert turns == [Turn.CALL, Turn.JOB, Turn.SPARE]


async def test_spare_work_has_so_many_lanes_and_no_more() -> None:
    line = Line(spares=5, spare_lanes=2)
    for _ in range(3):
        line.stand_by()
    turns = []
    for _ in range(3):
        turns.append(line.turn())
        if turns[-1] is Turn.SPARE:
            line.next_spare()
    assert turns == [Turn.SPARE, Turn.SPARE, Turn.NOBODY]
    line.stood_by()
    assert line.turn() is Turn.SPARE


@pytest.mark.parametrize(("most", "kept"), [(0, []), (1, [2]), (2, [1, 2]), (3, [0, 1, 2])])
async def test_of_too_much_spare_work_the_newest_is_kept(most: int, kept: list[int]) -> None:
    line = Line(spares=most)
    waiting = [line.stand_by() for _ in range(3)]
    assert [number for number, one in enumerate(waiting) if not one.cancelled()] == kept
    assert line.spares == len(kept)


async def test_spare_work_that_left_has_no_turn() -> None:
    line = Line(spares=2)
    line.leave_standing(line.stand_by())
    assert line.turn() is Turn.NOBODY


async def test_a_closed_line_drops_spare_work_now_and_later() -> None:
    line = Line(spares=2)
    early = line.stand_by()
    line.close(Draining("the service is shutting down"))
    late = line.stand_by()
    assert (early.cancelled(), late.cancelled()) == (True, True)
    assert line.turn() is Turn.NOBODY


async def test_a_paused_line_serves_spare_work() -> None:
    line = Line(spares=1)
    line.added()
    line.pause(paused=True)
    line.stand_by()
    assert line.turn() is Turn.SPARE
