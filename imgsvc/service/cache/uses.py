"""Which uses of a cached file are worth a note on the disk, by which a restart knows the order."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Seconds after which a use is noted again in any case.
_EVERY_S = 60.0
#: It is noted sooner when more files have come since than one part in so many of all: a restart would take it
#: for older than they are.
_PART = 16


class Uses:
    """When the uses of files were noted last; hits on what nothing new comes beside cost a note a minute."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        #: Files that have come since the start.
        self._came = 0
        self._noted: dict[str, tuple[float, int]] = {}

    def __repr__(self) -> str:
        return f"<Uses: {len(self._noted)} noted>"

    def another(self) -> None:
        """A file has come."""
        self._came += 1

    def worth(self, key: str, files: int) -> bool:
        """Is this use of a file to be noted, among so many? Then it is taken to be."""
        now = self._monotonic()
        if key in self._noted:
            at, came = self._noted[key]
            if now - at < _EVERY_S and self._came - came <= files // _PART:
                return False
        self._noted[key] = now, self._came
        return True

    def forget(self, key: str) -> None:
        """A file is gone."""
        self._noted.pop(key, None)
