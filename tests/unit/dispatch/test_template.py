"""Worker processes are copies of one that is warm, and without it they are started all the same."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from imgsvc import dispatch
from imgsvc.dispatch import Dispatcher, Resources
from imgsvc.imaging import Limits
from imgsvc.worker import Outcome, Task
from tests.servers import alive
from tests.unit.scheduler.bench import until

pytestmark = pytest.mark.anyio

_TASK = Task(storage="memory:template", source="images/none", targets=(), limits=Limits())


@pytest.fixture
async def dispatcher(tmp_path: Path) -> AsyncIterator[Dispatcher]:
    started = dispatch.connect("loky:", Resources(lanes=1, spares=0, scratch=tmp_path))
    await started.start()
    yield started
    await started.stop()


def template(dispatcher: Dispatcher) -> int | None:
    found = re.search(r"<Template pid=(\d+) up>", repr(dispatcher))
    return int(found[1]) if found else None


async def next_process(dispatcher: Dispatcher) -> psutil.Process:
    """The lane's process is killed: the one that takes its place."""
    before = dispatcher.lanes()[0].pid
    assert before is not None
    os.kill(before, signal.SIGKILL)
    await until(lambda: dispatcher.lanes()[0].pid not in {before, None}, 20)
    slot = await dispatcher.acquire()
    assert (await slot.run(_TASK, 10)).outcome is Outcome.REFUSED
    slot.release()
    return psutil.Process(dispatcher.lanes()[0].pid)


def is_copy(process: psutil.Process) -> bool:
    return "imgsvc.dispatch._lanes.copies" in process.cmdline()


async def test_a_worker_is_a_copy_and_a_child_of_ours(dispatcher: Dispatcher) -> None:
    for _ in range(2):
        process = await next_process(dispatcher)
        assert is_copy(process)
        assert process.ppid() == os.getpid()


async def test_a_copy_has_no_files_of_the_others(dispatcher: Dispatcher) -> None:
    counts = {(await next_process(dispatcher)).num_fds() for _ in range(4)}
    assert len(counts) == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_without_a_template_workers_are_started_until_there_is_another(
    dispatcher: Dispatcher, number: signal.Signals
) -> None:
    first = template(dispatcher)
    assert first is not None
    os.kill(first, number)
    assert not is_copy(await next_process(dispatcher))
    assert not alive(first)
    await next_process(dispatcher)
    await until(lambda: template(dispatcher) not in {first, None}, 20)
    assert is_copy(await next_process(dispatcher))


async def test_nothing_is_left_of_it(tmp_path: Path) -> None:
    started = dispatch.connect("loky:", Resources(lanes=1, spares=1, scratch=tmp_path))
    await started.start()
    pids = {process.pid for process in psutil.Process().children() if is_copy(process)}
    assert len(pids) >= 3  # the template, the desk, the lane
    await started.stop()
    await until(lambda: not any(alive(pid) for pid in pids), 10)
