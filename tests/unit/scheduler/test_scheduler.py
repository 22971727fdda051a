"""One waiting line for jobs and calls, on lanes in the hands of the test."""

from __future__ import annotations

import asyncio

import pytest

from imgsvc import jobstore
from imgsvc.errors import Draining, NotFound, QueueTimeout
from imgsvc.jobs import State
from imgsvc.scheduler import Policy
from imgsvc.worker import Outcome, Report
from tests.unit.scheduler.bench import bench, until
from tests.unit.scheduler.parts import crash, refusal, submit, task

pytestmark = pytest.mark.anyio


async def test_a_job_is_claimed_run_and_recorded() -> None:
    async with bench() as it:
        job = await it.submit()
        lane = await it.started(1)
        assert await it.state(job) is State.RUNNING
        lane.succeed()
        done = await it.became(job, State.SUCCEEDED)
        assert [result.name for result in done.results] == ["default"]
        assert it.lanes.idle == 1


async def test_observers_hear_of_an_end_once_it_is_recorded() -> None:
    async with bench() as it:
        job = await it.submit()
        (await it.started(1)).succeed()
        await until(lambda: bool(it.ear.jobs))
        assert [(heard.id, heard.state) for heard in it.ear.jobs] == [(job.id, State.SUCCEEDED)]
        assert await it.state(job) is State.SUCCEEDED


async def test_a_lane_is_acquired_only_when_someone_waits() -> None:
    async with bench(lanes=2) as it:
        await asyncio.sleep(0.02)
        assert it.lanes.acquired == 0
        await it.submit()
        (await it.started(1)).succeed()
        await until(lambda: it.lanes.idle == 2)
        assert it.lanes.acquired == 1


async def test_a_call_that_comes_while_jobs_wait_is_served_next() -> None:
    async with bench() as it:
        jobs = [await it.submit() for _ in range(3)]
        first = await it.started(1)
        call = asyncio.create_task(it.scheduler.call(task()))
        await asyncio.sleep(0.01)
        first.succeed()
        second = await it.started(2)
        assert second.task is not None
        assert second.task.source == "staging/now/call"
        second.end()
        assert (await call).report.outcome is Outcome.SUCCEEDED
        for number in (3, 4):
            (await it.started(number)).succeed()
        for job in jobs:
            await it.became(job, State.SUCCEEDED)


async def test_a_call_that_gets_no_lane_in_time_is_told_when_to_come_back() -> None:
    async with bench() as it:
        await it.submit()
        lane = await it.started(1)
        with pytest.raises(QueueTimeout) as caught:
            await it.scheduler.call(task(), wait=0.02)
        assert caught.value.retry_after is not None
        assert 1 <= caught.value.retry_after <= 300
        lane.succeed()


async def test_canceling_a_call_that_waits_takes_it_out_of_the_line() -> None:
    async with bench() as it:
        await it.submit()
        lane = await it.started(1)
        call = asyncio.create_task(it.scheduler.call(task()))
        await asyncio.sleep(0.01)
        call.cancel()
        lane.succeed()
        await until(lambda: it.lanes.idle == 1)
        assert len(it.lanes.started) == 1


async def test_canceling_a_call_that_runs_kills_its_task_and_frees_the_lane() -> None:
    async with bench() as it:
        call = asyncio.create_task(it.scheduler.call(task()))
        lane = await it.started(1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert lane.canceled
        assert it.lanes.idle == 1


async def test_a_call_may_run_as_long_as_the_policy_says() -> None:
    async with bench(policy=Policy(job_timeout_s=7)) as it:
        call = asyncio.create_task(it.scheduler.call(task()))
        lane = await it.started(1)
        assert lane.timeout == 7
        lane.end()
        await call


@pytest.mark.parametrize(("asked_ms", "runs_s"), [(500, 0.5), (60_000, 7)])
async def test_a_job_may_run_as_long_as_it_asks_within_the_policy(asked_ms: int, runs_s: float) -> None:
    async with bench(policy=Policy(job_timeout_s=7)) as it:
        await it.submit(timeout_ms=asked_ms)
        lane = await it.started(1)
        assert lane.timeout == runs_s
        lane.succeed()


async def test_a_crashed_job_gets_one_more_try() -> None:
    async with bench() as it:
        job = await it.submit()
        (await it.started(1)).end(crash())
        (await it.started(2)).succeed()
        done = await it.became(job, State.SUCCEEDED)
        assert done.attempts == 2
        assert [start.outcome for start in done.history] == ["crashed", "succeeded"]


async def test_a_dispatcher_that_raises_counts_as_a_crash() -> None:
    async with bench() as it:
        job = await it.submit(max_attempts=1)
        (await it.started(1)).end(RuntimeError("lane lost"))
        done = await it.became(job, State.FAILED)
        assert done.error is not None
        assert done.error.code == "worker-crashed"
        assert "lane lost" not in done.error.detail


async def test_a_refused_job_fails_with_the_reason() -> None:
    async with bench() as it:
        job = await it.submit()
        (await it.started(1)).end(refusal())
        done = await it.became(job, State.FAILED)
        assert done.error is not None
        assert done.error.code == "image-corrupt"


async def test_an_interrupted_job_starts_again_when_its_pause_is_over() -> None:
    async with bench() as it:
        job = await it.submit()
        (await it.started(1)).end(Report(outcome=Outcome.INTERRUPTED))
        waiting = await it.became(job, State.QUEUED)
        assert waiting.not_before is not None
        (await it.started(2)).succeed()
        done = await it.became(job, State.SUCCEEDED)
        assert done.started_at is not None
        assert done.started_at >= waiting.not_before


async def test_canceling_a_running_job_kills_it_and_leaves_no_blob() -> None:
    async with bench() as it:
        job = await it.submit()
        lane = await it.started(1)
        assert lane.task is not None
        it.storage.put(lane.task.targets[0].key, b"whole")
        it.storage.put(lane.task.targets[0].key + ".part-1", b"half")
        canceled = await it.scheduler.cancel(job.id)
        assert canceled is not None
        assert canceled.state is State.CANCELED
        assert lane.canceled
        await until(lambda: it.lanes.idle == 1 and not list(it.storage.keys("results")))
        assert await it.state(job) is State.CANCELED
        assert [heard.state for heard in it.ear.jobs] == [State.CANCELED]


async def test_canceling_a_queued_job_means_that_it_never_starts() -> None:
    async with bench() as it:
        await it.submit()
        lane = await it.started(1)
        second = await it.submit()
        await it.scheduler.cancel(second.id)
        lane.succeed()
        await until(lambda: it.lanes.idle == 1)
        await asyncio.sleep(0.01)
        assert len(it.lanes.started) == 1


async def test_canceling_an_ended_job_changes_nothing() -> None:
    async with bench() as it:
        job = await it.submit()
        (await it.started(1)).succeed()
        await it.became(job, State.SUCCEEDED)
        after = await it.scheduler.cancel(job.id)
        assert after is not None
        assert after.state is State.SUCCEEDED
        assert len(it.ear.jobs) == 1


async def test_canceling_an_unknown_job_finds_nothing() -> None:
    async with bench() as it:
        assert await it.scheduler.cancel("job_" + "0" * 32) is None


async def test_every_queued_job_can_be_canceled_at_once() -> None:
    async with bench() as it:
        running = await it.submit()
        lane = await it.started(1)
        queued = [await it.submit() for _ in range(3)]
        assert await it.scheduler.cancel_queued() == 3
        assert [await it.state(job) for job in queued] == [State.CANCELED] * 3
        assert await it.state(running) is State.RUNNING
        lane.succeed()


async def test_a_result_that_comes_after_a_cancel_is_removed() -> None:
    async with bench() as it:
        job = await it.submit()
        lane = await it.started(1)
        assert lane.task is not None
        it.storage.put(lane.task.targets[0].key, b"ghost")
        lane.succeed()
        await it.store.cancel(job.id, 1)
        await until(lambda: it.lanes.idle == 1 and not list(it.storage.keys("results")))
        assert await it.state(job) is State.CANCELED


async def test_deleting_a_running_job_kills_it_and_removes_its_blobs() -> None:
    async with bench() as it:
        job = await it.submit()
        lane = await it.started(1)
        it.storage.put(job.image.key, b"source")
        await it.scheduler.delete(job.id)
        assert lane.canceled
        await until(lambda: it.lanes.idle == 1)
        assert not list(it.storage.keys("images"))
        with pytest.raises(NotFound):
            await it.scheduler.delete("job_" + "0" * 32)


async def test_a_waiter_is_woken_by_the_end_of_its_job() -> None:
    async with bench() as it:
        job = await it.submit()
        lane = await it.started(1)
        with it.scheduler.watch(job.id) as ended:
            lane.succeed()
            async with asyncio.timeout(5):
                seen = await ended
        assert seen is not None
        assert seen.state is State.SUCCEEDED


async def test_a_paused_queue_starts_no_job_and_goes_on_when_resumed() -> None:
    async with bench() as it:
        await it.scheduler.pause(paused=True)
        job = await it.submit()
        call = asyncio.create_task(it.scheduler.call(task()))
        (await it.started(1)).end()
        await call
        await asyncio.sleep(0.01)
        assert await it.state(job) is State.QUEUED
        await it.scheduler.pause(paused=False)
        (await it.started(2)).succeed()
        await it.became(job, State.SUCCEEDED)


async def test_a_pause_survives_a_restart() -> None:
    store = jobstore.connect("memory:")
    async with bench(store=store) as it:
        await it.scheduler.pause(paused=True)
    async with bench(store=store) as it:
        assert it.scheduler.paused


async def test_what_ran_when_the_server_was_killed_runs_again() -> None:
    store = jobstore.connect("memory:")
    await store.open()
    async with bench(store=store) as it:
        job = await it.submit()
        await it.started(1)
        # The server dies: nothing of it is told to the store.
        await store.close()
        async with bench(store=store) as after:
            (await after.started(1)).succeed()
            done = await after.became(job, State.SUCCEEDED)
            assert done.attempts == 2
            assert [start.outcome for start in done.history] == ["lost", "succeeded"]


async def test_a_drain_lets_running_work_finish_within_its_grace() -> None:
    store = jobstore.connect("memory:")
    async with bench(store=store, grace=5) as it:
        job = await it.submit()
        queued = await it.submit()
        lane = await it.started(1)
        asyncio.get_running_loop().call_later(0.02, lane.succeed)
    await store.open()
    done, still = await store.get(job.id), await store.get(queued.id)
    assert done is not None
    assert still is not None
    assert (done.state, still.state) == (State.SUCCEEDED, State.QUEUED)


async def test_what_outlives_the_grace_goes_back_to_the_queue_and_costs_nothing() -> None:
    store = jobstore.connect("memory:")
    async with bench(store=store, grace=0) as it:
        job = await it.submit()
        lane = await it.started(1)
    assert lane.canceled
    await store.open()
    back = await store.get(job.id)
    assert back is not None
    assert (back.state, back.drained) == (State.QUEUED, 1)
    assert [start.outcome for start in back.history] == ["drained"]


async def test_a_drain_tells_calls_and_waiters() -> None:
    async with bench() as it:
        job = await it.submit()
        await it.started(1)
        call = asyncio.create_task(it.scheduler.call(task()))
        await asyncio.sleep(0.01)
        with it.scheduler.watch(job.id) as ended:
            it.scheduler.drain()
            assert await ended is None
        with pytest.raises(Draining):
            await call
        with pytest.raises(Draining):
            await it.scheduler.call(task())


async def test_a_call_that_outlives_the_grace_is_told_that_the_service_stops() -> None:
    async with bench() as it:
        call = asyncio.create_task(it.scheduler.call(task()))
        await it.started(1)
    with pytest.raises(Draining):
        await call


async def test_who_waited_for_a_lane_when_the_service_stops_may_clean_up() -> None:
    cleaned = asyncio.Event()

    async def clean_up() -> None:
        await asyncio.sleep(0.01)
        cleaned.set()

    async with bench() as it:
        # No lane is up, so nothing runs that the stop would have to wait for.
        await it.lanes.acquire()

        async def call() -> None:
            try:
                await it.scheduler.call(task())
            finally:
                await it.scheduler.crew.finish(clean_up())

        calling = asyncio.create_task(call())
        await asyncio.sleep(0.01)
    with pytest.raises(Draining):
        await calling
    assert cleaned.is_set()


async def test_an_observer_that_raises_harms_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with bench() as it:

        def deaf(job: object) -> None:
            raise RuntimeError("deaf")

        it.ear.job_ended = deaf  # type: ignore[method-assign]  # an observer that fails
        for count in (1, 2):
            job = await it.submit()
            (await it.started(count)).succeed()
            await it.became(job, State.SUCCEEDED)
    assert "an observer failed" in caplog.text


async def test_two_lanes_run_two_jobs_at_once() -> None:
    async with bench(lanes=2) as it:
        for _ in range(3):
            await it.submit()
        await it.started(2)
        await asyncio.sleep(0.01)
        assert len(it.lanes.busy) == 2
        assert sorted(it.scheduler.running()) == [1, 2]
        it.lanes.busy[0].succeed()
        await it.started(3)
        for lane in it.lanes.busy:
            lane.succeed()


async def test_jobs_of_another_life_are_started_without_being_told() -> None:
    store = jobstore.connect("memory:")
    await store.open()
    async with bench(store=store) as first:
        await first.scheduler.pause(paused=True)
        job = await submit(store, first.scheduler)
        await first.scheduler.pause(paused=False)
        await first.started(1)
    async with bench(store=store) as second:
        (await second.started(1)).succeed()
        await second.became(job, State.SUCCEEDED)


async def test_a_wait_is_estimated_from_the_pace_of_starts() -> None:
    async with bench(lanes=2) as it:
        assert [it.scheduler.estimate(place) for place in (1, 2)] == [0, 0]  # lanes are idle
        jobs = [await it.submit() for _ in range(5)]
        for number in range(1, 4):
            (await it.started(number)).succeed()
        await it.became(jobs[2], State.SUCCEEDED)
        near, far = it.scheduler.estimate(1), it.scheduler.estimate(1001)
        assert 0 < near < far
        # The next start is half-way there; each further place costs one interval more.
        assert far == pytest.approx(2001 * near)


async def test_while_nothing_has_started_yet_a_task_is_guessed() -> None:
    async with bench(lanes=1) as it:
        await it.submit()
        await it.started(1)
        assert it.scheduler.estimate(3) == pytest.approx(2.5 * 100)


async def test_who_is_refused_is_not_told_to_wait_for_what_was_canceled() -> None:
    async with bench() as it:
        await it.scheduler.pause(paused=True)
        for _ in range(300):
            await it.submit()
        assert it.scheduler.retry_after() > 20
        assert it.scheduler.retry_after(backlog=0) == 1
        assert await it.scheduler.cancel_queued() == 300
        assert it.scheduler.retry_after() == 1
