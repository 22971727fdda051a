"""Percentiles of what was measured."""

from __future__ import annotations

from collections.abc import Iterable


def percentile(values: Iterable[float], percent: float) -> float:
    """The smallest value that `percent` of all do not exceed (nearest rank); nan without any."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else float("nan")
