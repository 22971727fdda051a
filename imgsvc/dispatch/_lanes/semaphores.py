"""Names for the few semaphores that processes have while they start, and their removal after a SIGKILL."""

from __future__ import annotations

import os
import re
import secrets
import threading

# The one way to remove a semaphore: loky's and the standard library's.
from _multiprocessing import sem_unlink  # type: ignore[import-not-found]  # a module in C
from contextlib import suppress
from itertools import count
from pathlib import Path

#: A folder that stands for semaphores; the pid is that of the server, for people who find one of them.
_STEM = re.compile(r"loky-\d+-[0-9a-f]{8}")
#: Numbers that are tried when a server has died. A process has seven until it is up, and IMGSVC_WORKERS goes
#: to 1024, of which each may be about to be replaced.
_NUMBERS = 2 * 7 * (1024 + 1)


class Names:
    """A server's names: a stem with a number, the lowest that is free. A folder in `scratch` keeps the stem.

    So the next start knows every name that this one may have left: see `sweep`.
    """

    def __init__(self, scratch: Path) -> None:
        self.stem = f"loky-{os.getpid()}-{secrets.token_hex(4)}"
        self._folder = scratch / self.stem
        self._taken: set[int] = set()
        #: Some are given back by whatever thread collects garbage.
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<Names {self.stem} {len(self._taken)} taken>"

    def keep(self) -> None:
        """Keep the stem on the disk, before the first name is taken."""
        self._folder.mkdir()

    def forget(self) -> None:
        """All names have been given back for good."""
        with suppress(OSError):
            self._folder.rmdir()

    def take(self) -> str:
        """A name for a semaphore that is about to be made."""
        with self._lock:
            number = next(number for number in count() if number not in self._taken)
            self._taken.add(number)
        return f"/{self.stem}-{number}"

    def give_back(self, name: str) -> None:
        """Remove the name, also where there is no semaphore any more."""
        with suppress(OSError):
            sem_unlink(name)
        with self._lock:
            self._taken.discard(int(name.rpartition("-")[2]))


def sweep(scratch: Path) -> None:
    """Remove every semaphore that a dead server has left, by the exact names that it may have used."""
    with suppress(OSError):
        for folder in scratch.iterdir():
            if _STEM.fullmatch(folder.name):
                for number in range(_NUMBERS):
                    with suppress(OSError):
                        sem_unlink(f"/{folder.name}-{number}")
