"""How fast work gets done, measured: what a wait is estimated from."""

from __future__ import annotations

import random

#: The weight of the newest task: about the last twenty count.
_WEIGHT = 0.1
#: Seconds per task before any was measured: what a photograph takes.
_GUESS = 0.1
_SHORTEST, _LONGEST = 1.0, 300.0
#: Clients that were refused together should not come back together.
_JITTER = 0.2


#: The least weight of a new interval between two starts: about the last fifty count, for starts come in
#: pairs and in bursts.
_LEAST = 0.02


class Pace:
    """How often queued jobs start while there are more of them: what is left when calls have had their turns.

    Times are seconds of a monotonic clock.
    """

    def __init__(self) -> None:
        self._mean: float | None = None
        self._count = 0
        self._last: float | None = None

    def __repr__(self) -> str:
        return "<Pace unknown>" if self._mean is None else f"<Pace one start in {self._mean * 1000:.1f} ms>"

    @property
    def interval_s(self) -> float | None:
        """Seconds from one start to the next; None before any was measured."""
        return self._mean

    def started(self, at: float, *, more: bool) -> None:
        """A job has started; `more`: others wait, and will start as soon as they can."""
        if self._last is not None:
            self._count += 1
            mean = self._mean or 0.0
            self._mean = mean + max(_LEAST, 1 / self._count) * (at - self._last - mean)
        self._last = at if more else None

    def stop(self) -> None:
        """The time until the next start is nobody's wait: the queue is paused, or empty."""
        self._last = None


class Rate:
    """A moving mean of what a task takes on a lane."""

    def __init__(self, lanes: int) -> None:
        self._lanes = max(1, lanes)
        self._mean: float | None = None

    def __repr__(self) -> str:
        return f"<Rate {self.task_s * 1000:.1f} ms a task on {self._lanes} lanes>"

    @property
    def task_s(self) -> float:
        """Seconds that a task takes."""
        return _GUESS if self._mean is None else self._mean

    def took(self, seconds: float) -> None:
        """One more task is done."""
        self._mean = seconds if self._mean is None else self._mean + _WEIGHT * (seconds - self._mean)

    def wait_s(self, ahead: int) -> float:
        """Seconds until `ahead` tasks are done."""
        return ahead * self.task_s / self._lanes

    def retry_after(self, ahead: int) -> float:
        """When to come back, in seconds: until `ahead` tasks are done, ± 20 %, 1 to 300 (design/api.md)."""
        jitter = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311  # spreads clients, hides nothing
        return min(_LONGEST, max(_SHORTEST, self.wait_s(ahead) * jitter))
