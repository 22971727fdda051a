"""What the kernel ends when the server fails to: it works in the middle of C."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

from imgsvc.dispatch import Resources
from imgsvc.dispatch._lanes.lane import Ran
from imgsvc.dispatch._lanes.process import End
from imgsvc.dispatch._lanes.reports import report
from imgsvc.dispatch._lanes.reserve import bring_up, see_off
from imgsvc.dispatch._lanes.semaphores import Names
from imgsvc.dispatch.loky import LokyProcess
from imgsvc.worker import Outcome

pytestmark = pytest.mark.anyio


def spins(task: Mapping[str, Any], progress: Callable[[str], None]) -> dict[str, Any]:  # a worker's
    progress("decode")
    deque(repeat(None), maxlen=0)
    return {}


def works(task: Mapping[str, Any], progress: Callable[[str], None]) -> dict[str, Any]:  # a worker's
    deque(repeat(None, 1_000_000), maxlen=0)
    return {}


async def test_a_task_that_uses_too_much_cpu_time_is_ended_and_is_a_timeout(tmp_path: Path) -> None:
    watch = await bring_up(
        partial(LokyProcess, Resources(scratch=tmp_path), Names(tmp_path), f"{__name__}:spins")
    )
    assert await watch.call(watch.process.submit(b"{}", 0.1), 30) is End.DIED
    step = watch.process.board.step()
    code = await see_off(watch)
    assert code == -signal.SIGXCPU
    told = report(Ran(End.DIED, 1, 1.0, step=step, exitcode=code), 0.1)
    assert told.outcome is Outcome.TIMED_OUT
    assert told.problem is not None
    assert "in decode" in told.problem.detail


async def test_each_task_has_the_cpu_time_of_its_own(tmp_path: Path) -> None:
    watch = await bring_up(
        partial(LokyProcess, Resources(scratch=tmp_path), Names(tmp_path), f"{__name__}:works")
    )
    try:
        for _ in range(3):
            assert await watch.call(watch.process.submit(b"{}", 1), 30) is End.ANSWERED
    finally:
        await see_off(watch)
