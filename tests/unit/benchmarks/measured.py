"""Raw numbers of a comparison, made up."""

from __future__ import annotations

from benchmarks.placements.places import PLACEMENTS
from benchmarks.placements.rounds import Raw, Values


def loaded(per_second: float, p99: float = 5.0, failed: int = 0, cpu_ms: float = 40.0) -> Values:
    return {
        "per_second": per_second,
        "failed": failed,
        "cpu_ms": cpu_ms,
        "livez_p50_ms": 1.0,
        "livez_p99_ms": p99,
        "peak_bytes": 100_000_000,
    }


def crashed(failed: int = 0, vanished: int = 0, deaths: int = 0, pause_s: float | None = 0.1) -> Values:
    return {"failed": failed, "vanished": vanished, "deaths": deaths, "pause_s": pause_s}


def raw() -> Raw:
    """Every placement with everything that it can be put under, one round."""
    return {
        place.name: {
            "bare": [{"per_second": 50.0}],
            "crash": [crashed()],
            **{str(work): [loaded(25.0)] for work in place.works},
            **{f"{work}-crowd": [loaded(400.0)] for work in place.crowds},
        }
        for place in PLACEMENTS
    }
