"""Processes that are worn out are replaced between two tasks, and no task notices."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from imgsvc import dispatch
from imgsvc.dispatch import Resources
from imgsvc.imaging import Limits
from imgsvc.worker import Outcome, Report, Task
from tests.unit.scheduler.bench import until

pytestmark = pytest.mark.anyio

_TASK = Task(storage="memory:wear", source="images/none", targets=(), limits=Limits())


async def test_a_task_is_never_given_to_a_process_whose_end_is_decided(tmp_path: Path) -> None:
    resources = Resources(lanes=1, tasks_per_process=1, spares=1, scratch=tmp_path)
    dispatcher = dispatch.connect("loky:", resources)
    await dispatcher.start()
    try:
        reports: list[Report] = []
        while dispatcher.lanes()[0].restarts < 4:
            slot = await dispatcher.acquire()
            reports.append(await slot.run(_TASK, 10))
            slot.release()
        assert {report.outcome for report in reports} == {Outcome.REFUSED}
    finally:
        await dispatcher.stop()


@pytest.mark.parametrize(("worn_rss", "replaced"), [(1, True), (2**40, False)])
async def test_a_process_that_has_grown_too_large_is_replaced(
    tmp_path: Path, worn_rss: int, replaced: bool
) -> None:
    resources = Resources(lanes=1, spares=0, worn_rss=worn_rss, scratch=tmp_path)
    dispatcher = dispatch.connect("loky:", resources)
    await dispatcher.start()
    try:
        for _ in range(2):
            slot = await dispatcher.acquire()
            await slot.run(_TASK, 10)
            slot.release()
        if replaced:
            await until(lambda: dispatcher.lanes()[0].restarts == 1, 20)
            restart = dispatcher.lanes()[0].last_restart
            assert restart is not None
            assert "MiB of memory" in restart.reason
        else:
            assert dispatcher.lanes()[0].restarts == 0
    finally:
        await dispatcher.stop()


async def test_a_lane_whose_process_is_killed_goes_on_with_the_spare_one(tmp_path: Path) -> None:
    dispatcher = dispatch.connect("loky:", Resources(lanes=1, spares=1, scratch=tmp_path))
    await dispatcher.start()
    try:
        first = dispatcher.lanes()[0].pid
        assert first is not None
        await until(lambda: "1 spare" in repr(dispatcher), 20)
        known = {process.pid for process in psutil.Process().children()}
        os.kill(first, signal.SIGKILL)
        await until(lambda: dispatcher.lanes()[0].pid not in {first, None}, 20)
        assert dispatcher.lanes()[0].pid in known
    finally:
        await dispatcher.stop()
