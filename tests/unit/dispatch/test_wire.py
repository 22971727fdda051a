"""Orders and answers on a socket, and what lies on the board meanwhile."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from imgsvc.dispatch import Resources
from imgsvc.dispatch._lanes.board import Board
from imgsvc.dispatch._lanes.process import End
from imgsvc.dispatch._lanes.reserve import bring_up, see_off
from imgsvc.dispatch._lanes.semaphores import Names
from imgsvc.dispatch._lanes.wire import Wire, WorkersEnd
from imgsvc.dispatch.loky import LokyProcess
from tests.unit.scheduler.bench import until

pytestmark = pytest.mark.anyio


class Ends:
    """Both ends in one process."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.wire = Wire(self.answers.append)
        self.theirs = os.dup(self.wire.theirs)
        self.wire.handed_over()

    def raw(self) -> socket.socket:
        """The process's end, for one that does not behave."""
        return socket.socket(fileno=self.theirs)


@contextmanager
def serving(ends: Ends) -> Iterator[list[tuple[int, float]]]:
    """A process that answers with twice the length; what it was asked for. It ends with the wire."""
    asked: list[tuple[int, float]] = []

    def run(length: int, cpu_s: float) -> int:
        asked.append((length, cpu_s))
        return 2 * length

    thread = Thread(target=WorkersEnd(ends.theirs).serve, args=[run])
    thread.start()
    try:
        yield asked
    finally:
        ends.wire.close()
        thread.join(5)
        assert not thread.is_alive()


async def test_each_order_is_answered() -> None:
    ends = Ends()
    with serving(ends) as asked:
        for length in (3, 5, 0):
            ends.wire.order(length, 1.5)
            await until(lambda: len(ends.answers) == len(asked) > 0 and asked[-1][0] == length)  # noqa: B023  # within the turn
        assert asked == [(3, 1.5), (5, 1.5), (0, 1.5)]
        assert ends.answers == [6, 10, 0]


async def test_an_answer_to_another_order_is_none() -> None:
    ends = Ends()
    with ends.raw() as process:
        ends.wire.order(3, 1.0)
        number, length, cpu_s = struct.unpack("<QQd", process.recv(100))
        assert (length, cpu_s) == (3, 1.0)
        for other in (number - 1, number + 1, number):
            process.send(struct.pack("<Qq", other, 10 * other))
        await until(lambda: bool(ends.answers))
        assert ends.answers == [10 * number]
    ends.wire.close()


@pytest.mark.parametrize("said", [b"?", b"no answer has so many bytes, or none that makes sense"])
async def test_what_is_no_answer_is_not_listened_to(said: bytes) -> None:
    ends = Ends()
    with ends.raw() as process:
        ends.wire.order(3, 1.0)
        process.send(said)
        process.send(struct.pack("<Qq", 1, 7))
        await until(lambda: bool(ends.answers))
        assert ends.answers == [7]
    ends.wire.close()


async def test_a_process_that_is_gone_takes_no_order() -> None:
    ends = Ends()
    os.close(ends.theirs)
    with pytest.raises(OSError, match=r"[Bb]roken pipe|[Rr]eset"):
        ends.wire.order(3, 1.0)
    ends.wire.close()


@pytest.mark.parametrize(("more", "fits"), [(0, True), (1, False)])
def test_a_task_lies_on_the_board_if_it_fits(tmp_path: Path, more: int, fits: bool) -> None:
    board = Board.make(tmp_path)
    task = bytes(range(256)) * (2 * 1024 * 1024 // 256) + bytes(more)
    try:
        if not fits:
            with pytest.raises(ValueError, match="2097152 fit"):
                board.ask(task)
            return
        assert board.write(b"answer") == 6
        board.show("decode")
        assert board.asked(board.ask(task)) == task
        assert (board.read(6), board.step()) == (b"answer", "decode")
    finally:
        board.close()


def echoes(task: Mapping[str, Any], progress: Callable[[str], None]) -> dict[str, Any]:  # a worker's
    return dict(task)


async def test_a_task_that_does_not_fit_fails_alone(tmp_path: Path) -> None:
    names = Names(tmp_path)
    names.keep()
    watch = await bring_up(partial(LokyProcess, Resources(scratch=tmp_path), names, f"{__name__}:echoes"))
    try:
        with pytest.raises(ValueError, match="2097152 fit"):
            watch.process.submit(bytes(2 * 1024 * 1024 + 1), 5)
        answer = watch.process.submit(b'{"next":1}', 5)
        assert await watch.call(answer, 30) is End.ANSWERED
        assert watch.process.board.read(answer.result()) == b'{"next":1}'
    finally:
        await see_off(watch)
