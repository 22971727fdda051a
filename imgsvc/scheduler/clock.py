"""The time as records have it."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Gives the time in milliseconds since the epoch, UTC.
Clock = Callable[[], int]


def now() -> int:
    """The time now, in milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000
