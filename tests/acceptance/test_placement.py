"""The comparison of placements runs: one tiny round of each, and what a crash costs in five of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from benchmarks.placements.places import PLACEMENTS, Placement
from benchmarks.placements.rounds import Instruments, Plan, instruments, visit


@pytest.fixture(scope="module")
def plan(photo: Callable[..., bytes]) -> Plan:
    return Plan(photo(160, 120), ops="thumbnail:32x32", seconds=0, clients=2, crowd=2, bare=2, innocents=3)


@pytest.fixture(scope="module")
def tools(plan: Plan) -> Iterator[Instruments]:
    with instruments(plan) as tools:
        yield tools


#: Where a crash ends the server; the others of these differ in where the work waits only.
DIE = ("handler", "background")
SHOWN = (*DIE, "pool-once", "process", "jobs")


@pytest.mark.parametrize("placement", PLACEMENTS, ids=lambda placement: placement.name)
def test_a_placement_does_all_its_work_and_shows_what_a_crash_costs(
    placement: Placement, plan: Plan, tools: Instruments
) -> None:
    broken = placement.name == "pool-once"
    innocents = 3 if placement.name in SHOWN else 0
    found = visit(placement, replace(plan, innocents=innocents, patience=0.2 if broken else 20), tools)
    for name in [*placement.works, *(f"{work}-crowd" for work in placement.crowds)]:
        assert found[name]["failed"] == 0, name
        assert (found[name]["per_second"] or 0) > 0, name
        assert (found[name]["peak_bytes"] or 0) > 0, name
    assert (found["bare"]["per_second"] or 0) > 0
    if innocents:
        crash = found["crash"]
        lost = (crash["failed"] or 0) + (crash["vanished"] or 0)
        assert bool(crash["deaths"]) is (placement.name in DIE)
        assert bool(lost) is (placement.name in DIE or broken)
        assert (crash["pause_s"] is None) is broken
