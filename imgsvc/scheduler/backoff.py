"""How long to wait before another try: longer each time, and never when everyone else does."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with full jitter: uniform(0, min(cap, base · 2^n)).

    Of the ways to spread retries, the one that takes the fewest tries and the least time when many
    contend (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
    """

    #: Seconds: the longest pause before the second try, and before any.
    base_s: float
    cap_s: float
    #: Seeded by tests.
    random: Random = field(default_factory=Random, repr=False, compare=False)

    def pause(self, failures: int) -> float:
        """Seconds until the next try after so many failures in a row, counted from 1."""
        return self.random.uniform(0, self.longest(failures))

    def longest(self, failures: int) -> float:
        """The most that `pause` answers."""
        # Beyond 2^64 the cap has been reached long ago, and a float would overflow some time.
        return min(self.cap_s, self.base_s * 2.0 ** min(failures - 1, 64))
