"""Copies stay while they are used, and for a while after that."""

from __future__ import annotations

import pytest

from imgsvc.service.sources.copies import Copies


@pytest.fixture
def gone() -> list[str]:
    return []


def filled(limit: int, gone: list[str]) -> Copies:
    """Three copies of ten bytes each, used and given back in order."""
    copies = Copies(limit, gone.append)
    for name in "abc":
        copies.add(name, f"key-{name}", 10)
        assert copies.take(name) == f"key-{name}"
        copies.give_back(name)
    return copies


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(30, []), (29, ["key-a"]), (10, ["key-a", "key-b"]), (0, ["key-a", "key-b", "key-c"])],
)
def test_the_longest_unused_go_when_there_is_no_room(
    limit: int, expected: list[str], gone: list[str]
) -> None:
    copies = filled(limit, gone)
    assert gone == expected
    for name in "abc":
        assert (copies.take(name) is None) == (f"key-{name}" in expected)


def test_what_is_used_stays_whatever_it_takes(gone: list[str]) -> None:
    copies = Copies(0, gone.append)
    for name in "abc":
        copies.add(name, f"key-{name}", 10)
        copies.take(name)
        copies.take(name)
    copies.give_back("b")
    assert gone == []
    copies.give_back("b")
    assert gone == ["key-b"]


def test_use_makes_a_copy_young_again(gone: list[str]) -> None:
    copies = filled(30, gone)
    copies.take("a")
    copies.give_back("a")
    copies.add("d", "key-d", 10)
    copies.take("d")
    copies.give_back("d")
    assert gone == ["key-b"]


def test_whoever_made_a_copy_can_take_it_even_without_any_room(gone: list[str]) -> None:
    copies = Copies(0, gone.append)
    copies.add("a", "key-a", 10)
    assert copies.take("a") == "key-a"


def test_copies_that_nobody_took_do_not_pile_up(gone: list[str]) -> None:
    copies = Copies(10, gone.append)
    for number in range(5):
        copies.add(str(number), f"key-{number}", 10)
    assert gone == ["key-0", "key-1", "key-2"]


def test_of_two_that_are_equal_the_first_stays(gone: list[str]) -> None:
    copies = Copies(30, gone.append)
    copies.add("a", "first", 10)
    copies.add("a", "second", 10)
    assert gone == ["second"]
    assert copies.take("a") == "first"


def test_they_can_be_shown(gone: list[str]) -> None:
    copies = filled(30, gone)
    copies.take("a")
    assert repr(copies) == "<Copies: 1 in use, 2 with 20 bytes kept>"
