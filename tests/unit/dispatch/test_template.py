"""Worker processes are copies of one that is warm, and without it they are started all the same."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
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


def template(dispatcher: Dispatcher, state: str = "up") -> int | None:
    found = re.search(rf"<Template pid=(\d+) {state}>", repr(dispatcher))
    return int(found[1]) if found else None


def warming(dispatcher: Dispatcher) -> int | None:
    return template(dispatcher, "down")


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


async def test_a_template_that_is_lost_before_it_is_warm_is_not_the_last_one(dispatcher: Dispatcher) -> None:
    first = template(dispatcher)
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await next_process(dispatcher)
    for _ in range(2):
        coming = asyncio.create_task(next_process(dispatcher))
        await until(lambda: warming(dispatcher) is not None, 20)
        os.kill(warming(dispatcher) or 0, signal.SIGKILL)
        await until(lambda: "<Template pid=None down>" in repr(dispatcher), 20)
        await coming
    await next_process(dispatcher)
    await until(lambda: template(dispatcher) is not None, 20)
    assert is_copy(await next_process(dispatcher))


@pytest.fixture
def warm() -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
    """A template of our own, and our end of its socket."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(20)
    command = [sys.executable, "-m", "imgsvc.dispatch._lanes.copies", str(theirs.fileno()), str(os.getpid())]
    with theirs:
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stderr=subprocess.PIPE)
    before = {child.pid for child in psutil.Process().children()}
    with ours:
        assert ours.recv(10) == b"up"
        yield process, ours
    process.kill()
    process.communicate()
    # Where this process has had a dispatcher, orphans below it are its children.
    for copy in {child.pid for child in psutil.Process().children()} - before:
        os.waitpid(copy, 0)


@pytest.mark.parametrize("told", [b"", b"\x80\x04\x95\xff"])
def test_a_copy_whose_server_dies_before_it_is_told_all_says_nothing(
    warm: tuple[subprocess.Popen[bytes], socket.socket], told: bytes
) -> None:
    process, ours = warm
    reading, writing = os.pipe()
    os.write(writing, told)
    os.close(writing)
    order = json.dumps({"pipe": reading, "files": [reading]}).encode()
    socket.send_fds(ours, [order], [reading])
    os.close(reading)
    assert int(ours.recv(100)) > 0
    ours.close()
    _, said = process.communicate(timeout=20)  # the end of the file: the copy, too, has closed it
    assert (process.returncode, said) == (0, b"")


def test_a_template_whose_server_dies_with_an_order_on_its_way_says_nothing(
    warm: tuple[subprocess.Popen[bytes], socket.socket],
) -> None:
    process, ours = warm
    reading, writing = os.pipe()
    socket.send_fds(ours, [json.dumps({"pipe": reading, "files": [reading]}).encode()], [reading])
    ours.close()
    for fd in (reading, writing):
        os.close(fd)
    _, said = process.communicate(timeout=20)
    assert (process.returncode, said) == (0, b"")


async def test_nothing_is_left_of_it(tmp_path: Path) -> None:
    started = dispatch.connect("loky:", Resources(lanes=1, spares=1, scratch=tmp_path))
    await started.start()
    pids = {process.pid for process in psutil.Process().children() if is_copy(process)}
    assert len(pids) >= 3  # the template, the desk, the lane
    await started.stop()
    await until(lambda: not any(alive(pid) for pid in pids), 10)
