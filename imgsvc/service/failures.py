"""What has just failed, so that a herd of requests for a broken picture costs one task."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from imgsvc.errors import ImageRefused, Problem, ProcessingTimeout, from_problem

#: Failures that are remembered at most: some 200 kB.
_MOST = 1000


class Failures:
    """Problems by what was tried, for some seconds each. Only those that would come again are kept.

    A lost worker is none of them: the machine may have been at fault, and where the work was, the quarantine
    counts it.
    """

    def __init__(self, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`seconds` of 0: nothing is remembered."""
        self._seconds = seconds
        self._monotonic = monotonic
        self._failures: OrderedDict[str, tuple[float, Problem]] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Failures: {len(self._failures)}>"

    def add(self, tried: str, image: str, problem: Problem) -> None:
        """Something failed: remembered if the picture or the pipeline is at fault, not us."""
        if self._seconds > 0 and isinstance(from_problem(problem), ImageRefused | ProcessingTimeout):
            self._failures[f"{image} {tried}"] = (self._monotonic() + self._seconds, problem)
            self._failures.move_to_end(f"{image} {tried}")
            if len(self._failures) > _MOST:
                self._failures.popitem(last=False)

    def get(self, tried: str, image: str) -> Problem | None:
        """Why it failed a moment ago, None when it did not."""
        found = self._failures.get(f"{image} {tried}")
        if found is None:
            return None
        until, problem = found
        if self._monotonic() < until:
            return problem
        del self._failures[f"{image} {tried}"]
        return None

    def forget(self, image: str) -> None:
        """An image is removed, or to be tried anew."""
        for key in [key for key in self._failures if key.startswith(f"{image} ")]:
            del self._failures[key]
