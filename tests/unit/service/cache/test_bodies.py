"""Small bodies in memory."""

from __future__ import annotations

from imgsvc.service.cache.bodies import SMALL, Bodies


def test_what_was_not_used_for_longest_is_dropped_first() -> None:
    bodies = Bodies(30)
    for key in "abc":
        bodies.hold(key, key.encode() * 10)
    assert bodies.get("a") == b"a" * 10
    bodies.hold("d", b"d" * 10)
    assert bodies.get("b") is None
    assert [bodies.get(key) is not None for key in "acd"] == [True, True, True]


def test_a_body_of_the_bound_is_held_and_a_larger_one_is_not() -> None:
    bodies = Bodies(10)
    bodies.hold("fits", bytes(10))
    bodies.hold("over", bytes(11))
    assert bodies.get("fits") == bytes(10)
    assert bodies.get("over") is None


def test_a_large_body_is_left_to_the_disk_whatever_room_there_is() -> None:
    bodies = Bodies(10 * SMALL)
    bodies.hold("small", bytes(SMALL))
    bodies.hold("large", bytes(SMALL + 1))
    assert bodies.get("small") is not None
    assert bodies.get("large") is None


def test_without_room_nothing_is_held() -> None:
    bodies = Bodies(0)
    bodies.hold("a", b"a")
    assert bodies.get("a") is None


def test_what_is_dropped_gives_its_room_back() -> None:
    bodies = Bodies(10)
    bodies.hold("a", bytes(10))
    bodies.hold("a", bytes(10))  # held once
    bodies.drop("a")
    bodies.drop("a")
    bodies.hold("b", bytes(10))
    assert bodies.get("a") is None
    assert bodies.get("b") == bytes(10)
