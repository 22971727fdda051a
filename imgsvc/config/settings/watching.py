"""The settings of logs, and of what is there for tests only."""

from __future__ import annotations

from typing import Annotated, Literal

from imgsvc.config.kinds import About, Choice, Flag
from imgsvc.config.settings.group import Group


class Watching(Group):
    """How it is watched and tested"""

    log_format: Annotated[
        Literal["auto", "json", "console"],
        Choice(("auto", "json", "console")),
        About("How log lines look.", "`auto`: for people on a terminal, JSON everywhere else."),
    ] = "auto"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Choice(("debug", "info", "warning", "error")),
        About("The least important lines that are written.", "One line per job and per call."),
    ] = "info"
    test_operations: Annotated[
        bool,
        Flag(),
        About(
            "Adds operations that sleep, spin, crash and eat memory. Never in production.",
            "Off; while it is on, `/readyz` says so.",
        ),
    ] = False
