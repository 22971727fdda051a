"""The one waiting line: lane first, then claim, dispatch, settle; retry, recover, sweep."""

from imgsvc.scheduler.attempt import task
from imgsvc.scheduler.calls import Called
from imgsvc.scheduler.clock import Clock, now
from imgsvc.scheduler.observers import Observer
from imgsvc.scheduler.pending import Pending
from imgsvc.scheduler.policy import Policy
from imgsvc.scheduler.quarantine import Held, Suspect
from imgsvc.scheduler.rate import Rate
from imgsvc.scheduler.scheduler import Scheduler
from imgsvc.scheduler.spare import Spare
from imgsvc.scheduler.sweep import Sweeper, Swept
from imgsvc.scheduler.waiters import Ended

__all__ = [
    "Called",
    "Clock",
    "Ended",
    "Held",
    "Observer",
    "Pending",
    "Policy",
    "Rate",
    "Scheduler",
    "Spare",
    "Suspect",
    "Sweeper",
    "Swept",
    "now",
    "task",
]
