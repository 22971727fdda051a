"""Settings that are not allowed: why the service does not start."""

from __future__ import annotations

from collections.abc import Iterable


class SettingsRefused(Exception):
    """Settings that are not allowed: a line for each, naming it, what was given and what is expected."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))
