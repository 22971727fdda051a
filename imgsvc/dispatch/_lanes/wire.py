"""How a task gets to a worker process, and word of its answer back: a few bytes on a socket.

What is asked and answered lies on the board. In a process pool a thread tells a thread that writes into a
pipe, and one reads from another: between two tasks a CPU had nothing to do for three milliseconds
(docs/decisions/0018-wire.md).
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.context import get_spawning_popen
from typing import Any

#: The number of the order, the length of the task, the CPU seconds that it may take.
_ORDER = struct.Struct("<QQd")
#: The number of the order, and what was answered.
_ANSWER = struct.Struct("<Qq")


class Wire:
    """The server's end. Made on the event loop's thread, and handed to one process as that is started."""

    def __init__(self, answered: Callable[[int], None]) -> None:
        """`answered` is called, on the event loop, with the answer to the last order."""
        self._answered = answered
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours.settimeout(0)
        self._number = 0
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._ours, self._on_answer)

    def __reduce__(self) -> tuple[Callable[[int], WorkersEnd], tuple[int]]:
        """Pickled only as a process is started: its end is inherited under the same number."""
        start: Any = get_spawning_popen()  # loky's, which is not in the types of the standard library
        return WorkersEnd, (start.duplicate_for_child(self.theirs),)

    @property
    def theirs(self) -> int:
        """The file of the process's end, until it is handed over."""
        return self._theirs.fileno()

    def handed_over(self) -> None:
        """The process has its end: the server need not keep it open."""
        self._theirs.close()

    def order(self, length: int, cpu_s: float) -> None:
        """Tell the process that a task of so many bytes is on the board. Raises OSError when it is gone."""
        # Whoever waits for an answer sends no further order: one never finds the socket full.
        self._number += 1
        self._ours.send(_ORDER.pack(self._number, length, cpu_s))

    def close(self) -> None:
        """Cut it."""
        self._loop.remove_reader(self._ours)
        self._ours.close()
        self._theirs.close()

    def _on_answer(self) -> None:
        try:
            said = self._ours.recv(_ANSWER.size + 1)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if not said:  # the process is gone, which others notice
            self._loop.remove_reader(self._ours)
        elif len(said) == _ANSWER.size:  # or it is not itself any more
            number, answer = _ANSWER.unpack(said)
            if number == self._number:
                self._answered(answer)


class WorkersEnd:
    """The process's end."""

    def __init__(self, fd: int) -> None:
        """Take over the open socket `fd`."""
        self._socket = socket.socket(fileno=fd)

    def serve(self, run: Callable[[int, float], int]) -> None:
        """Do what is ordered, until the server cuts the wire: `run` takes the length and the CPU seconds."""
        with self._socket, suppress(ConnectionError):
            while order := self._socket.recv(_ORDER.size):
                number, length, cpu_s = _ORDER.unpack(order)
                self._socket.send(_ANSWER.pack(number, run(length, cpu_s)))
