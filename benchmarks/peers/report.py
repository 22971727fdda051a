"""The tables of docs/peers.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from benchmarks.peers.lines import CLIENTS, OF_KERNEL, Line, Loaded
from benchmarks.peers.orders import Mode
from benchmarks.peers.services import OURS

_NONE = "–"
_NOTHING = "No such row was measured."
_MODES = {Mode.FIRST: "", Mode.SEEN: ", seen before", Mode.HIT: ", kept"}


@dataclass(frozen=True)
class _Column:
    title: str
    show: Callable[[Line], str]


def parts(lines: Sequence[Line], made_of: Mapping[str, str], cpus: int) -> dict[str, str]:
    """What the page shows, by name: tables in Markdown, what falls short, what was measured on what."""
    names = list(made_of)
    peers = [name for name in names if name != OURS]
    by_mode = {mode: [line for line in lines if line.mode is mode] for mode in Mode}
    speed = [*_rates(names, CLIENTS), *_rates(names, "1")]
    tables = {
        "first": _table(by_mode[Mode.FIRST], speed),
        "seen": _table(by_mode[Mode.SEEN], speed),
        "hit": _table(by_mode[Mode.HIT], speed),
        "latency": _table(lines, [*_latencies(names, "1"), *_latencies(names, CLIENTS)]),
        "cost": _table(lines, [*_cpu(names), *_memory(names)]),
        "results": _table(lines, [*_results(names)]),
    }
    found = {name: table or _NOTHING for name, table in tables.items()}
    return found | {"verdict": _verdict(lines, peers), "machine": _machine(lines, made_of, cpus)}


def name_of(line: Line) -> str:
    """What is made of what, and what the server knew of it."""
    return line.title + _MODES[line.mode]


def _table(lines: Sequence[Line], columns: Sequence[_Column]) -> str:
    rows = [["", *(column.title for column in columns)], ["---", *("---:" for _ in columns)]]
    rows += [[name_of(line), *(column.show(line) for column in columns)] for line in lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) if lines else ""


def _rates(names: Sequence[str], clients: str) -> Iterator[_Column]:
    many = "" if clients == "1" else "s"
    for name in names:
        title = f"{name}, {clients} client{many}: /s" if name == names[0] else f"{name}: /s"
        yield _Column(title, _of(name, clients, lambda load: _rate(load.per_second)))
    yield _Column("× faster peer", lambda line: _times(line.ratios.get(clients)))


def _latencies(names: Sequence[str], clients: str) -> Iterator[_Column]:
    many = "" if clients == "1" else "s"
    for name in names:
        title = f"{name}, {clients} client{many}: p50, p99 ms" if name == names[0] else f"{name}: p50, p99 ms"
        yield _Column(title, _of(name, clients, lambda load: f"{load.p50_ms:.0f}, {load.p99_ms:.0f}"))


def _cpu(names: Sequence[str]) -> Iterator[_Column]:
    for name in names:
        yield _Column(f"{name}: CPU ms", _of(name, CLIENTS, lambda load: _number(load.cpu_ms, 1)))
    yield _Column("kernel: CPU ms", lambda line: _number(line.kernel_cpu_ms, 1))
    yield _Column(f"kernel / {OURS}", lambda line: _times(line.of_kernel))
    yield _Column(f"{OURS}, put off: CPU ms", lambda line: _number(line.put_off_cpu_ms, 1))


def _memory(names: Sequence[str]) -> Iterator[_Column]:
    for name in names:
        yield _Column(
            f"{name}: MB",
            _of(name, CLIENTS, lambda load: _number(load.peak_bytes and load.peak_bytes / 1e6, 0)),
        )


def _results(names: Sequence[str]) -> Iterator[_Column]:
    for name in names:
        yield _Column(f"{name}: kB", partial(_kilobytes, name))
    for name in names:
        yield _Column(f"{name}: dB", partial(_decibels, name))


def _of(name: str, clients: str, show: Callable[[Loaded], str]) -> Callable[[Line], str]:
    def shown(line: Line) -> str:
        load = line.loads.get(name, {}).get(clients)
        return show(load) + f" ({load.failed} failed)" * bool(load.failed) if load else _NONE

    return shown


def _kilobytes(name: str, line: Line) -> str:
    return f"{line.results[name].bytes / 1000:.0f}" if name in line.results else _NONE


def _decibels(name: str, line: Line) -> str:
    """With the quality that it took; ≠ where the result is not as good as ours, or better."""
    result = line.results.get(name)
    if result is None:
        return _NONE
    shown = _number(result.db, 1) + f" (q{result.quality})" * (result.quality is not None)
    return shown + " ≠" * (not result.equal)


def _rate(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def _number(value: float | None, digits: int) -> str:
    return _NONE if value is None else f"{value:.{digits}f}"


def _times(value: float | None) -> str:
    return _number(value, 2)


def _verdict(lines: Sequence[Line], peers: Sequence[str]) -> str:
    """Where a promise is not kept, and where a peer is ahead without one."""
    said = list(_shortfalls(lines))
    if not peers:
        return "Nobody else took part."
    return (
        "\n".join(f"- {line}" for line in said)
        if said
        else "- Every promise is kept, and no peer is ahead anywhere."
    )


def _shortfalls(lines: Sequence[Line]) -> Iterator[str]:
    for line in lines:
        ratio = line.ratios.get(CLIENTS)
        if ratio is not None and line.bound is not None and ratio < line.bound:
            yield f"{name_of(line)}: {ratio:.2f} × the faster peer, promised {line.bound:g}."
        elif ratio is not None and line.bound is None and ratio < 1:
            yield f"{name_of(line)}: {ratio:.2f} × the faster peer (nothing promised)."
        if line.of_kernel is not None and line.of_kernel < OF_KERNEL:
            yield f"{name_of(line)}: the kernel is {line.of_kernel:.2f} of our CPU, promised {OF_KERNEL:g}."


def _machine(lines: Sequence[Line], made_of: Mapping[str, str], cpus: int) -> str:
    versions = ", ".join(text or name for name, text in made_of.items())
    rounds = sorted({line.rounds for line in lines}) or [0]
    return f"{versions}. Medians of {rounds[0]} rounds on {cpus} CPUs."
