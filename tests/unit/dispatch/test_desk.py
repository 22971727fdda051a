from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from imgsvc import dispatch
from imgsvc.dispatch import Dispatcher, Resources
from imgsvc.dispatch._lanes.desk import Desk
from imgsvc.dispatch._lanes.headers import Answer
from imgsvc.dispatch._lanes.keeper import Terms
from imgsvc.dispatch._lanes.lane import Lane, Ran
from imgsvc.dispatch._lanes.process import End
from imgsvc.dispatch._lanes.reserve import bring_up
from imgsvc.dispatch._lanes.semaphores import Names
from imgsvc.dispatch.loky import LokyProcess
from imgsvc.errors import ImageCorrupt, ImageTooComplex, QueueTimeout
from imgsvc.imaging import Facts, Limits
from tests.photos import photo

pytestmark = pytest.mark.anyio

FACTS = Facts(format="jpeg", width=4, height=3, frames=1, has_alpha=False)
READ = Ran(End.ANSWERED, 7, 1.0, answer=Answer(facts=FACTS).model_dump_json().encode())
DIED = Ran(End.DIED, 7, 1.0, exitcode=-11)


def late(cpu_s: float | None) -> Ran:
    """A header that was not read in the second that it had."""
    return Ran(End.DEADLINE, 7, 1000.0, cpu_s=cpu_s)


class Script:
    """A lane whose runs end as they are told to."""

    def __init__(self, *ends: Ran) -> None:
        self.ends = list(ends)

    async def run(self, task: bytes, timeout: float) -> Ran:  # noqa: ARG002  # as a lane's
        return self.ends.pop(0)


def desk(*ends: Ran) -> Desk:
    return Desk(Script(*ends), timeout=1.0, patience=30.0)


@pytest.mark.parametrize("ends", [[READ], [late(0.1), READ], [late(0.49), READ], [DIED, READ]])
async def test_a_desk_that_was_stalled_or_killed_once_reads_the_header_all_the_same(ends: list[Ran]) -> None:
    assert await desk(*ends).probe(Path("x"), Limits()) == FACTS


@pytest.mark.parametrize("ends", [[late(0.5)], [late(0.99)], [late(None)], [late(0.1), late(0.9)]])
async def test_a_header_that_keeps_the_desk_computing_is_too_complex(ends: list[Ran]) -> None:
    with pytest.raises(ImageTooComplex, match="longer than 1 s"):
        await desk(*ends).probe(Path("x"), Limits())


@pytest.mark.parametrize("ends", [[late(0.1), late(0.1)], [DIED, late(0.0)], [late(0.0), DIED]])
async def test_a_machine_that_stalls_the_desk_twice_is_told_to_be_asked_later(ends: list[Ran]) -> None:
    with pytest.raises(QueueTimeout) as caught:
        await desk(*ends).probe(Path("x"), Limits())
    assert caught.value.retry_after == 5


async def test_a_header_that_crashes_the_desk_twice_is_corrupt() -> None:
    with pytest.raises(ImageCorrupt):
        await desk(DIED, DIED).probe(Path("x"), Limits())


async def test_a_header_waits_no_longer_than_that_for_a_desk_that_does_not_come_up(tmp_path: Path) -> None:
    terms = Terms(tasks=10, rss=2**40)
    never = Lane(
        0,
        partial(
            bring_up, partial(LokyProcess, Resources(scratch=tmp_path), Names(tmp_path), "builtins:print")
        ),
        lambda _: None,
        terms,
    )
    with pytest.raises(QueueTimeout):
        await Desk(never, timeout=1.0, patience=0.01).probe(Path("x"), Limits())


@pytest.fixture
async def dispatcher(tmp_path: Path) -> AsyncIterator[Dispatcher]:
    started = dispatch.connect("loky:", Resources(lanes=1, scratch=tmp_path))
    await started.start()
    yield started
    await started.stop()


async def test_a_stopped_desk_is_replaced_and_the_picture_is_good(
    dispatcher: Dispatcher, tmp_path: Path
) -> None:
    (tmp_path / "good.jpg").write_bytes(photo(40, 30))
    await dispatcher.probe(tmp_path / "good.jpg", Limits())
    stalled = dispatcher.desk().pid
    assert stalled is not None
    os.kill(stalled, signal.SIGSTOP)
    facts = await dispatcher.probe(tmp_path / "good.jpg", Limits())
    assert (facts.width, facts.height) == (40, 30)
    assert dispatcher.desk().pid != stalled
    assert dispatcher.desk().restarts == 1


def sleeps(task: Mapping[str, Any], progress: Callable[[str], None]) -> dict[str, Any]:  # a worker's
    signal.pause()
    return {}


def computes(task: Mapping[str, Any], progress: Callable[[str], None]) -> dict[str, Any]:  # a worker's
    while True:
        pass


async def test_a_lane_tells_computing_from_waiting(tmp_path: Path) -> None:
    used: dict[str, float | None] = {}
    for work in ("sleeps", "computes"):
        process = partial(LokyProcess, Resources(scratch=tmp_path), Names(tmp_path), f"{__name__}:{work}")
        lane = Lane(1, partial(bring_up, process), lambda _: None, Terms(tasks=10, rss=2**40))
        lane.start()
        try:
            used[work] = (await lane.run(b"{}", 0.4)).cpu_s
        finally:
            await lane.stop()
    assert used["sleeps"] is not None
    assert used["computes"] is not None
    assert used["computes"] > 2 * used["sleeps"]
