"""What a job is and what may become of it."""

import pytest
from pydantic import ValidationError

from imgsvc.jobs import (
    ANSWERS,
    TRANSITIONS,
    Image,
    ImpossibleTransition,
    Job,
    Output,
    Priority,
    State,
    answer_key,
    image_id,
    image_key,
    new_id,
    owner,
    result_key,
)

# In an order that no set decides: all processes that share the tests must list the same ones.
ALLOWED = [(a, b) for a in State for b in State if b in TRANSITIONS[a]]
REFUSED = [(a, b) for a in State for b in State if a is not b and b not in TRANSITIONS[a]]


def job(state: State = State.QUEUED) -> Job:
    digest = "ab" * 32
    image = Image(
        id=image_id(digest),
        sha256=digest,
        key=image_key(image_id(digest)),
        bytes=1000,
        format="jpeg",
        content_type="image/jpeg",
        width=30,
        height=20,
        frames=1,
        has_alpha=False,
        created_at=1,
    )
    return Job(
        id=new_id("job"),
        state=state,
        max_attempts=3,
        timeout_ms=1000,
        retention_s=60,
        created_at=1,
        image=image,
        outputs=(Output(name="default", spec="thumbnail"),),
    )


@pytest.mark.parametrize(("before", "after"), ALLOWED)
def test_what_the_table_has_is_allowed(before: State, after: State) -> None:
    assert job(before).evolve(state=after).state is after


@pytest.mark.parametrize(("before", "after"), REFUSED)
def test_what_the_table_lacks_is_refused_and_nothing_has_changed(before: State, after: State) -> None:
    standing = job(before)
    copy = standing.model_copy()
    with pytest.raises(ImpossibleTransition, match=f"a {before} job can't become {after}"):
        standing.evolve(state=after, attempts=9)
    assert standing == copy


def test_a_state_that_nothing_follows_is_an_end() -> None:
    assert {state for state in State if state.ended} == {State.SUCCEEDED, State.FAILED, State.CANCELED}


def test_evolve_gives_a_new_job_and_leaves_the_old_one() -> None:
    first = job()
    second = first.evolve(state="running", attempts=1)
    assert (first.state, first.attempts) == (State.QUEUED, 0)
    assert (second.state, second.attempts) == (State.RUNNING, 1)
    assert second.evolve(state=State.QUEUED, attempts=0) == first


def test_evolve_refuses_an_unknown_field_and_a_value_that_does_not_fit() -> None:
    with pytest.raises(ValidationError):
        job().evolve(atempts=1)
    with pytest.raises(ValidationError):
        job().evolve(attempts="many")


def test_a_job_is_frozen() -> None:
    with pytest.raises(ValidationError):
        job().attempts = 1  # type: ignore[misc]  # that it is refused is the point


def test_ids_sort_by_time() -> None:
    ids = [new_id("job") for _ in range(1000)]
    assert ids == sorted(set(ids))


def test_priorities_are_listed_in_the_order_of_service() -> None:
    assert [priority.classes for priority in Priority] == [2, 1, 0]


def test_an_image_key_carries_its_image_and_is_never_given_twice() -> None:
    image = image_id("0123456789abcdef" * 4)
    one, other = image_key(image), image_key(image)
    assert one.startswith("images/01/23/0123456789abcdef")
    assert one != other
    assert owner(one) == owner(other) == image


def test_a_result_key_carries_its_job_and_attempt() -> None:
    its = new_id("job")
    keys = {result_key(its, attempt, number) for attempt in (1, 2) for number in (0, 1)}
    assert len(keys) == 4
    assert {owner(key) for key in keys} == {its}
    assert result_key(its, 1, 0).split("/")[1:3] == [its[-4:-2], its[-2:]]


def test_an_answers_key_is_new_and_nobodys_in_a_room_of_its_own() -> None:
    keys = {answer_key() for _ in range(100)}
    assert len(keys) == 100
    for key in keys:
        name = key.rpartition("/")[2]
        assert key == f"{ANSWERS}{name[-4:-2]}/{name[-2:]}/{name}"
        assert owner(key) is None


@pytest.mark.parametrize(
    "key", ["staging/boot/upload", "images", "images/ab/cd/nodash", "cache/ab/cd/x-1", ""]
)
def test_a_key_of_another_shape_has_no_owner(key: str) -> None:
    assert owner(key) is None
