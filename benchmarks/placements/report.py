"""Medians of the rounds, and the tables of docs/placement.md."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks import pages
from benchmarks.placements.places import PLACEMENTS, Placement
from benchmarks.placements.rounds import Plan, Raw, Values

INNOCENT = Plan.innocents


@dataclass(frozen=True)
class Loaded:
    """Medians of one load."""

    per_second: float
    cpu_ms: float
    livez_p50_ms: float
    livez_p99_ms: float
    peak_bytes: float
    #: In all rounds together.
    failed: int


@dataclass(frozen=True)
class Crashed:
    """Medians of the crashes."""

    #: Jobs of others, failed and vanished ones.
    lost: float
    vanished: float
    #: Did the server die, in any round?
    died: bool
    #: Infinite where nothing was finished any more.
    pause_s: float


@dataclass(frozen=True)
class Row:
    """What was found of one placement; a load that it was not put under is None."""

    placement: Placement
    rounds: int
    thumbnail: Loaded
    #: Throughput of thumbnails, in units of the bare loop's that ran just before.
    of_bare: float
    #: That of the bare loop; it falls when others use the machine.
    bare_per_second: float
    wait: Loaded | None
    await_: Loaded | None
    #: Many waits at once, in the placement's own flavour.
    crowd: Loaded | None
    crash: Crashed | None


def summarize(raw: Raw) -> list[Row]:
    """A row for each placement that was measured, in their order."""
    return [_row(placement, raw[placement.name]) for placement in PLACEMENTS if placement.name in raw]


def _row(placement: Placement, found: dict[str, list[Values]]) -> Row:
    ratios = [
        _number(ours["per_second"]) / _number(bare["per_second"])
        for ours, bare in zip(found["thumbnail"], found["bare"], strict=True)
    ]
    return Row(
        placement,
        rounds=len(ratios),
        thumbnail=_loaded(found["thumbnail"]),
        of_bare=median(ratios),
        bare_per_second=_median(found["bare"], "per_second"),
        wait=_loaded(found["wait"]) if "wait" in found else None,
        await_=_loaded(found["await"]) if "await" in found else None,
        crowd=next((_loaded(rounds) for name, rounds in found.items() if name.endswith("-crowd")), None),
        crash=_crashed(found["crash"]) if "crash" in found else None,
    )


def _number(value: float | None) -> float:
    return math.inf if value is None else value


def _median(rounds: Iterable[Values], *names: str) -> float:
    return median(sum(_number(values[name]) for name in names) for values in rounds)


def _loaded(rounds: Sequence[Values]) -> Loaded:
    return Loaded(
        per_second=_median(rounds, "per_second"),
        cpu_ms=_median(rounds, "cpu_ms"),
        livez_p50_ms=_median(rounds, "livez_p50_ms"),
        livez_p99_ms=_median(rounds, "livez_p99_ms"),
        peak_bytes=_median(rounds, "peak_bytes"),
        failed=sum(int(_number(values["failed"])) for values in rounds),
    )


def _crashed(rounds: Sequence[Values]) -> Crashed:
    return Crashed(
        lost=_median(rounds, "failed", "vanished"),
        vanished=_median(rounds, "vanished"),
        died=any(values["deaths"] for values in rounds),
        pause_s=_median(rounds, "pause_s"),
    )


Column = tuple[str, Callable[[Row], str]]

_THUMBNAILS: Sequence[Column] = (
    ("thumbnails/s", lambda row: f"{row.thumbnail.per_second:.1f}"),
    ("× bare loop", lambda row: f"{row.of_bare:.2f}"),
    ("CPU ms a job", lambda row: f"{row.thumbnail.cpu_ms:.0f}"),
    ("`/livez` p50 ms", lambda row: f"{row.thumbnail.livez_p50_ms:.1f}"),
    ("p99 ms", lambda row: f"{row.thumbnail.livez_p99_ms:.1f}"),
    ("peak memory MB", lambda row: f"{row.thumbnail.peak_bytes / 1e6:.0f}"),
)
_CRASHES: Sequence[Column] = (
    (f"lost of {INNOCENT}", lambda row: _of_crash(row, lambda crash: f"{crash.lost:g}")),
    ("vanished after a 202", lambda row: _vanished(row) if row.placement.accepts else "–"),
    ("server died", lambda row: _of_crash(row, lambda crash: "yes" if crash.died else "no")),
    ("longest pause s", lambda row: _of_crash(row, _pause)),
)
_WAITS: Sequence[Column] = (
    ("blocking: waits/s", lambda row: _of_wait(row.wait, lambda load: f"{load.per_second:.1f}")),
    ("`/livez` p99 ms", lambda row: _of_wait(row.wait, lambda load: f"{load.livez_p99_ms:.1f}")),
    ("async: waits/s", lambda row: _of_wait(row.await_, lambda load: f"{load.per_second:.1f}")),
    ("`/livez` p99 ms", lambda row: _of_wait(row.await_, lambda load: f"{load.livez_p99_ms:.1f}")),
    ("64 at once: waits/s", lambda row: _of_wait(row.crowd, lambda load: f"{load.per_second:.0f}")),
)


def _of_crash(row: Row, shown: Callable[[Crashed], str]) -> str:
    return shown(row.crash) if row.crash else "–"


def _vanished(row: Row) -> str:
    return _of_crash(row, lambda crash: f"{crash.vanished:g}")


def _of_wait(load: Loaded | None, shown: Callable[[Loaded], str]) -> str:
    return shown(load) if load else "–"


def _pause(crash: Crashed) -> str:
    """The longest time without a finished job, in words for infinity."""
    return "until restarted" if math.isinf(crash.pause_s) else f"{crash.pause_s:.2f}"


def parts(rows: Sequence[Row]) -> dict[str, str]:
    """What docs/placement.md shows, by name: tables in Markdown, and what the machine did besides."""
    tables = {"thumbnails": _THUMBNAILS, "crash": _CRASHES, "waits": _WAITS}
    if not any(row.crash for row in rows):
        del tables["crash"]
    found = {name: _table(rows, columns) for name, columns in tables.items()}
    return found | {"machine": " ".join([_bare_loop(rows), *_failures(rows)])}


def written_into(page: str, rows: Sequence[Row]) -> str:
    """The page with what was measured in the places for it."""
    return pages.written_into(page, parts(rows))


def _bare_loop(rows: Sequence[Row]) -> str:
    """How busy the machine was with other work: what the bare loop got of it."""
    rates = [row.bare_per_second for row in rows]
    return (
        f"Medians of {rows[0].rounds} rounds. The bare loop did {min(rates):.0f} to {max(rates):.0f} images "
        "a second, depending on what else the machine had to do."
    )


def _table(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    lines = [["", "placement", *(title for title, _ in columns)]]
    lines += [["---", "---", *("---:" for _ in columns)]]
    lines += [
        [row.placement.number, row.placement.title, *(show(row) for _, show in columns)] for row in rows
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _failures(rows: Sequence[Row]) -> list[str]:
    """A sentence for each placement that failed a job of the loads, where none should fail."""
    found = []
    for row in rows:
        loads = [load for load in (row.thumbnail, row.wait, row.await_, row.crowd) if load]
        if failed := sum(load.failed for load in loads):
            found.append(f"{row.placement.number} ({row.placement.title}) failed {failed} jobs under load.")
    return found
