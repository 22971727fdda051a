"""Charts as SVG: panels of bars side by side for every row, readable on light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Generic, TypeVar

R = TypeVar("R")

_GAP, _MARGIN, _TOP, _BAR = 16, 16, 70, 14

#: Colours of the paper, the text, its quiet part, and of the kinds of bars.
_LIGHT = ("#ffffff", "#1f2328", "#59636e", "#8c959f", "#0969da")
_DARK = ("#0d1117", "#e6edf3", "#9198a1", "#6e7681", "#4493f8")
#: A third kind of bars, where there is one.
_FAINT = ("#c4cad1", "#454c55")


@dataclass(frozen=True)
class Bar:
    """A value, how it is written, and whose it is: `ours`, `theirs` or `others`."""

    value: float
    text: str
    kind: str


@dataclass(frozen=True)
class Panel(Generic[R]):
    """One figure of every row; a logarithmic one begins at 1."""

    title: str
    hint: str
    bars: Callable[[R], Sequence[Bar]]
    logarithmic: bool = False


@dataclass(frozen=True)
class Chart(Generic[R]):
    """What all pictures of a kind have in common; sizes are in units of the SVG."""

    title: str
    label: Callable[[R], str]
    panels: Sequence[Panel[R]]
    labels: int = 200
    panel: int = 152
    row: int = 34
    #: The part of a panel that its longest bar takes; the text behind it needs the rest.
    room: float = 0.45
    #: What the kinds of bars mean, where the rows don't say it.
    legend: Sequence[tuple[str, str]] = ()

    def svg(self, rows: Sequence[R]) -> str:
        """The whole picture."""
        width = 2 * _MARGIN + self.labels + len(self.panels) * (self.panel + _GAP) - _GAP
        height = _TOP + len(rows) * self.row + _MARGIN
        parts = [*self._legend(), self._labels(rows)]
        for number, panel in enumerate(self.panels):
            parts.append(self._panel(panel, rows, _MARGIN + self.labels + number * (self.panel + _GAP)))
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
            f'font-family="system-ui, sans-serif" font-size="12">\n'
            f"<title>{escape(self.title)}</title>\n{_styles(third='others' in dict(self.legend))}"
            f'<rect class="paper" width="{width}" height="{height}" rx="6"/>\n' + "".join(parts) + "</svg>\n"
        )

    def _legend(self) -> list[str]:
        parts = []
        for number, (kind, name) in enumerate(self.legend):
            y = 18 + 15 * number
            parts.append(f'<rect class="{kind}" x="{_MARGIN}" y="{y}" width="{_BAR}" height="{_BAR - 4}"/>\n')
            parts.append(_text(_MARGIN + _BAR + 6, y + 10, "text", name))
        return parts

    def _labels(self, rows: Sequence[R]) -> str:
        return "".join(
            _text(_MARGIN, self._middle(number) + 4, "text", self.label(row))
            for number, row in enumerate(rows)
        )

    def _middle(self, number: int) -> float:
        return _TOP + number * self.row + self.row / 2

    def _panel(self, panel: Panel[R], rows: Sequence[R], x: float) -> str:
        drawn = [panel.bars(row) for row in rows]
        scale = self._scale(panel, [bar.value for bars in drawn for bar in bars])
        parts = [_text(x, 28, "text title", panel.title), _text(x, 46, "quiet", panel.hint)]
        bottom = _TOP + len(rows) * self.row
        parts.append(f'<line class="axis" x1="{x:g}" y1="{_TOP}" x2="{x:g}" y2="{bottom}"/>\n')
        for number, bars in enumerate(drawn):
            top = self._middle(number) - len(bars) * _BAR / 2
            for place, bar in enumerate(bars):
                y, length = top + place * _BAR, scale(bar.value)
                parts.append(
                    f'<rect class="{bar.kind}" x="{x:g}" y="{y + 1:g}" width="{length:.1f}" '
                    f'height="{_BAR - 2}"/>\n'
                )
                parts.append(_text(x + length + 4, y + _BAR - 3, "text", bar.text))
        return "".join(parts)

    def _scale(self, panel: Panel[R], values: Sequence[float]) -> Callable[[float], float]:
        """From a value to a length. The longest bar leaves room for the text behind it."""

        def size(value: float) -> float:
            return math.log10(max(1.0, value)) if panel.logarithmic else value

        longest = max(map(size, values), default=0) or 1
        return lambda value: size(value) / longest * self.panel * self.room


def milliseconds(value: float) -> str:
    """As a label."""
    return f"{value:.0f} ms" if value < 1000 else f"{value / 1000:.1f} s"


def _styles(*, third: bool) -> str:
    light, dark = (
        _style(colours) + f".others{{fill:{faint}}}" * third
        for colours, faint in zip((_LIGHT, _DARK), _FAINT, strict=True)
    )
    return f"<style>{light}.title{{font-weight:600}}@media(prefers-color-scheme:dark){{{dark}}}</style>\n"


def _style(colours: tuple[str, ...]) -> str:
    paper, text, quiet, theirs, ours = colours
    return (
        f".paper{{fill:{paper}}}.text{{fill:{text}}}.quiet{{fill:{quiet}}}.theirs{{fill:{theirs}}}"
        f".ours{{fill:{ours}}}.axis{{stroke:{quiet}}}"
    )


def _text(x: float, y: float, kind: str, content: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" class="{kind}">{escape(content)}</text>\n'
