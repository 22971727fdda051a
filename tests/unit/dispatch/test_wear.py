"""Processes that are worn out are replaced between two tasks, and no task notices."""

from __future__ import annotations

from pathlib import Path

import pytest

from imgsvc import dispatch
from imgsvc.dispatch import Resources
from imgsvc.imaging import Limits
from imgsvc.worker import Outcome, Report, Task

pytestmark = pytest.mark.anyio

_TASK = Task(storage="memory:wear", source="images/none", targets=(), limits=Limits())


async def test_a_task_is_never_given_to_a_process_whose_end_is_decided(tmp_path: Path) -> None:
    resources = Resources(lanes=1, tasks_per_process=1, scratch=tmp_path)
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
