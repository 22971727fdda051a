"""How long an AVIF will take."""

from __future__ import annotations

import pytest

from imgsvc.jobs import Result, Step
from imgsvc.pipeline import Grammar
from imgsvc.raster.geometry import Size
from imgsvc.service.pace import Pace
from imgsvc.worker import Outcome, Report, Target

parse = Grammar().parse
HD = Size(1920, 1080)


def report(ms: float, *, kind: str = "avif", size: Size = HD) -> Report:
    step = Step(output="it", op="encode", wall_ms=ms, cpu_ms=ms, before=size, after=size)
    other = Step(output=None, op="decode", wall_ms=5000, cpu_ms=5000, before=None, after=size)
    result = Result(
        name="it",
        key="k",
        content_type=f"image/{kind}",
        bytes=1,
        width=size.width,
        height=size.height,
        frames=1,
        sha256="0" * 64,
    )
    return Report(outcome=Outcome.SUCCEEDED, results=(result,), steps=(other, step))


def saw(pace: Pace, spec: str, *reports: Report) -> None:
    for each in reports:
        pace.saw(each, [Target(name="it", spec=spec, key="k")])


@pytest.mark.parametrize("ms", [200, 3000])
def test_it_is_learned_from_what_was_made(ms: float) -> None:
    pace = Pace(1.0)
    saw(pace, "resize:9x/avif", *[report(ms)] * 40)
    assert pace.pixels(parse("avif")) == pytest.approx(HD.pixels * 1000 / ms, rel=0.01)


def test_one_bad_moment_does_not_change_all() -> None:
    pace = Pace(1.0)
    saw(pace, "avif", *[report(200)] * 40, report(2000))
    assert pace.fits(parse("avif"), HD)


@pytest.mark.parametrize("edge", [-1, 1])
def test_what_fits_is_what_the_result_has(edge: int) -> None:
    pace = Pace(1.0)
    saw(pace, "avif", *[report(1000)] * 60)
    width = round(1920 * 0.99**edge)
    assert pace.fits(parse(f"resize:{width}x/avif"), Size(4000, 2250)) is (edge > 0)
    assert pace.fits(parse("crop:100x100/avif"), Size(16000, 16000))


@pytest.mark.parametrize(
    ("kind", "spec"), [("webp", "webp"), ("jpeg", "resize:3x"), ("avif", "avif:60,speed=2"), ("avif", "")]
)
def test_what_tells_nothing_of_avif_at_its_usual_speed_is_not_learned_from(kind: str, spec: str) -> None:
    pace, fresh = Pace(1.0), Pace(1.0)
    saw(pace, spec, report(60_000, kind=kind))
    assert (pace.pixels(parse("avif")) == fresh.pixels(parse("avif"))) is (spec != "")


def test_a_quality_that_is_looked_for_has_a_pace_of_its_own() -> None:
    pace = Pace(1.0)
    plain, sought, fitted = (pace.pixels(parse(f"avif{more}")) for more in ("", ":auto", ":max_bytes=9"))
    assert plain > sought > fitted
    saw(pace, "avif:auto", *[report(4000)] * 40)
    assert pace.pixels(parse("avif:auto")) < sought
    assert pace.pixels(parse("auto:auto")) == pace.pixels(parse("avif:auto"))
    assert pace.pixels(parse("avif")) == plain


def test_without_a_budget_nothing_fits() -> None:
    assert not Pace(0).fits(parse("avif"), Size(1, 1))
    assert Pace(600).fits(parse("avif"), HD)
