"""The page on placement shows the numbers that were measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.placement import Measured
from benchmarks.placements import chart
from benchmarks.placements.places import PLACEMENTS
from benchmarks.placements.report import Row, parts, summarize, written_into

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    kept = json.loads((ROOT / "benchmarks" / "placements" / "measured.json").read_text())
    return summarize(Measured(**kept).placements)


def test_every_placement_has_been_measured(rows: list[Row]) -> None:
    assert [row.placement for row in rows] == list(PLACEMENTS)


def test_the_tables_of_the_page_are_those_of_the_numbers(rows: list[Row]) -> None:
    page = (ROOT / "docs" / "placement.md").read_text()
    assert page == written_into(page, rows)
    assert all(part in page for part in parts(rows).values())


def test_the_chart_of_the_page_is_that_of_the_numbers(rows: list[Row]) -> None:
    assert (ROOT / "docs" / "placement.svg").read_text() == chart.svg(rows)
