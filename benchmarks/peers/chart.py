"""The comparison as an SVG: three bars for each row, in units of the faster peer's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

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


def _costs(
    value: Callable[[Loaded], float | None], write: Callable[[float], str]
) -> Callable[[Line], Sequence[Bar]]:
    def bars(line: Line) -> list[Bar]:
        found = {name: value(load) for name, load in _loads(line).items()}
        cheaper = min((each for name, each in found.items() if name != OURS and each), default=0) or 1
        return [Bar((each or 0) / cheaper, write(each or 0), KINDS[name]) for name, each in found.items()]

    return bars


def _loads(line: Line) -> dict[str, Loaded]:
    return {name: line.loads[name][CLIENTS] for name in KINDS if name in line.loads}


def _of_cpu(load: Loaded) -> float | None:
    return load.cpu_ms


def _of_memory(load: Loaded) -> float | None:
    return load.peak_bytes


_CHART = Chart(
    "imgsvc, ipx and thumbor: the same pictures of the same files",
    name_of,
    (
        Panel(
            "Requests a second",
            "8 clients; × the faster peer's, more is better",
            lambda line: [*_rates(line)],
        ),
        Panel(
            "CPU of a picture",
            "× the cheaper peer's, less is better",
            _costs(_of_cpu, lambda ms: f"{ms:.1f} ms"),
        ),
        Panel("Peak memory", "of all its processes", _costs(_of_memory, lambda size: f"{size / 1e6:.0f} MB")),
    ),
    labels=300,
    panel=210,
    row=48,
    room=0.55,
    legend=[(kind, name) for name, kind in KINDS.items()],
)
