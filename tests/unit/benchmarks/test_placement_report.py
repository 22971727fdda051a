"""Medians of the rounds, and tables of them."""

from __future__ import annotations

import math

from benchmarks.percentiles import percentile
from benchmarks.placements.places import PLACEMENTS
from benchmarks.placements.report import Row, parts, summarize, written_into
from tests.unit.benchmarks.measured import crashed, loaded, raw


def row(name: str, rows: list[Row]) -> Row:
    (found,) = (row for row in rows if row.placement.name == name)
    return found


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert percentile([3, 1, 2], 50) == 2
    assert percentile(range(200), 99) == 198
    assert percentile([7], 99) == 7
    assert math.isnan(percentile([], 99))


def test_figures_are_medians_of_the_rounds() -> None:
    found = raw()
    found["thread"]["thumbnail"] = [loaded(10.0, p99=900), loaded(40.0, p99=30), loaded(30.0, p99=20)]
    found["thread"]["bare"] = [{"per_second": 20.0}, {"per_second": 50.0}, {"per_second": 50.0}]
    thread = row("thread", summarize(found))
    assert (thread.thumbnail.per_second, thread.thumbnail.livez_p99_ms) == (30.0, 30)
    assert thread.of_bare == 0.6  # the median of 0.5, 0.8 and 0.6


def test_what_was_lost_is_what_failed_and_what_vanished() -> None:
    found = raw()
    found["background"]["crash"] = [crashed(9, 10, 1, 1.0), crashed(17, 2, 1, 2.0), crashed(0, 12, 1, 1.5)]
    crash = row("background", summarize(found)).crash
    assert crash
    assert (crash.lost, crash.vanished, crash.died, crash.pause_s) == (19, 10, True, 1.5)


def test_only_what_was_measured_has_a_row() -> None:
    found = raw()
    del found["pool-each"]
    assert [row.placement.name for row in summarize(found)] == [
        place.name for place in PLACEMENTS if place.name != "pool-each"
    ]


def test_a_server_that_works_no_more_is_told_in_words() -> None:
    found = raw()
    found["pool-once"]["crash"] = [crashed(19, 0, 0, None)] * 2 + [crashed(19, 0, 0, 1.0)]
    (line,) = (
        line for line in parts(summarize(found))["crash"].splitlines() if "one process pool | 19 " in line
    )
    assert line.endswith("| 19 | – | no | until restarted |")


def test_only_what_answers_202_can_lose_what_it_has_accepted() -> None:
    found = raw()
    found["jobs"]["crash"] = [crashed()]
    lines = parts(summarize(found))["crash"].splitlines()
    assert any("durable jobs | 0 | 0 | no" in line for line in lines)
    assert any("thread pool | 0 | – | no" in line for line in lines)


def test_a_flavour_that_a_placement_has_not_is_a_dash() -> None:
    (line,) = (
        line
        for line in parts(summarize(raw()))["waits"].splitlines()
        if "one process pool | 25.0 | 5.0 |" in line
    )
    assert line.endswith("| 25.0 | 5.0 | – | – | – |")


def test_jobs_that_failed_under_load_are_told() -> None:
    assert "failed" not in parts(summarize(raw()))["machine"]
    found = raw()
    found["thread"]["wait"] = [loaded(25.0, failed=2), loaded(25.0, failed=1)]
    assert "3 (thread pool) failed 3 jobs under load." in parts(summarize(found))["machine"]


def test_what_others_took_of_the_machine_is_told() -> None:
    found = raw()
    found["jobs"]["bare"] = [{"per_second": 30.4}]
    assert "The bare loop did 30 to 50 images a second" in parts(summarize(found))["machine"]


def test_without_crashes_there_is_no_table_of_them() -> None:
    found = raw()
    for measured in found.values():
        del measured["crash"]
    assert list(parts(summarize(found))) == ["thumbnails", "waits", "machine"]


def test_a_page_gets_what_was_measured_and_keeps_what_was_written() -> None:
    rows = summarize(raw())
    page = "# Title\n\n<!-- measured: waits -->\n\n{}\n\nWords.\n\n<!-- measured: machine -->\n\n{}\n\nend\n"
    shown = parts(rows)
    assert written_into(page.format("| old |\n| --- |", "old"), rows) == page.format(
        shown["waits"], shown["machine"]
    )
