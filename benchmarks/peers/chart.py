"""The comparison as an SVG: a bar of each server's in every row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.bars import Bar, Chart, Panel
from benchmarks.peers.lines import CLIENTS, Line, Loaded
from benchmarks.peers.report import name_of
from benchmarks.peers.services import OURS

#: How a server's bars look; those that somebody else has started have none.
KINDS = {OURS: "ours", "ipx": "theirs", "thumbor": "others"}


def svg(lines: Sequence[Line]) -> str:
    """The whole picture."""
    return _CHART.svg(lines)


def _rates(line: Line) -> Iterator[Bar]:
    """The faster peer's is 1: rows of a thousand and of two requests a second fit on one scale."""
    loads = _loads(line)
    faster = max((load.per_second for name, load in loads.items() if name != OURS), default=0) or 1
    for name, load in loads.items():
        rate = load.per_second
        written = f"{rate:.0f}/s" if rate >= 10 else f"{rate:.1f}/s"
        yield Bar(
            rate / faster, f"{rate / faster:.2f} × ({written})" if name == OURS else written, KINDS[name]
        )


def _costs(line: Line) -> Iterator[Bar]:
    """The cheaper peer's is 1."""
    costs = {name: load.cpu_ms or 0 for name, load in _loads(line).items()}
    cheaper = min((cost for name, cost in costs.items() if name != OURS and cost), default=0) or 1
    for name, cost in costs.items():
        yield Bar(cost / cheaper, f"{cost:.1f} ms", KINDS[name])


def _memory(line: Line) -> Iterator[Bar]:
    for name, load in _loads(line).items():
        size = load.peak_bytes or 0
        yield Bar(size, f"{size / 1e6:.0f} MB", KINDS[name])


def _loads(line: Line) -> dict[str, Loaded]:
    return {name: line.loads[name][CLIENTS] for name in KINDS if name in line.loads}


_CHART: Chart[Line] = Chart(
    "imgsvc, ipx and thumbor: the same pictures of the same files",
    name_of,
    (
        Panel("Requests a second", "× faster peer, 8 clients", lambda line: [*_rates(line)]),
        Panel("CPU of a picture", "× cheaper peer, less is better", lambda line: [*_costs(line)]),
        Panel("Peak memory", "of all its processes", lambda line: [*_memory(line)]),
    ),
    labels=300,
    panel=210,
    row=48,
    room=0.55,
    legend=[(kind, name) for name, kind in KINDS.items()],
)
