"""Uses of cached files, and which of them are noted."""

from __future__ import annotations

import pytest

from imgsvc.service.cache.uses import Uses


class Clock:
    """Seconds that the test sets."""

    now = 12345.678

    def __call__(self) -> float:
        return self.now


def test_the_first_use_is_noted_and_for_a_minute_no_other() -> None:
    clock = Clock()
    uses = Uses(clock)
    assert uses.worth("a", 100)
    clock.now += 59.9
    assert not uses.worth("a", 100)
    assert uses.worth("b", 100)
    clock.now += 0.2
    assert uses.worth("a", 100)
    assert not uses.worth("a", 100)


@pytest.mark.parametrize(("files", "others"), [(10, 1), (160, 11), (1600, 101)])
def test_a_use_is_noted_again_when_a_sixteenth_of_all_has_come_since(files: int, others: int) -> None:
    uses = Uses(Clock())
    assert uses.worth("a", files)
    for _ in range(others - 1):
        uses.another()
    assert not uses.worth("a", files)
    uses.another()
    assert uses.worth("a", files)
    assert not uses.worth("a", files)


def test_what_is_gone_is_forgotten() -> None:
    uses = Uses(Clock())
    uses.worth("a", 100)
    uses.forget("a")
    uses.forget("never heard of")
    assert repr(uses) == "<Uses: 0 noted>"
    assert uses.worth("a", 100)
