"""Processes that stand by: given at once, replaced, and gone when the service is."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from imgsvc.dispatch import CannotStart
from imgsvc.dispatch._lanes.board import Board
from imgsvc.dispatch._lanes.reserve import Reserve
from tests.unit.scheduler.bench import until

pytestmark = pytest.mark.anyio


class HandProcess:
    """A process in the hands of the test: a pipe stands for its life."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.sentinel, self._life = os.pipe()
        self.board = Board.make(Path("/nowhere"))
        self.ready: Future[int] = Future()
        self.exitcode: int | None = None
        self.closed = False

    def seal(self) -> None: ...

    def submit(self, task: bytes, cpu_s: float) -> Future[int]:
        raise NotImplementedError

    def kill(self) -> None:
        if self.exitcode is None:
            self.exitcode = -9
            os.close(self._life)

    def close(self) -> None:
        self.kill()
        self.board.close()
        os.close(self.sentinel)
        self.closed = True

    def join(self, seconds: float) -> None: ...


class Nursery:
    """Makes processes that come up when the test says so."""

    def __init__(self) -> None:
        self.made: list[HandProcess] = []
        self.broken = False

    def __call__(self) -> Any:  # noqa: ANN401  # stands for a `Process`
        if self.broken:
            raise OSError("no more processes")
        self.made.append(HandProcess(len(self.made) + 1))
        return self.made[-1]

    def up(self, number: int) -> None:
        self.made[number - 1].ready.set_result(number)

    async def until_made(self, count: int) -> None:
        await until(lambda: len(self.made) >= count)
        assert len(self.made) == count


async def taken(reserve: Reserve) -> int:
    async with asyncio.timeout(5):
        return (await reserve.take()).process.pid


def later(act: Callable[[], object]) -> None:
    asyncio.get_running_loop().call_later(0.01, act)


async def test_who_waits_is_served_first_and_the_spare_comes_when_nobody_waits() -> None:
    nursery = Nursery()
    reserve = Reserve(nursery, 1)
    first, second = (asyncio.create_task(taken(reserve)) for _ in range(2))
    await nursery.until_made(2)
    nursery.up(2)
    assert await first == 2
    assert len(nursery.made) == 2
    nursery.up(1)
    assert await second == 1
    await nursery.until_made(3)
    nursery.up(3)
    assert await taken(reserve) == 3
    await nursery.until_made(4)
    await reserve.stop()


async def test_who_asks_while_a_spare_is_on_its_way_gets_that_one() -> None:
    nursery = Nursery()
    reserve = Reserve(nursery, 1)
    later(lambda: nursery.up(1))
    assert await taken(reserve) == 1
    await nursery.until_made(2)
    waiting = asyncio.create_task(taken(reserve))
    await asyncio.sleep(0)
    assert len(nursery.made) == 2
    nursery.up(2)
    assert await waiting == 2
    await reserve.stop()


async def test_without_spares_a_process_is_made_when_it_is_asked_for() -> None:
    nursery = Nursery()
    reserve = Reserve(nursery, 0)
    for number in (1, 2):
        later(lambda number=number: nursery.up(number))  # type: ignore[misc]  # bound as it is now
        assert await taken(reserve) == number
    assert len(nursery.made) == 2
    await reserve.stop()


async def test_one_that_can_not_be_made_is_told_to_whoever_waits() -> None:
    nursery = Nursery()
    nursery.broken = True
    reserve = Reserve(nursery, 1)
    with pytest.raises(CannotStart):
        await taken(reserve)
    await reserve.stop()


async def test_whoever_stops_waiting_loses_no_process() -> None:
    nursery = Nursery()
    reserve = Reserve(nursery, 0)
    waiting = asyncio.create_task(taken(reserve))
    await nursery.until_made(1)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    nursery.up(1)
    await until(lambda: "1 spare" in repr(reserve))
    assert await taken(reserve) == 1
    assert len(nursery.made) == 1
    await reserve.stop()


async def test_a_spare_that_dies_is_given_to_nobody() -> None:
    nursery = Nursery()
    reserve = Reserve(nursery, 1)
    later(lambda: nursery.up(1))
    await taken(reserve)
    await nursery.until_made(2)
    nursery.up(2)
    await until(lambda: "1 spare" in repr(reserve))
    nursery.made[1].kill()
    await until(lambda: nursery.made[1].closed)
    waiting = asyncio.create_task(taken(reserve))
    await nursery.until_made(3)
    nursery.up(3)
    assert await waiting == 3
    await reserve.stop()


async def test_nothing_is_left_when_it_stops() -> None:
    nursery = Nursery()
    reserve = Reserve(nursery, 2)
    later(lambda: nursery.up(1))
    await taken(reserve)
    await nursery.until_made(3)
    nursery.up(2)
    await until(lambda: "1 spare" in repr(reserve))
    await reserve.stop()
    assert [process.closed for process in nursery.made] == [False, True, True]
    nursery.made[0].close()
