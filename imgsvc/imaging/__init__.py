"""The only room that decodes: probe, limits, render: one decode, many results."""

from __future__ import annotations

from imgsvc.imaging.facts import Facts
from imgsvc.imaging.limits import Limits, check_output
from imgsvc.imaging.output import Output, Rendered
from imgsvc.imaging.render import picture, render
from imgsvc.imaging.source import probe
from imgsvc.imaging.steps import Clock, CpuClock, Progress, Timed

__all__ = [
    "Clock",
    "CpuClock",
    "Facts",
    "Limits",
    "Output",
    "Progress",
    "Rendered",
    "Timed",
    "check_output",
    "picture",
    "probe",
    "render",
]
