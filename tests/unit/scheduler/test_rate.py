"""Waits are estimated from what tasks have taken."""

from __future__ import annotations

import pytest

from imgsvc.scheduler.rate import Pace, Rate


def test_the_rate_follows_what_tasks_take() -> None:
    rate = Rate(lanes=1)
    for _ in range(100):
        rate.took(0.5)
    assert rate.task_s == pytest.approx(0.5)
    for _ in range(100):
        rate.took(0.1)
    assert rate.task_s == pytest.approx(0.1, rel=0.01)


def test_lanes_share_the_wait() -> None:
    rate = Rate(lanes=4)
    rate.took(2.0)
    assert rate.wait_s(8) == 4.0


def test_those_who_are_refused_come_back_within_a_fifth_of_the_estimate() -> None:
    rate = Rate(lanes=2)
    rate.took(1.0)
    waits = [rate.retry_after(200) for _ in range(200)]
    assert 80 <= min(waits) < max(waits) <= 120


@pytest.mark.parametrize(("ahead", "wait"), [(0, 1), (10**9, 300)])
def test_nobody_is_told_less_than_a_second_or_more_than_five_minutes(ahead: int, wait: float) -> None:
    assert Rate(lanes=1).retry_after(ahead) == wait


def test_the_pace_is_the_mean_time_between_starts() -> None:
    pace = Pace()
    for number in range(11):
        pace.started(5.0 + number / 4, more=True)
    assert pace.interval_s == pytest.approx(0.25)
    assert repr(pace) == "<Pace one start in 250.0 ms>"


def test_the_pace_follows_what_changes() -> None:
    pace = Pace()
    for number in range(300):
        pace.started(number * 1.0, more=True)
    for number in range(300):
        pace.started(300 + number * 0.1, more=True)
    assert pace.interval_s == pytest.approx(0.1, rel=0.05)


def test_time_in_which_nobody_waited_is_not_counted() -> None:
    pace = Pace()
    assert pace.interval_s is None
    pace.started(1.0, more=False)
    pace.started(100.0, more=True)
    pace.stop()  # paused
    pace.started(900.0, more=True)
    assert pace.interval_s is None
    pace.started(900.5, more=True)
    assert pace.interval_s == 0.5
