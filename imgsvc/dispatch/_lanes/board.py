"""The memory that a worker process shares with the server: its task, what it does now, its last answer."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Callable
from multiprocessing.context import get_spawning_popen
from pathlib import Path
from typing import Any

#: Bytes for the current step: an output's name (64 at most) and an operation's.
_STEP = 128
#: Bytes for an answer; the longest report (16 outputs of 20 operations, long names) has 80 KB.
#: Pages that are never written take no memory.
_ANSWER = 256 * 1024
#: Bytes for a task; the longest that the API lets pass has 1 MiB.
_TASK = 2 * 1024 * 1024
_SIZE = _STEP + _ANSWER + _TASK


class Board:
    """One side of the shared memory; it has no name anywhere, so that nothing can be left behind.

    The server makes it and hands it to one process as that is started.
    """

    def __init__(self, fd: int) -> None:
        """Map the open file `fd`, which belongs to the board from now on."""
        self._fd: int | None = fd
        self._map = mmap.mmap(fd, _SIZE)

    @classmethod
    def make(cls, scratch: Path) -> Board:
        """A fresh board: anonymous memory, or where that is not known an unlinked file in `scratch`."""
        if hasattr(os, "memfd_create"):
            fd = os.memfd_create("imgsvc-board")
        else:
            with tempfile.TemporaryFile(dir=scratch) as file:
                fd = os.dup(file.fileno())
        os.ftruncate(fd, _SIZE)
        return cls(fd)

    def __reduce__(self) -> tuple[Callable[[int], Board], tuple[int]]:
        """Pickled only as a process is started: its file is inherited under the same number."""
        start: Any = get_spawning_popen()  # loky's, which is not in the types of the standard library
        return _inherit, (start.duplicate_for_child(self._fd),)

    def handed_over(self) -> None:
        """Both sides have the memory mapped: the file is not needed any more."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def ask(self, task: bytes) -> int:
        """Leave a task; its length. Raises ValueError when it does not fit."""
        if len(task) > _TASK:
            raise ValueError(f"a task of {len(task)} bytes, {_TASK} fit")
        self._map[_STEP + _ANSWER : _STEP + _ANSWER + len(task)] = task
        return len(task)

    def asked(self, length: int) -> bytes:
        """The task that was left."""
        return self._map[_STEP + _ANSWER : _STEP + _ANSWER + length]

    def show(self, step: str) -> None:
        """Say what is being done; cut to what there is room for."""
        # One copy of a few words: a reader may see half of it, which matters to nobody.
        self._map[:_STEP] = step.encode()[:_STEP].ljust(_STEP, b"\0")

    def step(self) -> str | None:
        """What is being done; None where nobody said, and once the board is closed."""
        if self._map.closed:
            return None
        return self._map[:_STEP].rstrip(b"\0").decode(errors="ignore") or None

    def write(self, answer: bytes) -> int:
        """Leave an answer; its length. Raises ValueError when it does not fit."""
        if len(answer) > _ANSWER:
            raise ValueError(f"an answer of {len(answer)} bytes, {_ANSWER} fit")
        self._map[_STEP : _STEP + len(answer)] = answer
        return len(answer)

    def read(self, length: int) -> bytes:
        """The answer that was left."""
        return self._map[_STEP : _STEP + length]

    def close(self) -> None:
        """Give the memory back; the board is of no use afterwards."""
        self.handed_over()
        self._map.close()


def _inherit(fd: int) -> Board:
    board = Board(fd)
    board.handed_over()
    return board
