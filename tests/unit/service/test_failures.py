"""Failures that are remembered for a while."""

from __future__ import annotations

import pytest

from imgsvc.errors import (
    ImageCorrupt,
    ImgsvcError,
    InternalError,
    OutputTooLarge,
    ProcessingTimeout,
    QueueTimeout,
    WorkerCrashed,
)
from imgsvc.service.failures import Failures

PROBLEM = ImageCorrupt("it is broken").problem


class Clock:
    """Seconds that the test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_failure_is_remembered_up_to_its_time_and_not_longer() -> None:
    clock = Clock()
    failures = Failures(10, clock)
    failures.add("this", "image", PROBLEM)
    clock.now += 9.9
    assert failures.get("this", "image") == PROBLEM
    assert failures.get("that", "image") is None
    clock.now += 0.2
    assert failures.get("this", "image") is None


def test_zero_seconds_remember_nothing() -> None:
    failures = Failures(0)
    failures.add("this", "image", PROBLEM)
    assert failures.get("this", "image") is None


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (ImageCorrupt("it is broken"), True),
        (OutputTooLarge("too large"), True),
        (ProcessingTimeout("too long"), True),
        (WorkerCrashed("lost"), False),
        (QueueTimeout("busy"), False),
        (InternalError("ours"), False),
    ],
)
def test_only_what_would_come_again_is_remembered(error: ImgsvcError, *, kept: bool) -> None:
    failures = Failures(10)
    failures.add("this", "image", error.problem)
    assert (failures.get("this", "image") is not None) == kept


def test_those_of_an_image_are_forgotten_with_it() -> None:
    failures = Failures(10)
    for tried, image in (("a", "mine"), ("b", "mine"), ("a", "theirs")):
        failures.add(tried, image, PROBLEM)
    failures.forget("mine")
    assert failures.get("a", "mine") is None
    assert failures.get("b", "mine") is None
    assert failures.get("a", "theirs") == PROBLEM


def test_a_thousand_are_remembered_and_no_more() -> None:
    failures = Failures(10)
    for number in range(1001):
        failures.add(str(number), "image", PROBLEM)
    assert failures.get("0", "image") is None
    assert failures.get("1", "image") == PROBLEM
    assert failures.get("1000", "image") == PROBLEM
