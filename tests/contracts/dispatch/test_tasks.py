"""What every dispatcher in the room keeps: lanes, reports, deadlines, kills, the desk."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from imgsvc import dispatch, plugins, storage
from imgsvc.dispatch import Dispatcher, LaneState, Resources, Slot
from imgsvc.errors import Draining, ImageCorrupt, UnsupportedMediaType
from imgsvc.imaging import Limits
from imgsvc.worker import Kind, Outcome, Report, Task
from tests.unit.scheduler.bench import until

pytestmark = pytest.mark.anyio

Work = Callable[..., Task]
Photo = Callable[..., bytes]

#: Long work that ends soon for whoever can only end it between two steps.
LONG = "/".join(["test-sleep:0.2"] * 20)


async def both(dispatcher: Dispatcher) -> tuple[Slot, Slot]:
    return await dispatcher.acquire(), await dispatcher.acquire()


async def run(dispatcher: Dispatcher, task: Task, timeout: float = 20) -> Report:
    slot = await dispatcher.acquire()
    try:
        return await slot.run(task, timeout)
    finally:
        slot.release()


async def begun(slot: Slot, task: Task, timeout: float = 30) -> asyncio.Future[Report]:
    """A task that is under way."""
    running = asyncio.ensure_future(slot.run(task, timeout))
    await until(lambda: slot.step() is not None and "sleep" in str(slot.step()), 20)
    return running


async def test_a_task_comes_to_a_report_that_is_plain_and_small(dispatcher: Dispatcher, work: Work) -> None:
    task = work("thumbnail:16x16/png", "flip/webp")
    report = await run(dispatcher, task)
    assert report.outcome is Outcome.SUCCEEDED
    assert [(result.name, result.key) for result in report.results] == [
        (target.name, target.key) for target in task.targets
    ]
    assert len(json.dumps(report.model_dump(mode="json"))) < 4096
    assert report.steps[0].op == "decode"
    blobs = storage.connect(task.storage)
    assert [blobs.size(result.key) for result in report.results] == [
        result.bytes for result in report.results
    ]


async def test_an_analysis_is_a_task_like_any_other(dispatcher: Dispatcher, work: Work) -> None:
    task = work("analyse").model_copy(update={"kind": Kind.ANALYSE})
    report = await run(dispatcher, task)
    assert report.outcome is Outcome.SUCCEEDED
    (result,) = report.results
    assert json.loads(storage.connect(task.storage).read(result.key))["palette"]
    assert len(json.dumps(report.model_dump(mode="json"))) < 4096


async def test_a_refusal_is_a_report_too(dispatcher: Dispatcher, work: Work, photo: Photo) -> None:
    report = await run(dispatcher, work("png", picture=photo(64, 48)[:400]))
    assert report.outcome is Outcome.REFUSED
    assert report.problem is not None
    assert report.problem.code == "image-corrupt"
    assert (await run(dispatcher, work("png"))).outcome is Outcome.SUCCEEDED


async def test_there_are_as_many_tasks_in_flight_as_lanes(dispatcher: Dispatcher, work: Work) -> None:
    one, other = await both(dispatcher)
    assert {one.lane, other.lane} == {1, 2}
    running = [await begun(slot, work("test-sleep:0.5/png")) for slot in (one, other)]
    assert [lane.state for lane in dispatcher.lanes()] == [LaneState.BUSY, LaneState.BUSY]
    assert {report.outcome for report in await asyncio.gather(*running)} == {Outcome.SUCCEEDED}
    one.release()
    other.release()


async def test_who_waits_for_a_lane_is_served_in_order_and_may_give_up(dispatcher: Dispatcher) -> None:
    one, other = await both(dispatcher)
    first, gone, last = (asyncio.ensure_future(dispatcher.acquire()) for _ in range(3))
    await asyncio.sleep(0)
    gone.cancel()
    one.release()
    slot = await first
    assert not last.done()
    other.release()
    (await last).release()
    slot.release()


async def ended_by_its_deadline(slot: Slot, task: Task) -> Report:
    return await (await begun(slot, task, timeout=0.7))


async def ended_on_request(slot: Slot, task: Task) -> Report:
    running = await begun(slot, task)
    slot.kill()
    return await running


@pytest.mark.parametrize(
    ("end", "outcome", "code", "told"),
    [
        (ended_by_its_deadline, Outcome.TIMED_OUT, "processing-timeout", "IMGSVC_JOB_TIMEOUT"),
        (ended_on_request, Outcome.KILLED, "worker-crashed", "on request"),
    ],
)
async def test_work_is_ended_and_the_report_names_the_step(
    dispatcher: Dispatcher,
    work: Work,
    end: Callable[[Slot, Task], Awaitable[Report]],
    outcome: Outcome,
    code: str,
    told: str,
) -> None:
    slot = await dispatcher.acquire()
    report = await end(slot, work(f"{LONG}/png"))
    assert report.outcome is outcome
    assert report.problem is not None
    assert report.problem.code == code
    assert "test-sleep" in report.problem.detail
    assert told in report.problem.detail
    slot.release()
    again = await both(dispatcher)
    for each in again:
        assert (await each.run(work("png"), 20)).outcome is Outcome.SUCCEEDED
        each.release()


async def test_who_stops_waiting_ends_the_task(dispatcher: Dispatcher, work: Work) -> None:
    slot = await dispatcher.acquire()
    task = work(f"{LONG}/png")
    running = await begun(slot, task)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    slot.release()
    for each in await both(dispatcher):  # both lanes take tasks again, so nothing of that one runs
        assert (await each.run(work("png"), 20)).outcome is Outcome.SUCCEEDED
        each.release()
    assert list(storage.connect(task.storage).keys("results/" + task.targets[0].key.split("/")[1])) == []


async def test_nothing_is_run_on_a_lane_that_was_given_back(dispatcher: Dispatcher, work: Work) -> None:
    slot = await dispatcher.acquire()
    slot.release()
    with pytest.raises(RuntimeError):
        await slot.run(work("png"), 5)
    slot.kill()
    assert slot.step() is None


async def test_the_desk_reads_headers_while_all_lanes_are_busy(
    dispatcher: Dispatcher, work: Work, photo: Photo, tmp_path: Path
) -> None:
    slots = await both(dispatcher)
    running = [await begun(slot, work(f"{LONG}/png")) for slot in slots]
    upload = tmp_path / "upload"
    upload.write_bytes(photo(40, 30))
    facts = await dispatcher.probe(upload, Limits())
    assert (facts.format, facts.width, facts.height) == ("jpeg", 40, 30)
    upload.write_bytes(b"a note")
    with pytest.raises(UnsupportedMediaType):
        await dispatcher.probe(upload, Limits())
    upload.write_bytes(photo(40, 30)[:20])
    with pytest.raises(ImageCorrupt):
        await dispatcher.probe(upload, Limits())
    assert not any(task.done() for task in running)
    for slot in slots:
        slot.kill()
        slot.release()


@pytest.mark.parametrize("name", plugins.names("imgsvc.dispatch"))
async def test_stopping_ends_what_runs_and_takes_nothing_more(name: str, work: Work, tmp_path: Path) -> None:
    dispatcher = dispatch.connect(f"{name}:", Resources(lanes=1, scratch=tmp_path))
    await dispatcher.start()
    slot = await dispatcher.acquire()
    running = await begun(slot, work(f"{LONG}/png"))
    waiting = asyncio.ensure_future(dispatcher.acquire())
    await asyncio.sleep(0)
    await dispatcher.stop()
    await dispatcher.stop()
    assert (await running).outcome is Outcome.KILLED
    for refused in (waiting, dispatcher.acquire()):
        with pytest.raises(Draining):
            await refused
    assert {lane.state for lane in dispatcher.lanes()} == {LaneState.STOPPED}


async def test_lanes_are_numbered_and_count_their_tasks(dispatcher: Dispatcher, work: Work) -> None:
    for _ in range(3):
        await run(dispatcher, work("png"))
    lanes = dispatcher.lanes()
    assert [lane.lane for lane in lanes] == [1, 2]
    assert sum(lane.tasks for lane in lanes) == 3
    assert all(lane.pid and lane.rss_bytes for lane in (*lanes, dispatcher.desk()))
