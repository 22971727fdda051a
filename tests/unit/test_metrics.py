"""What is counted is what was done."""

from __future__ import annotations

import random
import statistics

import pytest

from imgsvc.errors import Problem
from imgsvc.jobs import Step
from imgsvc.metrics import BOUNDS, Histogram, Metrics, failed_step
from imgsvc.worker import Outcome, Report


def step(op: str, output: str | None = "default", ms: float = 1.0) -> Step:
    return Step(output=output, op=op, wall_ms=ms, cpu_ms=ms / 2, before=None, after=None)


DECODE = step("decode", None, 10.0)


def test_percentiles_are_within_a_bucket_of_the_true_ones() -> None:
    generator = random.Random(7)
    values = [generator.lognormvariate(2, 1) for _ in range(5000)]
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    shown = histogram.summary()
    true = statistics.quantiles(values, n=100)
    assert shown["mean"] == pytest.approx(statistics.fmean(values), abs=0.001)
    assert shown["p50"] == pytest.approx(true[49], rel=0.12)
    assert shown["p95"] == pytest.approx(true[94], rel=0.12)
    assert shown["p99"] == pytest.approx(true[98], rel=0.12)


def test_no_percentile_is_above_what_was_seen() -> None:
    histogram = Histogram()
    histogram.add(10.0)
    assert histogram.summary()["p99"] <= 10.0
    histogram.add(BOUNDS[-1] * 3)
    assert histogram.summary()["p99"] <= BOUNDS[-1] * 3


def test_nothing_seen_is_zero() -> None:
    assert Histogram().summary() == {"mean": 0.0, "p50": 0.0, "p95": 0.0, "p99": 0.0}


def test_a_call_counts_each_of_its_steps() -> None:
    metrics = Metrics()
    report = Report(outcome=Outcome.SUCCEEDED, steps=(DECODE, step("resize"), step("encode")))
    metrics.call_ended(report, {"default": "resize:10x/webp"}, 1000)
    metrics.call_ended(report, {"default": "resize:10x/webp"}, 500)
    shown = metrics.operations()
    assert list(shown) == ["decode", "encode", "resize"]
    assert shown["decode"]["count"] == 2
    assert shown["decode"]["errors"] == 0
    assert shown["decode"]["wall_ms"]["mean"] == 10.0
    assert shown["decode"]["cpu_ms"]["mean"] == 5.0
    assert metrics.totals()["calls"]["succeeded"] == 2
    assert metrics.totals()["bytes_in"] == 1500


def test_spare_work_is_counted_apart_from_calls_and_among_operations() -> None:
    metrics = Metrics()
    metrics.spare_ended(Report(outcome=Outcome.SUCCEEDED, steps=(DECODE,)), {})
    metrics.spare_ended(Report(outcome=Outcome.KILLED), {})
    totals = metrics.totals()
    assert (totals["spare"]["succeeded"], totals["spare"]["killed"]) == (1, 1)
    assert set(totals["calls"].values()) == {0}
    assert metrics.operations()["decode"]["count"] == 1


def test_a_failure_is_counted_against_the_operation_that_failed() -> None:
    metrics = Metrics()
    problem = Problem(code="image-too-large-for-memory", detail="…")
    report = Report(outcome=Outcome.REFUSED, problem=problem, steps=(DECODE, step("resize")))
    metrics.call_ended(report, {"default": "resize:10x/blur/webp"}, 1000)
    assert metrics.operations()["blur"]["errors"] == 1
    assert metrics.operations()["blur"]["count"] == 0
    assert metrics.totals()["problems"] == {}  # counted when it is answered


SPECS = {"a": "resize:10x/blur/webp", "b": "grayscale"}


@pytest.mark.parametrize(
    ("steps", "output", "expected"),
    [
        ((), None, "decode"),
        ((DECODE,), "a", "resize"),
        ((DECODE, step("resize", "a")), "a", "blur"),
        ((DECODE, step("resize", "a"), step("blur", "a")), "a", "encode"),
        ((DECODE, step("resize", "a")), "b", "grayscale"),
        ((DECODE, step("grayscale", "b")), "b", "encode"),
        ((DECODE,), None, "encode"),
    ],
)
def test_the_step_that_failed_is_the_one_after_the_last_that_is_timed(
    steps: tuple[Step, ...], output: str | None, expected: str
) -> None:
    problem = Problem(code="image-corrupt", detail="…", output=output)
    assert failed_step(problem, steps, SPECS) == expected
