"""The page on peers shows the numbers that were measured, and says so where none were."""

from __future__ import annotations

import json
import re
from pathlib import Path

from benchmarks.pages import written_into
from benchmarks.peers import chart, report
from benchmarks.peers.__main__ import Measured

ROOT = Path(__file__).parents[3]
PAGE, CHART = ROOT / "docs" / "peers.md", ROOT / "docs" / "peers.svg"
NUMBERS = ROOT / "benchmarks" / "peers" / "measured.json"


def test_every_part_of_the_report_has_its_place() -> None:
    places = re.findall(r"<!-- measured: (\w+) -->", PAGE.read_text())
    assert sorted(places) == sorted(report.parts([], {}, 2))


def test_page_and_chart_are_those_of_the_numbers() -> None:
    page = PAGE.read_text()
    if not NUMBERS.exists():
        assert page.count("Not measured yet.") == page.count("<!-- measured:")
        assert not CHART.exists()
        return
    measured = Measured(**json.loads(NUMBERS.read_text()))
    assert page == written_into(page, report.parts(measured.lines, measured.made_of, measured.cpus))
    assert CHART.read_text() == chart.svg(measured.lines)
