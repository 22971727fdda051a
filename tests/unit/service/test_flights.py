"""Work under way, shared."""

from __future__ import annotations

import asyncio

import pytest

from imgsvc.service.flights import Flight, Flights

pytestmark = pytest.mark.anyio


class Work:
    """Work that ends when the test says so."""

    def __init__(self, *, starts: bool = True) -> None:
        self.begun = 0
        self.starts = starts
        self.go = asyncio.Event()
        self.cancelled = False

    async def __call__(self, flight: Flight[str]) -> str:
        self.begun += 1
        if self.starts:
            flight.start()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return "done"


async def turn() -> None:
    """Let every task that can run do so."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_many_share_one_piece_of_work() -> None:
    flights, work = Flights[str](), Work()
    first = flights.begin("this", "image", work)
    joined = [asyncio.create_task(first.join())]
    for _ in range(200):
        found = flights.get("this")
        assert found is first
        joined.append(asyncio.create_task(found.join()))
    await turn()
    work.go.set()
    assert await asyncio.gather(*joined) == ["done"] * 201
    assert work.begun == 1
    assert flights.get("this") is None
    assert len(flights) == 0


async def test_it_goes_on_when_the_one_who_began_it_hangs_up() -> None:
    flights, work = Flights[str](), Work(starts=False)
    flight = flights.begin("this", "image", work)
    first, second = asyncio.create_task(flight.join()), asyncio.create_task(flight.join())
    await turn()
    first.cancel()
    await turn()
    assert not work.cancelled
    work.go.set()
    assert await second == "done"


async def test_what_nobody_waits_for_is_given_up_before_it_costs_anything() -> None:
    flights, work = Flights[str](), Work(starts=False)
    only = asyncio.create_task(flights.begin("this", "image", work).join())
    await turn()
    only.cancel()
    await turn()
    assert work.cancelled
    assert flights.get("this") is None
    await flights.landed()


async def test_what_has_started_is_finished_for_those_who_come_later() -> None:
    flights, work = Flights[str](), Work()
    only = asyncio.create_task(flights.begin("this", "image", work).join())
    await turn()
    only.cancel()
    await turn()
    assert not work.cancelled
    later = flights.get("this")
    assert later is not None
    work.go.set()
    assert await later.join() == "done"


async def test_a_failure_reaches_everybody() -> None:
    flights = Flights[str]()

    async def fails(flight: Flight[str]) -> str:
        flight.start()
        await asyncio.sleep(0)
        raise LookupError("no")

    flight = flights.begin("this", "image", fails)
    answers = await asyncio.gather(flight.join(), flight.join(), return_exceptions=True)
    assert [type(answer) for answer in answers] == [LookupError, LookupError]


async def test_what_has_gone_stale_is_shared_no_longer() -> None:
    flights, old, new = Flights[str](), Work(), Work()
    before = flights.begin("this", "image", old)
    other = flights.begin("that", "another", Work())
    waiting = asyncio.create_task(before.join())
    flights.turn_stale("image")
    assert before.stale
    assert not other.stale
    assert flights.get("this") is None
    after = flights.begin("this", "image", new)
    await turn()
    old.go.set()
    assert await waiting == "done"
    assert flights.get("this") is after  # the end of the old one took nothing of the new one with it
    new.go.set()
    assert await after.join() == "done"


async def test_who_has_little_patience_leaves_the_work_to_the_others() -> None:
    flights, work = Flights[str](), Work()
    flight = flights.begin("this", "image", work)
    assert await flight.join_within(0) is None
    assert not work.cancelled
    joined = asyncio.create_task(flight.join_within(600))
    work.go.set()
    assert await joined == "done"
    assert await flight.join_within(0) == "done"


async def test_patience_counts_from_the_start_of_the_work() -> None:
    flights, work = Flights[str](), Work(starts=False)
    flight = flights.begin("this", "image", work)
    joined = asyncio.create_task(flight.join_within(0))
    await turn()
    assert not joined.done()
    flight.start()
    assert await joined is None
    work.go.set()
    assert await flight.join() == "done"


async def test_work_that_never_began_is_given_up_by_the_last_who_had_patience() -> None:
    flights, work = Flights[str](), Work(starts=False)
    flight = flights.begin("this", "image", work)
    joined = asyncio.create_task(flight.join_within(600))
    await turn()
    joined.cancel()
    await turn()
    assert work.cancelled
    assert flights.get("this") is None
