"""What is counted as lost when a job crashes, and what as serving again."""

from __future__ import annotations

from benchmarks.placements.client import Outcome
from benchmarks.placements.crash import Job, judge

SENT, UNTIL = 10.0, 20.0


def done(began: float, ended: float) -> Job:
    return Job(began, ended, Outcome.DONE)


def failed(began: float, ended: float) -> Job:
    return Job(began, ended, Outcome.FAILED)


def vanished(began: float, ended: float) -> Job:
    return Job(began, ended, Outcome.VANISHED)


def test_a_client_loses_one_job_however_often_it_asks_a_dead_server() -> None:
    jobs = [done(9, 10.5), failed(10.5, 11), failed(11.1, 11.2), failed(11.3, 11.4), done(12, 12.5)]
    found = judge([jobs], SENT, UNTIL, deaths=1)
    assert (found.failed, found.vanished, found.deaths) == (1, 0, 1)


def test_what_was_accepted_and_is_unknown_after_the_crash_has_vanished() -> None:
    found = judge([[vanished(9, 12), done(12, 13)], [failed(9, 11), done(12, 13)]], SENT, UNTIL, deaths=1)
    assert (found.failed, found.vanished) == (1, 1)


def test_the_pause_lasts_from_the_last_job_before_to_the_first_job_after() -> None:
    found = judge([[done(9, 10.5), failed(10.5, 11), done(12, 13.5), done(13.5, 14)]], SENT, UNTIL, deaths=1)
    assert found.pause_s == 3.0


def test_what_was_finished_before_the_crash_and_heard_after_it_is_no_serving_again() -> None:
    found = judge([[failed(9, 11), failed(11, 12)], [done(9, 11.1), failed(11.1, 12)]], SENT, UNTIL, deaths=0)
    assert found.pause_s is None


def test_a_crash_that_costs_nothing_costs_nothing() -> None:
    found = judge([[done(9, 10.25), done(10.25, 10.5)], [done(9.5, 10.5)]], SENT, UNTIL, deaths=0)
    assert (found.failed, found.vanished, found.pause_s) == (0, 0, 0.25)


def test_what_happened_before_the_lethal_job_or_after_the_end_does_not_count() -> None:
    found = judge([[failed(8, 9), done(9, 11), failed(19, 21)]], SENT, UNTIL, deaths=0)
    assert (found.failed, found.vanished) == (0, 0)


def test_a_slow_server_that_loses_nothing_is_not_broken() -> None:
    assert judge([[done(9, 21)], [done(9, 22)]], SENT, UNTIL, deaths=0).pause_s == UNTIL - SENT
