"""Durations and places in the line do not care how the wall clock is set."""

from __future__ import annotations

import pytest

from imgsvc.scheduler.steady import Steady
from tests.unit.scheduler.clocks import DAY

START = 1_750_000_000_000


class Hands:
    """Two clocks in the hands of the test, in milliseconds."""

    def __init__(self) -> None:
        self.wall, self.pace = START, 5000.0

    def pass_(self, ms: int) -> None:
        self.wall += ms
        self.pace += ms

    def steady(self) -> Steady:
        return Steady(lambda: self.wall, lambda: self.pace / 1000)


@pytest.mark.parametrize("jump", [DAY, -DAY, 0])
def test_it_goes_on_when_the_wall_clock_is_set(jump: int) -> None:
    hands = Hands()
    steady = hands.steady()
    hands.pass_(100)
    hands.wall += jump
    hands.pass_(50)
    assert steady() == START + 150


@pytest.mark.parametrize("jump", [DAY, -DAY, 5000, -5000, 0])
@pytest.mark.parametrize("seen", [True, False])
def test_a_duration_leaves_out_by_how_much_the_clock_was_set(jump: int, seen: bool) -> None:
    hands = Hands()
    steady = hands.steady()
    hands.pass_(10)
    began = hands.wall
    hands.pass_(2000)
    if seen:
        steady()
    hands.wall += jump
    hands.pass_(300)
    assert steady.since(began) == 2300


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_what_began_after_the_clock_was_set_is_not_corrected(jump: int) -> None:
    hands = Hands()
    steady = hands.steady()
    hands.pass_(1000)
    steady()
    hands.wall += jump
    began = hands.wall
    assert steady.since(began) == 0
    hands.pass_(70_000)
    assert steady.since(began) == 70_000


@pytest.mark.parametrize("jumps", [(DAY, -DAY), (-DAY, DAY), (-DAY, -DAY), (DAY, DAY), (-DAY, 2 * DAY, -DAY)])
def test_it_may_be_set_again_and_again(jumps: tuple[int, ...]) -> None:
    hands = Hands()
    steady = hands.steady()
    began = hands.wall
    for jump in jumps:
        hands.pass_(20_000)
        steady()
        hands.wall += jump
    hands.pass_(20_000)
    assert steady.since(began) == 20_000 * (len(jumps) + 1)


def test_the_pace_of_a_clock_may_be_corrected() -> None:
    hands = Hands()
    steady = hands.steady()
    for _ in range(100):
        hands.pass_(1000)
        hands.wall += 1
        steady()
    assert steady.since(START) == 100_100
    assert steady() == START + 100_000


def test_a_duration_is_never_negative() -> None:
    hands = Hands()
    assert hands.steady().since(START + 5) == 0


def test_it_can_be_told_to_be_no_earlier_than_something() -> None:
    hands = Hands()
    steady = hands.steady()
    steady.follow(START - 1)
    assert steady() == START
    steady.follow(START + 500)
    hands.pass_(10)
    assert steady() == START + 510


@pytest.mark.parametrize("jump", [DAY, -DAY, 0])
def test_a_moment_of_the_wall_clock_has_its_place_on_the_steady_one(jump: int) -> None:
    hands = Hands()
    steady = hands.steady()
    steady.follow(START + 40)
    before = hands.wall
    hands.pass_(100)
    steady()
    hands.wall += jump
    after = hands.wall
    hands.pass_(30)
    assert (steady.when(before), steady.when(after)) == (START + 40, START + 140)


def test_moments_stay_in_their_order_however_coarse_the_clocks_are() -> None:
    hands = Hands()
    steady = hands.steady()
    told = []
    for number in range(200):
        hands.pace += 0.49  # the wall clock shows whole milliseconds
        hands.wall += number % 2
        told.append((hands.wall, steady.when(hands.wall)))
    assert all(wall == moment for wall, moment in told)


@pytest.mark.parametrize("jump", [DAY, -DAY])
@pytest.mark.parametrize("odd", [0, 0.4, 0.6, 0.999])
def test_no_moment_after_a_jump_is_before_one_that_was_told(jump: int, odd: float) -> None:
    hands = Hands()
    steady = hands.steady()
    told = []
    for _ in range(5):
        told.append(steady.when(hands.wall))
        hands.pace += odd  # less than the wall clock shows
        hands.wall += jump
        told.append(steady.when(hands.wall))
    assert told == sorted(told)
    assert told[-1] - told[0] <= 5


def test_jumps_that_are_forgotten_still_count() -> None:
    hands = Hands()
    steady = hands.steady()
    for _ in range(40):
        hands.pass_(100)
        hands.wall += DAY
        assert steady.when(hands.wall) == steady()


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_what_was_read_just_after_a_jump_is_not_taken_for_something_before_it(jump: int) -> None:
    hands = Hands()
    steady = hands.steady()
    before = steady.when(hands.wall)
    hands.wall += jump
    at = hands.wall
    hands.pace += 0.3
    hands.wall += 1  # the next millisecond begins
    assert before <= steady.when(at) <= before + 1
    assert 0 <= steady.since(at) <= 1


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_what_was_read_just_before_a_jump_is_not_taken_for_something_after_it(jump: int) -> None:
    hands = Hands()
    steady = hands.steady()
    hands.pace += 0.3
    hands.wall += 1
    at = hands.wall
    hands.wall += jump
    assert START <= steady.when(at) <= START + 1
    assert 0 <= steady.since(at) <= 1
