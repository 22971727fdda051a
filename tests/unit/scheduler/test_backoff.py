"""Pauses between tries are random within a bound that doubles up to a cap."""

from __future__ import annotations

from random import Random

import pytest

from imgsvc.scheduler.backoff import Backoff


def test_the_bound_doubles_with_each_failure_up_to_the_cap() -> None:
    backoff = Backoff(1, 60)
    assert [backoff.longest(failures) for failures in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize("failures", [1, 3, 7, 10_000])
def test_a_pause_is_anything_between_nothing_and_the_bound(failures: int) -> None:
    backoff = Backoff(1, 60, Random(failures))
    pauses = [backoff.pause(failures) / backoff.longest(failures) for _ in range(400)]
    assert 0 <= min(pauses) < 0.05
    assert 0.95 < max(pauses) <= 1


def test_the_same_seed_gives_the_same_pauses() -> None:
    one, two, other = (Backoff(1, 60, Random(seed)) for seed in (1, 1, 2))
    pauses = [one.pause(failures) for failures in range(1, 9)]
    assert pauses == [two.pause(failures) for failures in range(1, 9)]
    assert pauses != [other.pause(failures) for failures in range(1, 9)]


def test_no_base_means_no_pause() -> None:
    assert Backoff(0, 60).pause(5) == 0
