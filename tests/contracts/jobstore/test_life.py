"""What becomes of a job in every job store, and what can not."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

import pytest

from imgsvc.jobs import TRANSITIONS, Job, Output, State, Timings, new_id, result_key
from imgsvc.jobstore import Ending, JobStore
from tests.contracts.jobstore.asking import everything, in_state, there
from tests.records import (
    NOW,
    a_batch,
    a_job,
    a_problem,
    failure,
    one_more_try,
    results,
    steps,
    success,
)

pytestmark = pytest.mark.anyio


async def test_an_added_job_is_queued_and_got_as_it_was_added(store: JobStore) -> None:
    await store.add_batch(a_batch("bat_1"))
    job = a_job(batch="bat_1", reference="cat-1", not_before=NOW + 5)
    assert await store.add(job, rank=1) == job
    assert await store.get(job.id) == job
    assert (job.state, job.attempts, job.history) == (State.QUEUED, 0, ())


async def test_which_outputs_are_one_picture_is_kept(store: JobStore) -> None:
    members = tuple(Output(name=f"hero-{width}.webp", spec="webp", picture="hero") for width in (9, 3))
    outputs = (*members, Output(name="thumb", spec="thumbnail"))
    job = await store.add(a_job().evolve(outputs=outputs), rank=1)
    assert job.outputs == outputs
    running = there(await store.claim(NOW, lane=1))
    assert running.outputs == outputs
    assert there(await store.settle(job.id, 1, success(running))).outputs == outputs
    assert there(await store.get(job.id)).outputs == outputs


async def test_a_claim_starts_an_attempt(store: JobStore) -> None:
    job = await store.add(a_job(not_before=NOW - 1), rank=0)
    claimed = there(await store.claim(NOW, lane=2))
    assert claimed == await store.get(job.id)
    assert (claimed.state, claimed.attempts, claimed.started_at) == (State.RUNNING, 1, NOW)
    assert claimed.not_before is None
    (attempt,) = claimed.history
    assert (attempt.attempt, attempt.started_at, attempt.lane) == (1, NOW, 2)
    assert (attempt.ended_at, attempt.outcome) == (None, None)


async def test_a_success_is_recorded_whole(store: JobStore) -> None:
    job = await in_state(store, State.RUNNING)
    done = there(await store.settle(job.id, 1, success(job, NOW + 50)))
    assert done == await store.get(job.id)
    assert done.state is State.SUCCEEDED
    assert done.results == results(job)
    assert (done.finished_at, done.expires_at) == (NOW + 50, NOW + 50 + 3_600_000)
    assert done.warnings == ("small",)
    assert done.error is None
    assert done.history[-1].model_dump() == {
        "attempt": 1,
        "started_at": NOW,
        "ended_at": NOW + 50,
        "outcome": "succeeded",
        "lane": 1,
    }


async def test_an_endings_timings_are_laid_over_what_the_job_had(store: JobStore) -> None:
    job = await in_state(store, State.RUNNING)
    assert job.timings == Timings(upload_ms=3.5)
    done = there(await store.settle(job.id, 1, success(job)))
    assert done.timings == Timings(
        upload_ms=3.5, queue_ms=12.5, run_ms=41.0, cpu_ms=39.5, steps=steps(), lane=1, pid=4242
    )


async def test_a_failure_tells_why(store: JobStore) -> None:
    job = await in_state(store, State.RUNNING)
    failed = there(await store.settle(job.id, 1, failure(NOW + 9)))
    assert (failed.state, failed.error, failed.finished_at) == (State.FAILED, a_problem(), NOW + 9)
    assert failed.results == ()
    assert await store.get(job.id) == failed


async def test_one_more_try_goes_back_to_the_line_and_keeps_its_place(store: JobStore) -> None:
    first = await store.add(a_job(), rank=1)
    await store.add(a_job(), rank=2)
    claimed = there(await store.claim(NOW, lane=1))
    again = there(await store.settle(first.id, 1, one_more_try(NOW + 7)))
    assert claimed.id == first.id == again.id
    assert (again.state, again.attempts, again.started_at, again.not_before) == (State.QUEUED, 1, None, None)
    assert (again.finished_at, again.error, again.results) == (None, None, ())
    assert again.timings == first.timings
    assert (again.history[0].ended_at, again.history[0].outcome) == (NOW + 7, "crashed")
    assert await store.position(first.id) == 1
    second = there(await store.claim(NOW + 8, lane=2))
    assert (second.id, second.attempts) == (first.id, 2)
    assert [attempt.lane for attempt in second.history] == [1, 2]


async def test_a_drained_and_a_lost_start_are_counted_apart(store: JobStore) -> None:
    job = await in_state(store, State.RUNNING)
    drained = there(await store.settle(job.id, 1, replace(one_more_try(), outcome="drained", drained=True)))
    assert (drained.attempts, drained.drained, drained.lost) == (1, 1, 0)
    await store.claim(NOW, lane=1)
    lost = there(await store.settle(job.id, 2, replace(one_more_try(), outcome="lost", lost=True)))
    assert (lost.attempts, lost.drained, lost.lost) == (2, 1, 1)
    assert [attempt.outcome for attempt in lost.history] == ["drained", "lost"]


async def test_a_queued_job_can_fail_without_a_start(store: JobStore) -> None:
    job = await store.add(a_job(not_before=NOW + 5), rank=0)
    failed = there(await store.fail(job.id, a_problem(), NOW))
    assert (failed.state, failed.error, failed.attempts, failed.history) == (State.FAILED, a_problem(), 0, ())
    assert (failed.finished_at, failed.not_before) == (NOW, None)
    assert failed.expires_at
    assert await store.claim(NOW + 9, lane=1) is None


async def test_a_queued_job_can_be_canceled(store: JobStore) -> None:
    job = await store.add(a_job(not_before=NOW + 5), rank=0)
    canceled = there(await store.cancel(job.id, NOW + 1))
    assert (canceled.state, canceled.history, canceled.not_before) == (State.CANCELED, (), None)
    assert (canceled.finished_at, canceled.expires_at) == (NOW + 1, NOW + 1 + 3_600_000)
    assert await store.claim(NOW + 9, lane=1) is None


async def test_a_running_job_can_be_canceled_and_its_attempt_says_so(store: JobStore) -> None:
    job = await in_state(store, State.RUNNING)
    canceled = there(await store.cancel(job.id, NOW + 1))
    assert canceled.state is State.CANCELED
    assert (canceled.history[-1].ended_at, canceled.history[-1].outcome) == (NOW + 1, "canceled")


@pytest.mark.parametrize("state", [state for state in State if state.ended])
async def test_canceling_what_has_ended_changes_nothing(store: JobStore, state: State) -> None:
    job = await in_state(store, state)
    assert await store.cancel(job.id, NOW + 99) == job
    assert await store.get(job.id) == job


async def test_canceling_an_unknown_job_is_none(store: JobStore) -> None:
    assert await store.cancel(new_id("job"), NOW) is None


async def test_many_are_canceled_at_once_and_running_ones_are_left(store: JobStore) -> None:
    for number in range(2):
        await store.add_batch(a_batch(f"bat_{number}"))
    jobs = [await store.add(a_job(batch=f"bat_{n % 2}"), rank=n) for n in range(450)]
    await store.claim(NOW, lane=1)
    of_batch = await store.cancel_queued(NOW, batch="bat_1")
    assert [job.id for job in of_batch] == [job.id for job in jobs if job.batch == "bat_1"]
    assert {job.state for job in of_batch} == {State.CANCELED}
    assert await store.cancel_queued(NOW, batch="bat_1") == type(of_batch)()
    others = await store.cancel_queued(NOW)
    assert len(of_batch) + len(others) == 449
    assert (await store.counts())[State.RUNNING] == 1
    assert await store.get(jobs[1].id) == of_batch[0]


async def change(store: JobStore, job: Job, after: State) -> Job | None:
    """Ask for a change of state in the way that there is for it."""
    if after is State.RUNNING:
        claimed = await store.claim(NOW, lane=1)
        return claimed if claimed and claimed.id == job.id else None
    if job.state is State.QUEUED and after is State.FAILED:
        return await store.fail(job.id, a_problem(), NOW)
    if after is State.CANCELED:
        canceled = await store.cancel(job.id, NOW)
        return canceled if canceled != job else None
    return await store.settle(job.id, job.attempts, Ending(after, "whatever", NOW))


@pytest.mark.parametrize(("before", "after"), list(itertools.product(State, State)))
async def test_what_the_table_has_happens_and_what_it_lacks_changes_nothing(
    store: JobStore, before: State, after: State
) -> None:
    job = await in_state(store, before)
    standing = await everything(store)
    changed = await change(store, job, after)
    if after in TRANSITIONS[before]:
        assert changed == await store.get(job.id)
        assert there(changed).state is after
    else:
        assert changed is None
        assert await everything(store) == standing


@pytest.mark.parametrize("after", State)
@pytest.mark.parametrize("before", State)
async def test_a_settlement_of_anything_but_the_running_attempt_is_refused(
    store: JobStore, before: State, after: State
) -> None:
    job = await in_state(store, before)
    standing = await everything(store)
    attempts = [0, 1, 2] if before is not State.RUNNING else [0, 2]
    for attempt in attempts:
        assert await store.settle(job.id, attempt, Ending(after, "ghost", NOW)) is None
    assert await store.settle(new_id("job"), 1, Ending(after, "ghost", NOW)) is None
    assert await everything(store) == standing


async def test_a_ghost_of_an_earlier_attempt_changes_nothing(store: JobStore) -> None:
    first = await in_state(store, State.RUNNING)
    await store.settle(first.id, 1, one_more_try())
    second = there(await store.claim(NOW, lane=2))
    assert await store.settle(first.id, 1, success(first)) is None
    assert await store.get(first.id) == second
    done = there(await store.settle(second.id, 2, success(second)))
    assert await store.settle(first.id, 1, failure()) is None
    assert await store.get(first.id) == done
    assert done.results[0].key == result_key(first.id, 2, 0)


async def test_of_two_settlements_of_one_attempt_the_first_stands(store: JobStore) -> None:
    job = await in_state(store, State.RUNNING)
    both = await asyncio.gather(
        store.settle(job.id, 1, success(job)), store.settle(job.id, 1, failure()), store.cancel(job.id, NOW)
    )
    assert there(both[0]).state is State.SUCCEEDED
    assert both[1] is None
    assert both[2] == both[0]


async def test_a_canceled_attempt_settles_to_nothing(store: JobStore) -> None:
    job = await in_state(store, State.RUNNING)
    canceled = await store.cancel(job.id, NOW)
    assert await store.settle(job.id, 1, success(job)) is None
    assert await store.get(job.id) == canceled
