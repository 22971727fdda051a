"""How much CPU time a process has used, where the system tells."""

from __future__ import annotations

import ctypes
import time
from contextlib import suppress

#: POSIX has it, Linux has it for every process; it costs a tenth of reading /proc/PID/stat.
_clock_of = getattr(ctypes.CDLL(None), "clock_getcpuclockid", None)


def used(pid: int) -> float | None:
    """Seconds of CPU time of all its threads (clock_getcpuclockid(3)); None once it has ended."""
    clock = ctypes.c_int()
    if _clock_of is None or _clock_of(pid, ctypes.byref(clock)) != 0:
        return None
    with suppress(OSError):
        return time.clock_gettime(clock.value)
    return None
