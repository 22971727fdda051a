"""Counts what was done and how long each operation took, in fixed buckets: microseconds per event."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from imgsvc import plugins
from imgsvc.errors import Problem
from imgsvc.jobs import Job, State, Step
from imgsvc.worker import Outcome, Report

#: Upper bounds in ms, each a quarter above the one before: a percentile is at most 12 % off.
BOUNDS: tuple[float, ...] = tuple(accumulate(range(65), lambda bound, _: bound * 1.25, initial=0.05))


@dataclass(slots=True)
class Histogram:
    """Durations in milliseconds, of which only the counts per bucket are kept."""

    count: int = 0
    total: float = 0.0
    largest: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))

    def add(self, ms: float) -> None:
        """One more duration."""
        self.count += 1
        self.total += ms
        self.largest = max(self.largest, ms)
        self.buckets[bisect_left(BOUNDS, ms)] += 1

    def percentile(self, share: float) -> float:
        """The duration that `share` of all do not exceed, in a straight line within its bucket."""
        wanted = share * self.count
        below = 0
        for index, inside in enumerate(self.buckets):
            if inside and below + inside >= wanted:
                low = BOUNDS[index - 1] if index else 0.0
                high = min(BOUNDS[index], self.largest) if index < len(BOUNDS) else self.largest
                return low + max(0.0, high - low) * (wanted - below) / inside
            below += inside
        return 0.0

    def summary(self) -> dict[str, float]:
        """Mean and percentiles in ms, as `GET /v1/stats` shows them."""
        mean = self.total / self.count if self.count else 0.0
        shares = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
        return {"mean": round(mean, 3)} | {k: round(self.percentile(v), 3) for k, v in shares.items()}


@dataclass(slots=True)
class Operation:
    """What is known of one operation."""

    errors: int = 0
    wall: Histogram = field(default_factory=Histogram)
    cpu: Histogram = field(default_factory=Histogram)


class Metrics:
    """An observer that counts since the start of this process."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._operations: dict[str, Operation] = {}
        self._jobs: Counter[str] = Counter()
        self._calls: Counter[str] = Counter()
        self._spare: Counter[str] = Counter()
        self._problems: Counter[str] = Counter()
        self._bytes_in = 0
        self._bytes_out = 0
        self._refused_bodies = self._refused_bytes = self._largest_refused = 0

    def job_ended(self, job: Job) -> None:
        """A job has reached its end."""
        self._jobs[job.state.value] += 1
        self._bytes_in += job.image.bytes
        self._bytes_out += sum(result.bytes for result in job.results)
        self._count(job.timings.steps)
        if job.state is State.FAILED and job.error is not None:
            self._problems[job.error.code] += 1
            self._blame(job.error, job.timings.steps, {output.name: output.spec for output in job.outputs})

    def call_ended(self, report: Report, specs: Mapping[str, str], bytes_in: int) -> None:
        """A synchronous call has run; `specs` are its pipelines' canonical texts by output."""
        self._calls[report.outcome.value] += 1
        self._bytes_in += bytes_in
        self._ran(report, specs)

    def spare_ended(self, report: Report, specs: Mapping[str, str]) -> None:
        """Spare work has run; `specs` as for a call."""
        self._spare[report.outcome.value] += 1
        self._ran(report, specs)

    def problem(self, code: str) -> None:
        """A request was answered with a problem."""
        self._problems[code] += 1

    def refused_body(self, size: int) -> None:
        """A request was answered before its body was whole; so much of that had been read in all."""
        self._refused_bodies += 1
        self._refused_bytes += size
        self._largest_refused = max(self._largest_refused, size)

    def operations(self) -> dict[str, dict[str, Any]]:
        """Every operation seen so far, decode and encode among them."""
        return {
            name: {
                "count": operation.wall.count,
                "errors": operation.errors,
                "wall_ms": operation.wall.summary(),
                "cpu_ms": operation.cpu.summary(),
            }
            for name, operation in sorted(self._operations.items())
        }

    def totals(self) -> dict[str, Any]:
        """Ends of jobs, calls and spare work, problems by code, and bytes, since the start.

        Problems are answers and failed jobs. Refused bodies are those that were not read to their end.
        """
        return {
            "jobs": {state.value: self._jobs[state.value] for state in State if state.ended},
            "calls": {outcome.value: self._calls[outcome.value] for outcome in Outcome},
            "spare": {outcome.value: self._spare[outcome.value] for outcome in Outcome},
            "problems": dict(sorted(self._problems.items())),
            "refused_bodies": {
                "count": self._refused_bodies,
                "bytes": self._refused_bytes,
                "largest": self._largest_refused,
            },
            "bytes_in": self._bytes_in,
            "bytes_out": self._bytes_out,
        }

    def uptime_s(self) -> float:
        """Seconds since the start of this process."""
        return round(time.monotonic() - self._since, 3)

    def _ran(self, report: Report, specs: Mapping[str, str]) -> None:
        self._bytes_out += sum(result.bytes for result in report.results)
        self._count(report.steps)
        if report.outcome is not Outcome.SUCCEEDED and report.problem is not None:
            self._blame(report.problem, report.steps, specs)

    def _operation(self, name: str) -> Operation:
        return self._operations.setdefault(name, Operation())

    def _count(self, steps: Iterable[Step]) -> None:
        for step in steps:
            operation = self._operation(step.op)
            operation.wall.add(step.wall_ms)
            operation.cpu.add(step.cpu_ms)

    def _blame(self, problem: Problem, steps: Sequence[Step], specs: Mapping[str, str]) -> None:
        self._operation(failed_step(problem, steps, specs)).errors += 1


def failed_step(problem: Problem, steps: Sequence[Step], specs: Mapping[str, str]) -> str:
    """The step in which a run ended: the one after the last that is timed.

    Nothing timed means that decoding failed; all operations of the output at fault timed, that encoding did.
    """
    if not any(step.op in {"decode", "master"} for step in steps):
        return "decode"
    output = problem.output or (next(iter(specs)) if len(specs) == 1 else None)
    done = sum(1 for step in steps if step.output == output and step.output is not None)
    names = [part.partition(":")[0] for part in specs.get(output or "", "").split("/") if part]
    if names and names[-1] in plugins.names("imgsvc.formats"):
        names.pop()
    return names[done] if done < len(names) else "encode"
