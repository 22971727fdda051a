"""The comparison as an SVG: a panel of bars for each figure, readable on light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from benchmarks.placements.report import INNOCENT, Loaded, Row

_LABELS, _PANEL, _GAP, _MARGIN = 200, 152, 16, 16
_TOP, _ROW, _BAR = 70, 34, 14

#: Colours of the paper, the text, its quiet part, bars of the tutorials' ways, bars of ours.
_LIGHT = ("#ffffff", "#1f2328", "#59636e", "#8c959f", "#0969da")
_DARK = ("#0d1117", "#e6edf3", "#9198a1", "#6e7681", "#4493f8")


@dataclass(frozen=True)
class Bar:
    """A value and how it is written; None where there is nothing to show."""

    value: float
    text: str


@dataclass(frozen=True)
class Panel:
    """One figure of every placement; a logarithmic one begins at 1."""

    title: str
    hint: str
    bars: Callable[[Row], Sequence[Bar]]
    logarithmic: bool = False


PANELS = (
    Panel(
        "CPU of a thumbnail",
        "less is better",
        lambda row: [Bar(row.thumbnail.cpu_ms, _milliseconds(row.thumbnail.cpu_ms))],
    ),
    Panel(
        "/livez meanwhile",
        "p99, log; less is better",
        lambda row: [Bar(row.thumbnail.livez_p99_ms, _milliseconds(row.thumbnail.livez_p99_ms))],
        logarithmic=True,
    ),
    Panel(
        "One crash",
        f"lost of {INNOCENT}, and pause",
        lambda row: [Bar(row.crash.lost, _lost(row))] if row.crash else [],
    ),
    Panel(
        "Peak memory",
        "of all its processes",
        lambda row: [Bar(row.thumbnail.peak_bytes, f"{row.thumbnail.peak_bytes / 1e6:.0f} MB")],
    ),
    Panel(
        "Waits of 100 ms",
        "a second, 8 at a time",
        lambda row: [
            _rate(load, flavour)
            for load, flavour in ((row.wait, " blocking"), (row.await_, " async"))
            if load
        ],
    ),
)


def svg(rows: Sequence[Row]) -> str:
    """The whole picture."""
    width = 2 * _MARGIN + _LABELS + len(PANELS) * (_PANEL + _GAP) - _GAP
    height = _TOP + len(rows) * _ROW + _MARGIN
    parts = [_labels(rows)]
    for number, panel in enumerate(PANELS):
        parts.append(_panel(panel, rows, _MARGIN + _LABELS + number * (_PANEL + _GAP)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="12">\n'
        f"<title>The same work in eight placements</title>\n{_STYLE}"
        f'<rect class="paper" width="{width}" height="{height}" rx="6"/>\n' + "".join(parts) + "</svg>\n"
    )


def _style(colours: tuple[str, ...]) -> str:
    paper, text, quiet, theirs, ours = colours
    return (
        f".paper{{fill:{paper}}}.text{{fill:{text}}}.quiet{{fill:{quiet}}}.theirs{{fill:{theirs}}}"
        f".ours{{fill:{ours}}}.axis{{stroke:{quiet}}}"
    )


_STYLE = (
    f"<style>{_style(_LIGHT)}.title{{font-weight:600}}"
    f"@media(prefers-color-scheme:dark){{{_style(_DARK)}}}</style>\n"
)


def _text(x: float, y: float, kind: str, content: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" class="{kind}">{escape(content)}</text>\n'


def _labels(rows: Sequence[Row]) -> str:
    return "".join(
        _text(_MARGIN, _middle(number) + 4, "text", f"{row.placement.number}\u2002{row.placement.title}")
        for number, row in enumerate(rows)
    )


def _middle(number: int) -> float:
    return _TOP + number * _ROW + _ROW / 2


def _panel(panel: Panel, rows: Sequence[Row], x: float) -> str:
    drawn = [panel.bars(row) for row in rows]
    scale = _scale(panel, [bar.value for bars in drawn for bar in bars])
    parts = [_text(x, 28, "text title", panel.title), _text(x, 46, "quiet", panel.hint)]
    bottom = _TOP + len(rows) * _ROW
    parts.append(f'<line class="axis" x1="{x:g}" y1="{_TOP}" x2="{x:g}" y2="{bottom}"/>\n')
    for number, (row, bars) in enumerate(zip(rows, drawn, strict=True)):
        top = _middle(number) - len(bars) * _BAR / 2
        for place, bar in enumerate(bars):
            y, length = top + place * _BAR, scale(bar.value)
            kind = "ours" if row.placement.ours else "theirs"
            parts.append(
                f'<rect class="{kind}" x="{x:g}" y="{y + 1:g}" width="{length:.1f}" height="{_BAR - 2}"/>\n'
            )
            parts.append(_text(x + length + 4, y + _BAR - 3, "text", bar.text))
    return "".join(parts)


def _scale(panel: Panel, values: Sequence[float]) -> Callable[[float], float]:
    """From a value to a length. The longest bar leaves room for the text behind it."""
    room = _PANEL * 0.45

    def size(value: float) -> float:
        return math.log10(max(1.0, value)) if panel.logarithmic else value

    longest = max(map(size, values), default=0) or 1
    return lambda value: size(value) / longest * room


def _rate(load: Loaded, flavour: str) -> Bar:
    return Bar(load.per_second, f"{load.per_second:.0f}{flavour}")


def _milliseconds(value: float) -> str:
    return f"{value:.0f} ms" if value < 1000 else f"{value / 1000:.1f} s"


def _lost(row: Row) -> str:
    assert row.crash
    if not row.crash.lost:
        return "0"
    after = "broken" if math.isinf(row.crash.pause_s) else f"{row.crash.pause_s:.1f} s"
    return f"{row.crash.lost:g}, {after}"
