"""The comparison with peers runs: a tiny round of each kind of row, with ourselves as the peer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.peers.kernel import Kernel
from benchmarks.peers.lines import summarize
from benchmarks.peers.orders import Mode, Order, Row
from benchmarks.peers.report import parts
from benchmarks.peers.rounds import WARM, Plan, Rounds
from benchmarks.peers.services import ours
from benchmarks.peers.sources import Kind, Source
from benchmarks.peers.template import Template

#: Us, asked in another way, and unable to blur.
_OTHER = {
    False: Template("/r/@{file}/resize:{width}x/{format}[:{quality}]?other"),
    True: Template("/r/{image}/resize:{width}x/{format}[:{quality}]?other"),
}


@pytest.mark.parametrize("stored", [False, True], ids=["folder", "stored"])
def test_everybody_is_visited_in_every_kind_of_row(
    photo: Callable[..., bytes], tmp_path: Path, *, stored: bool
) -> None:
    source = Source("tiny", Kind.BASELINE, 160 * 120, photo(160, 120))
    folder = tmp_path / "images"
    folder.mkdir()
    files = source.copies(folder, 4 + WARM)
    orders = [Order(64, "jpeg"), Order(64, "png"), Order(64, "jpeg", blur=2), Order(64, "jpeg", sharpen=1)]
    rows = [Row(source, order) for order in orders]
    rows += [Row(source, Order(64, "jpeg"), mode) for mode in (Mode.SEEN, Mode.HIT)]
    told: list[str] = []
    plan = Plan({1: 0.1, 8: 0.1}, rounds=1, budget=600, kernel=0.05)
    with Kernel() as kernel, ours(files, folder, stored=stored) as us:
        peer = replace(us, name="peer", template=_OTHER[stored])
        broken = replace(us, name="broken", template=Template("/nowhere/{width}/{format}/{file}"))
        taking_part = {mode: [us, peer, broken] for mode in Mode}
        rounds = Rounds(taking_part, {source.name: files}, kernel, told.append)
        found = rounds.run(rows, plan)
        assert rounds.run(rows, replace(plan, budget=0)) == []
    assert told[-1] == "no time for round 1 from here on"
    lines = summarize(found)
    assert [line.title for line in lines] == [row.title for row in rows]
    for line in lines:
        able = {"imgsvc"} if line.order.blur or line.order.sharpen else {"imgsvc", "peer"}
        assert set(line.results) == set(line.loads) == able
        for load in (each for by_clients in line.loads.values() for each in by_clients.values()):
            assert load.failed == 0
            assert load.per_second > 0
            assert (load.peak_bytes or 0) > 0
        assert bool(line.kernel_cpu_ms) is (line.mode is Mode.FIRST)
    plain = lines[0].results
    assert plain["peer"].equal
    assert abs((plain["peer"].db or 0) - (plain["imgsvc"].db or 0)) < 0.5
    assert any(line.startswith("without broken: /nowhere/64/jpeg/tiny-0.jpg: 404") for line in told)
    assert "| peer: /s |" in parts(lines, {"imgsvc": "us", "peer": "us, too"}, 2)["first"]
