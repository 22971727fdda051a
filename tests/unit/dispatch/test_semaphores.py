from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from imgsvc import dispatch
from imgsvc.dispatch import Resources
from imgsvc.dispatch._lanes.semaphores import Names, sweep
from imgsvc.imaging import Limits
from tests.photos import photo

pytestmark = pytest.mark.anyio

SHARED = Path("/dev/shm")


def left(stem: str) -> list[int]:
    """The numbers of the semaphores of this stem; a name is asked for, nobody else's is looked at."""
    return [number for number in range(200) if (SHARED / f"sem.{stem}-{number}").exists()]


async def none_left(stem: str) -> None:
    """Returns when every process, the spare ones too, is up and has given its names back."""
    async with asyncio.timeout(20):
        while left(stem):  # noqa: ASYNC110  # another thread's doing
            await asyncio.sleep(0.01)


def beside(file: Path) -> list[str]:
    return [path.name for path in file.parent.iterdir() if path != file]


def test_the_lowest_name_that_is_free_is_taken(tmp_path: Path) -> None:
    names = Names(tmp_path)
    taken = [names.take() for _ in range(3)]
    assert taken == [f"/{names.stem}-{number}" for number in range(3)]
    names.give_back(taken[1])
    assert [names.take(), names.take()] == [taken[1], f"/{names.stem}-3"]


def test_a_sweep_removes_what_a_dead_server_named_and_nothing_else(tmp_path: Path) -> None:
    dead, alive = Names(tmp_path / "dead"), Names(tmp_path / "alive")
    for names in (dead, alive):
        (tmp_path / names.stem).mkdir()
        for number in (0, 3, 150):
            (SHARED / f"sem.{names.stem}-{number}").write_bytes(b"")
    (tmp_path / alive.stem).rename(tmp_path / "alive")
    try:
        sweep(tmp_path)
        assert (left(dead.stem), left(alive.stem)) == ([], [0, 3, 150])
    finally:
        (tmp_path / alive.stem).mkdir()
        sweep(tmp_path)
    assert left(alive.stem) == []


async def test_processes_that_are_up_have_no_name_in_shared_memory(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(photo(40, 30))
    dispatcher = dispatch.connect("loky:", Resources(lanes=1, scratch=tmp_path))
    await dispatcher.start()
    try:
        (stem,) = beside(tmp_path / "x.jpg")
        await none_left(stem)
        killed = dispatcher.desk().pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        while dispatcher.desk().pid in {killed, None}:
            await dispatcher.probe(tmp_path / "x.jpg", Limits())
        await none_left(stem)
    finally:
        await dispatcher.stop()
    assert beside(tmp_path / "x.jpg") == []
