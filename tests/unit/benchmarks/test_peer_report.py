"""Medians of the rounds, tables of them and the chart."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from benchmarks.peers import chart
from benchmarks.peers.lines import Line, summarize
from benchmarks.peers.orders import Mode, Order
from benchmarks.peers.report import parts
from benchmarks.peers.rounds import Found
from benchmarks.peers.sources import Kind

SVG = "{http://www.w3.org/2000/svg}"
MADE_OF = {"imgsvc": "imgsvc 1", "ipx": "ipx 3 (sharp 0.34)", "thumbor": "thumbor 7"}


def visited(per_second: float, cpu_ms: float | None = 50.0, failed: int = 0) -> dict[str, Any]:
    return {
        "per_second": per_second,
        "p50_ms": 200.0,
        "p99_ms": 400.4,
        "cpu_ms": cpu_ms,
        "peak_bytes": 100_000_000 if cpu_ms else None,
        "failed": failed,
    }


def made(db: float | None = 36.0, quality: int | None = 80, *, same: bool = True) -> dict[str, Any]:
    return {"bytes": 20_400, "db": db, "quality": quality, "equal": same}


def measured(
    ours: list[float],
    ipx: list[float],
    thumbor: list[float],
    order: Order | None = None,
    mode: Mode = Mode.FIRST,
    kind: Kind = Kind.BASELINE,
) -> Found:
    """A row whose requests a second were these in each round."""
    order = order or Order(256, "jpeg")
    rates = {"imgsvc": ours, "ipx": ipx, "thumbor": thumbor}
    return Found(
        title=f"12 MP {kind} → {order}",
        mode=mode,
        kind=kind,
        order=asdict(order),
        results={name: made() for name in rates},
        visits={
            name: {clients: [visited(rate) for rate in each] for clients in ("1", "8")}
            for name, each in rates.items()
        },
        kernel_cpu_ms=[45.0] * len(ours) if mode is Mode.FIRST else [],
    )


def line(found: Found) -> Line:
    (only,) = summarize([found])
    return only


def said(*found: Found) -> dict[str, str]:
    return parts(summarize(found), MADE_OF, 2)


def test_figures_are_medians_of_the_rounds() -> None:
    loads = line(measured([40.0, 10.0, 44.0], [30.0] * 3, [20.0] * 3)).loads
    assert loads["imgsvc"]["8"].per_second == 40.0


def test_we_are_compared_with_the_faster_peer_of_the_same_round() -> None:
    found = line(measured([40.0, 10.0, 60.0], [30.0, 10.0, 20.0], [20.0, 5.0, 40.0]))
    assert found.ratios["8"] == pytest.approx(4 / 3)  # of 4/3, 1 and 3/2


def test_the_kernel_is_a_part_of_our_cpu() -> None:
    assert line(measured([40.0], [30.0], [20.0])).of_kernel == pytest.approx(0.9)
    assert line(measured([40.0], [30.0], [20.0], mode=Mode.SEEN)).of_kernel is None


@pytest.mark.parametrize(
    ("order", "mode", "kind", "bound"),
    [
        (Order(256, "jpeg"), Mode.FIRST, Kind.BASELINE, 1.0),
        (Order(800, "jpeg"), Mode.FIRST, Kind.PROGRESSIVE, 1.2),
        (Order(800, "webp"), Mode.FIRST, Kind.BASELINE, 1.4),
        (Order(800, "avif"), Mode.FIRST, Kind.BASELINE, 1.0),
        (Order(800, "jpeg", sharpen=1), Mode.FIRST, Kind.BASELINE, 1.0),
        (Order(800, "jpeg", blur=5), Mode.FIRST, Kind.BASELINE, None),
        (Order(400, "png"), Mode.FIRST, Kind.ALPHA, None),
        (Order(800, "webp"), Mode.FIRST, Kind.WEBP, None),
        (Order(256, "jpeg"), Mode.SEEN, Kind.BASELINE, 2.5),
        (Order(800, "jpeg"), Mode.HIT, Kind.BASELINE, None),
    ],
)
def test_what_was_promised(order: Order, mode: Mode, kind: Kind, bound: float | None) -> None:
    assert line(measured([40.0], [30.0], [20.0], order, mode, kind)).bound == bound


def test_a_promise_that_is_not_kept_is_told_and_one_that_is_kept_is_not() -> None:
    order = Order(800, "jpeg")
    assert "1.19 × the faster peer, promised 1.2." in said(measured([35.7], [30.0], [20.0], order))["verdict"]
    assert "faster peer, promised" not in said(measured([36.0], [30.0], [20.0], order))["verdict"]


def test_a_row_without_a_promise_is_told_where_a_peer_is_ahead() -> None:
    behind = measured([20.0], [30.0], [10.0], Order(400, "png"), kind=Kind.ALPHA)
    ahead = measured([31.0], [30.0], [10.0], Order(400, "png"), kind=Kind.ALPHA)
    assert "0.67 × the faster peer (nothing promised)." in said(behind)["verdict"]
    assert "nothing promised" not in said(ahead)["verdict"]


def test_a_service_that_costs_more_than_its_kernel_allows_is_told() -> None:
    found = measured([40.0], [30.0], [20.0])
    assert "the kernel is" not in said(found)["verdict"]
    found.kernel_cpu_ms = [44.0]
    assert "the kernel is 0.88 of our CPU, promised 0.9." in said(found)["verdict"]


def test_a_table_has_a_row_for_each_that_was_visited() -> None:
    table = said(measured([40.04], [130.0], [20.0]))["first"].splitlines()
    assert table[0].startswith("|  | imgsvc, 8 clients: /s | ipx: /s | thumbor: /s | × faster peer |")
    assert table[2].startswith("| 12 MP JPEG → 256 JPEG | 40.0 | 130 | 20.0 | 0.31 |")


def test_a_kind_of_rows_that_was_not_measured_is_told() -> None:
    assert said(measured([40.0], [30.0], [20.0]))["hit"] == "No such row was measured."


def test_who_took_no_part_in_a_row_is_a_dash() -> None:
    found = measured([3000.0], [1.0], [2000.0], mode=Mode.HIT)
    del found.results["ipx"], found.visits["ipx"]
    assert "| 12 MP JPEG → 256 JPEG, kept | 3000 | – | 2000 | 1.50 |" in said(found)["hit"]


def test_a_result_that_is_not_as_good_is_marked() -> None:
    found = measured([40.0], [30.0], [20.0])
    found.results["thumbor"] = made(33.96, 99, same=False)
    assert said(found)["results"].splitlines()[2].endswith("| 36.0 (q80) | 36.0 (q80) | 34.0 (q99) ≠ |")


def test_where_there_is_no_telling_and_no_quality_nothing_is_told() -> None:
    found = measured([40.0], [30.0], [20.0])
    found.results["ipx"] = made(None, None)
    assert "| 36.0 (q80) | – | 36.0 (q80) |" in said(found)["results"]


def test_failures_are_told_beside_the_rate() -> None:
    found = measured([40.0], [30.0], [20.0])
    found.visits["ipx"]["8"] = [visited(30.0, failed=2)]
    assert "| 30.0 (2 failed) |" in said(found)["first"]


def test_a_server_of_which_only_the_port_is_known_has_no_cpu_and_no_memory() -> None:
    found = measured([40.0], [30.0], [20.0])
    found.visits["ipx"]["8"] = [visited(30.0, cpu_ms=None)]
    assert "| 50.0 | – | 50.0 | 45.0 | 0.90 | – | 100 | – | 100 |" in said(found)["cost"]


def test_what_we_put_off_is_told() -> None:
    found = measured([40.0], [30.0], [20.0], mode=Mode.SEEN)
    found.put_off_cpu_ms = {"imgsvc": [100.0, 120.0, 140.0]}
    assert "| 50.0 | 50.0 | 50.0 | – | – | 120.0 | 100 |" in said(found)["cost"]


def test_without_anybody_else_there_is_nothing_to_compare_with() -> None:
    found = measured([40.0], [30.0], [20.0])
    for name in ("ipx", "thumbor"):
        del found.visits[name], found.results[name]
    alone = parts(summarize([found]), {"imgsvc": "imgsvc 1"}, 2)
    assert alone["verdict"] == "Nobody else took part."
    assert "| 12 MP JPEG → 256 JPEG | 40.0 | – | 40.0 | – |" in alone["first"]


def test_the_versions_are_told() -> None:
    machine = said(measured([40.0] * 3, [30.0] * 3, [20.0] * 3))["machine"]
    assert machine == "imgsvc 1, ipx 3 (sharp 0.34), thumbor 7. Medians of 3 rounds on 2 CPUs."


def test_the_chart_has_three_bars_a_panel_and_the_longest_is_the_fastest() -> None:
    lines = summarize([measured([60.0], [30.0], [15.0])])
    picture = ET.fromstring(chart.svg(lines))  # noqa: S314  # our own
    found: dict[str, list[float]] = {kind: [] for kind in ("ours", "theirs", "others")}
    for bar in picture.iter(f"{SVG}rect"):
        if bar.get("class") in found and bar.get("x") != "16":  # there is the legend
            found[str(bar.get("class"))].append(float(bar.get("width", "")))
    assert [len(bars) for bars in found.values()] == [3, 3, 3]
    assert found["ours"][0] == pytest.approx(2 * found["theirs"][0], abs=0.1)
    assert found["theirs"][0] == pytest.approx(2 * found["others"][0], abs=0.1)
    texts = [text.text for text in picture.iter(f"{SVG}text")]
    assert {"2.00 × (60/s)", "30/s", "15/s", "imgsvc", "ipx", "thumbor", lines[0].title} <= set(texts)


def test_the_chart_does_without_who_took_no_part() -> None:
    found = measured([3000.0], [1.0], [2000.0], mode=Mode.HIT)
    del found.results["ipx"], found.visits["ipx"]
    assert "1.50 × (3000/s)" in chart.svg(summarize([found]))
