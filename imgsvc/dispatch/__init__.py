"""Who runs tasks: one file per URL scheme, each with `connect(url, resources)`."""

from __future__ import annotations

from imgsvc import plugins
from imgsvc.dispatch._base import CannotStart, Dispatcher, LaneInfo, LaneState, Resources, Restart, Slot
from imgsvc.dispatch._lanes.semaphores import sweep

__all__ = [
    "CannotStart",
    "Dispatcher",
    "LaneInfo",
    "LaneState",
    "Resources",
    "Restart",
    "Slot",
    "connect",
    "sweep",
]


def connect(url: str, resources: Resources) -> Dispatcher:
    """Make the dispatcher that `url` names: `loky:`, `inline:`.

    Raises LookupError for an unknown scheme and ValueError for options that its module refuses.
    """
    scheme, _, _ = url.partition(":")
    dispatcher: Dispatcher = plugins.load(__name__, scheme).connect(url, resources)
    return dispatcher
