"""The chart of the placements."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from benchmarks.placements import chart
from benchmarks.placements.places import PLACEMENTS
from benchmarks.placements.report import summarize
from tests.unit.benchmarks.measured import crashed, loaded, raw

SVG = "{http://www.w3.org/2000/svg}"


def drawn(found: str) -> ET.Element:
    return ET.fromstring(found)  # noqa: S314  # our own


def texts(picture: ET.Element) -> list[str]:
    return [text.text or "" for text in picture.iter(f"{SVG}text")]


def bars(picture: ET.Element, kind: str) -> list[float]:
    found = (bar for bar in picture.iter(f"{SVG}rect") if bar.get("class") == kind)
    return [float(bar.get("width", "")) for bar in found]


def test_every_placement_is_named_and_every_panel_has_its_bars() -> None:
    picture = drawn(chart.svg(summarize(raw())))
    said = texts(picture)
    for place in PLACEMENTS:
        assert f"{place.number}\u2002{place.title}" in said
    for panel in chart.PANELS:
        assert panel.title in said
    waits = sum(len(place.works) - 1 for place in PLACEMENTS)
    assert len(bars(picture, "theirs")) + len(bars(picture, "ours")) == 4 * len(PLACEMENTS) + waits


def test_a_bar_is_as_long_as_its_value() -> None:
    found = raw()
    for name in found:
        found[name]["thumbnail"] = [loaded(10.0, cpu_ms=25.0)]
    found["handler"]["thumbnail"] = [loaded(10.0, cpu_ms=100.0)]
    lengths = bars(drawn(chart.svg(summarize(found))), "theirs")
    assert round(lengths[0] / lengths[1], 1) == 4.0


def test_latencies_are_drawn_on_a_logarithmic_scale() -> None:
    found = raw()
    for name in found:
        found[name]["thumbnail"] = [loaded(10.0, p99=10.0)]
    found["handler"]["thumbnail"] = [loaded(10.0, p99=1000.0)]
    lengths = bars(drawn(chart.svg(summarize(found))), "theirs")
    theirs = sum(not place.ours for place in PLACEMENTS)
    assert round(lengths[theirs] / lengths[theirs + 1], 1) == 3.0


def test_the_cost_of_a_crash_is_written_behind_its_bar() -> None:
    found = raw()
    found["thread"]["crash"] = [crashed(19, 0, 1, 0.94)]
    found["pool-once"]["crash"] = [crashed(19, 0, 0, None)]
    said = texts(drawn(chart.svg(summarize(found))))
    assert {"19, 0.9 s", "19, broken", "0"} <= set(said)


def test_nothing_reaches_into_the_next_panel() -> None:
    found = raw()
    for measured in found.values():
        measured["thumbnail"] = [loaded(1234.0, p99=123_456.0)]
        measured["crash"] = [crashed(19, 0, 0, None)]
    picture = drawn(chart.svg(summarize(found)))
    starts = sorted({float(line.get("x1", "")) for line in picture.iter(f"{SVG}line")})
    width = float(picture.get("viewBox", "").split()[2])
    for text in picture.iter(f"{SVG}text"):
        begin = float(text.get("x", ""))
        following = min((start for start in starts if start > begin), default=width)
        assert begin + 6.2 * len(text.text or "") < following, (
            text.text
        )  # a letter at this size takes 6 on average


def test_it_has_colours_for_light_and_for_dark_pages_and_needs_nothing_from_elsewhere() -> None:
    found = chart.svg(summarize(raw()))
    assert "prefers-color-scheme:dark" in found
    assert 'class="paper"' in found
    assert found.count("http") == 1  # the namespace
    assert "<script" not in found
