"""Who is told what became of jobs and calls: after the commit, and without a say in it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from imgsvc.jobs import Job
from imgsvc.worker import Report

_log = logging.getLogger(__name__)


class Observer(Protocol):
    """Hears of every end; called on the event loop, so it must be quick."""

    def job_ended(self, job: Job) -> None:
        """A job has reached its end, and the record says so."""

    def call_ended(self, report: Report, specs: Mapping[str, str], bytes_in: int) -> None:
        """A synchronous call has run; `specs` are its pipelines' canonical texts by output."""

    def spare_ended(self, report: Report, specs: Mapping[str, str]) -> None:
        """Spare work has run; `specs` as for a call."""


class Audience:
    """All observers as one; one that raises is logged and harms nothing."""

    def __init__(self, observers: Iterable[Observer]) -> None:
        self._observers = tuple(observers)

    def job_ended(self, job: Job) -> None:
        """Tell everyone."""
        self._tell(lambda observer: observer.job_ended(job))

    def call_ended(self, report: Report, specs: Mapping[str, str], bytes_in: int) -> None:
        """Tell everyone."""
        self._tell(lambda observer: observer.call_ended(report, specs, bytes_in))

    def spare_ended(self, report: Report, specs: Mapping[str, str]) -> None:
        """Tell everyone."""
        self._tell(lambda observer: observer.spare_ended(report, specs))

    def _tell(self, tell: Callable[[Observer], None]) -> None:
        for observer in self._observers:
            try:
                tell(observer)
            except Exception:  # noqa: BLE001  # whatever it is, it is not the job's fault
                _log.exception("an observer failed: %s", type(observer).__name__)
