"""A process that has imported all that workers need, and of which they are copies: forked, not started."""

from __future__ import annotations

import asyncio
import ctypes
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

#: prctl(2): orphans below this process become its children.
_PR_SET_CHILD_SUBREAPER = 36
#: Seconds in which a copy must be there, or the template is given up: it takes some milliseconds.
PATIENCE_S = 1.0
#: Seconds in which it must be up itself; it takes 0.3 s of CPU time, more on a machine that is short of it.
_WARM_UP_S = 20.0
#: Files below are the standard ones, which a copy shares with the template.
_FIRST_FILE = 3
#: Files that one message may carry (Linux: SCM_MAX_FD).
MOST_FILES = 253
LONGEST = 65536

_COPIES = "imgsvc.dispatch._lanes.copies"

#: Starts a command that keeps some open files: its pid.
Start = Callable[[Sequence[str], Sequence[int]], int]

_log = logging.getLogger(__name__)


class Template:
    """The server's side. Where there is no template, or none any more, `fork` answers None."""

    def __init__(self, start: Start) -> None:
        """Start one with `start`; it is of use once it is `ready`."""
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours.settimeout(0)
        self._up = False
        self._pid: int | None = None
        with theirs:
            if _adopts_orphans():
                command = [sys.executable, "-m", _COPIES, str(theirs.fileno()), str(os.getpid())]
                self._pid = start(command, [theirs.fileno()])
            else:
                self._ours.close()

    def __repr__(self) -> str:
        return f"<Template pid={self._pid} {'up' if self._up else 'down'}>"

    @property
    def up(self) -> bool:
        """Does it make copies?"""
        return self._up

    @property
    def gone(self) -> bool:
        """Was it lost, whether it had come up or not? Or there never was one."""
        return self._pid is None

    async def ready(self) -> None:
        """Returns when it makes copies, or when it is clear that it never will."""
        if self._pid is None:
            return
        try:
            async with asyncio.timeout(_WARM_UP_S):
                self._up = bool(await asyncio.get_running_loop().sock_recv(self._ours, LONGEST))
        except (OSError, TimeoutError):
            self._up = False
        if not self._up:
            self._give_up("it does not come up")

    def fork(self, pipe: int, files: Sequence[int]) -> int | None:
        """A new child of this process that has these files under the same numbers; its pid.

        It reads from `pipe` what loky sends to a process that it starts. None: start one yourself.
        """
        if not self._up or min(files) < _FIRST_FILE or len(files) > MOST_FILES:
            return None
        try:
            self._ours.settimeout(PATIENCE_S)
            order = json.dumps({"pipe": pipe, "files": list(files)}).encode()
            socket.send_fds(self._ours, [order], list(files))
            return int(self._ours.recv(LONGEST) or b"gone")
        except (OSError, ValueError) as error:
            self._give_up(str(error))
            return None

    def _give_up(self, why: str) -> None:
        _log.warning("the template of workers is given up, they are started one by one: %s", why)
        self.close()

    def close(self) -> None:
        """End it."""
        self._up = False
        self._ours.close()
        if self._pid is not None:
            with suppress(OSError):
                os.kill(self._pid, signal.SIGKILL)
                os.waitpid(self._pid, 0)
            self._pid = None


def _adopts_orphans() -> bool:
    """Make copies children of this process: their own parent ends at once."""
    try:
        return bool(ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
    except (AttributeError, OSError):  # Linux has it
        return False
