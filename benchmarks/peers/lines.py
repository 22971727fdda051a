"""Medians of the rounds: a line for each row, with what every server did in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.peers.judge import Result
from benchmarks.peers.orders import Mode, Order
from benchmarks.peers.rounds import Found
from benchmarks.peers.services import OURS
from benchmarks.peers.sources import Kind

#: What the tables are about, where the number of clients is not said.
CLIENTS = "8"


@dataclass(frozen=True)
class Loaded:
    """What a server did with so many clients: medians, the most memory, all failures."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float | None
    peak_bytes: int | None
    failed: int


@dataclass(frozen=True)
class Line:
    """A row, measured."""

    title: str
    mode: Mode
    kind: Kind
    order: Order
    rounds: int
    results: Mapping[str, Result]
    #: By server and by number of clients.
    loads: Mapping[str, Mapping[str, Loaded]]
    #: Our requests a second in units of the faster peer's, by number of clients; the median of the rounds.
    ratios: Mapping[str, float]
    #: CPU that the bare kernel needs for one picture, and that as a part of what we need.
    kernel_cpu_ms: float | None
    of_kernel: float | None
    #: CPU that we used for a picture after we had answered, when it was seen; None: there was no looking.
    put_off_cpu_ms: float | None

    @property
    def bound(self) -> float | None:
        """What `ratios` must be with eight clients: the promise of issue 4; None where there is none."""
        if self.kind not in (Kind.BASELINE, Kind.PROGRESSIVE) or self.mode is Mode.HIT:
            return None
        if self.mode is Mode.SEEN:
            return 2.5
        if self.order.blur is not None:
            return None
        if self.order.sharpen is not None:
            return 1.0
        return {(800, "jpeg"): 1.2, (800, "webp"): 1.4}.get((self.order.width, self.order.format), 1.0)


#: The part of our CPU that the kernel's must be, in every row.
OF_KERNEL = 0.9


def summarize(found: Iterable[Found]) -> list[Line]:
    """A line for each row that was visited."""
    return [_line(row) for row in found if row.visits]


def _line(found: Found) -> Line:
    loads = {
        name: {clients: _loaded(visits) for clients, visits in by_clients.items()}
        for name, by_clients in found.visits.items()
    }
    kernel = median(found.kernel_cpu_ms) if found.kernel_cpu_ms else None
    ours = loads[OURS][CLIENTS].cpu_ms
    return Line(
        title=found.title,
        mode=Mode(found.mode),
        kind=Kind(found.kind),
        order=Order(**found.order),
        rounds=len(found.visits[OURS][CLIENTS]),
        results={name: Result(**each) for name, each in found.results.items()},
        loads=loads,
        ratios=dict(_ratios(found.visits)),
        kernel_cpu_ms=kernel,
        of_kernel=kernel / ours if kernel and ours else None,
        put_off_cpu_ms=median(found.put_off_cpu_ms[OURS]) if OURS in found.put_off_cpu_ms else None,
    )


def _loaded(visits: Sequence[Mapping[str, Any]]) -> Loaded:
    def known(name: str) -> list[Any]:
        return [visit[name] for visit in visits if visit[name] is not None]

    return Loaded(
        per_second=median(known("per_second")),
        p50_ms=median(known("p50_ms")),
        p99_ms=median(known("p99_ms")),
        cpu_ms=median(known("cpu_ms")) if known("cpu_ms") else None,
        peak_bytes=max(known("peak_bytes"), default=None),
        failed=sum(known("failed")),
    )


def _ratios(
    visits: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]],
) -> Iterable[tuple[str, float]]:
    """Round by round: what slowed the machine down in one of them slowed everybody down."""
    peers = [by_clients for name, by_clients in visits.items() if name != OURS]
    for clients, ours in visits[OURS].items() if peers else ():
        rounds = zip(ours, *(peer[clients] for peer in peers), strict=True)
        faster = [(own["per_second"], max(each["per_second"] for each in others)) for own, *others in rounds]
        yield clients, median(own / other if other else float("inf") for own, other in faster)
