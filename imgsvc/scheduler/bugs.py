"""A task that came to nothing by our own fault is told in the log, with all that helps to mend it."""

from __future__ import annotations

from imgsvc.bugs import tell
from imgsvc.errors import InternalError
from imgsvc.worker import Report


def tell_of(report: Report, *, job: str | None = None) -> None:
    """One line at level error for a report of an internal error; a call's has its request's id by itself."""
    if report.problem is not None and report.problem.code == InternalError.code:
        tell(f"a task failed: {report.problem.detail}", report.bug, job=job)
