"""The comparison as an SVG: a panel of bars for each figure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmarks.bars import Bar, Chart, Panel, milliseconds
from benchmarks.placements.report import INNOCENT, Loaded, Row


def svg(rows: Sequence[Row]) -> str:
    """The whole picture."""
    return _CHART.svg(rows)


def _bar(row: Row, value: float, text: str) -> Bar:
    return Bar(value, text, "ours" if row.placement.ours else "theirs")


def _rate(row: Row, load: Loaded, flavour: str) -> Bar:
    return _bar(row, load.per_second, f"{load.per_second:.0f}{flavour}")


def _lost(row: Row) -> str:
    assert row.crash
    if not row.crash.lost:
        return "0"
    after = "broken" if math.isinf(row.crash.pause_s) else f"{row.crash.pause_s:.1f} s"
    return f"{row.crash.lost:g}, {after}"


PANELS: Sequence[Panel[Row]] = (
    Panel(
        "CPU of a thumbnail",
        "less is better",
        lambda row: [_bar(row, row.thumbnail.cpu_ms, milliseconds(row.thumbnail.cpu_ms))],
    ),
    Panel(
        "/livez meanwhile",
        "p99, log; less is better",
        lambda row: [_bar(row, row.thumbnail.livez_p99_ms, milliseconds(row.thumbnail.livez_p99_ms))],
        logarithmic=True,
    ),
    Panel(
        "One crash",
        f"lost of {INNOCENT}, and pause",
        lambda row: [_bar(row, row.crash.lost, _lost(row))] if row.crash else [],
    ),
    Panel(
        "Peak memory",
        "of all its processes",
        lambda row: [_bar(row, row.thumbnail.peak_bytes, f"{row.thumbnail.peak_bytes / 1e6:.0f} MB")],
    ),
    Panel(
        "Waits of 100 ms",
        "a second, 8 at a time",
        lambda row: [
            _rate(row, load, flavour)
            for load, flavour in ((row.wait, " blocking"), (row.await_, " async"))
            if load
        ],
    ),
)

_CHART = Chart(
    "The same work in eight placements",
    lambda row: f"{row.placement.number}\u2002{row.placement.title}",
    PANELS,
)
