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
