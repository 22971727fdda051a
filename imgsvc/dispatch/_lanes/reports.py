"""What became of a task on a lane, as a report."""

from __future__ import annotations

import logging
import signal

from pydantic import ValidationError

from imgsvc.dispatch._lanes.lane import Ran
from imgsvc.dispatch._lanes.process import End, cause
from imgsvc.errors import ImgsvcError, ProcessingTimeout, WorkerCrashed
from imgsvc.worker import Outcome, Report

_log = logging.getLogger(__name__)


def report(ran: Ran, timeout: float) -> Report:
    """The worker's own report, or one on its end."""
    if ran.end is End.ANSWERED:
        try:
            return Report.model_validate_json(ran.answer)
        except ValidationError:
            _log.exception("a worker's report is not one")
    outcome, problem = _judge(ran, timeout)
    return Report(outcome=outcome, problem=problem.problem, wall_ms=ran.wall_ms, pid=ran.pid)


def _judge(ran: Ran, timeout: float) -> tuple[Outcome, ImgsvcError]:
    where = f" in {ran.step}" if ran.step else ""
    if ran.end is End.DEADLINE or (ran.end is End.DIED and ran.exitcode == -signal.SIGXCPU):
        took = f"the work took longer than {timeout:g} s and was killed{where}"
        detail = f"{took}; what it may take at most is IMGSVC_JOB_TIMEOUT"
        return Outcome.TIMED_OUT, ProcessingTimeout(detail, limit=timeout)
    if ran.end is End.KILLED:
        return Outcome.KILLED, WorkerCrashed(f"the worker was killed on request{where}")
    if ran.end is End.DIED:
        return Outcome.CRASHED, WorkerCrashed(f"the worker died{where} ({cause(ran.exitcode)})")
    return Outcome.CRASHED, WorkerCrashed("the worker gave no report")
