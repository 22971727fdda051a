"""Masters planned, taken in, made in idle time, and gone with their image."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from imgsvc.errors import NotFound
from imgsvc.imaging import Limits
from imgsvc.jobs import Image
from imgsvc.masters import Kept, Wanted
from imgsvc.pipeline import Grammar, Pipeline
from imgsvc.scheduler import Policy
from imgsvc.service.fills import Hold
from imgsvc.service.masters import Masters
from imgsvc.worker import Outcome, Report
from tests.unit.scheduler import parts
from tests.unit.scheduler.bench import Bench, bench, until
from tests.unit.scheduler.parts import SUCCESS, HandSlot

pytestmark = pytest.mark.anyio

POLICY = Policy(master_side=100, disk_reserve=0)
SMALL = Grammar().parse("resize:10x")  # starts from the eighth
LARGE = Grammar().parse("resize:60x")  # starts from the half
ALL = Grammar().parse("resize:150x")
JPEG = parts.image("1" * 64).model_copy(update={"format": "jpeg", "width": 200, "height": 150})
PNG = parts.image("2" * 64).model_copy(update={"format": "png", "width": 200, "height": 150})


@dataclass
class House(Bench):
    masters: Masters

    async def fill(self, number: int) -> tuple[HandSlot, Wanted]:
        """The lane and the master of a fill, as soon as so many tasks have begun."""
        lane = await self.started(number)
        assert lane.task is not None
        assert lane.task.master is not None
        assert lane.task.targets == ()
        return lane, lane.task.master

    def written(self, wanted: Wanted, content: bytes = b"master") -> Report:
        """What a worker answers that has kept a master."""
        key = f"{wanted.key}-{'0' * 64}-master-25x19"
        self.storage.put(key, content, durable=False)
        return Report(outcome=Outcome.SUCCEEDED, master=Kept(key=key, bytes=len(content)))

    async def fills(self, image: Image = JPEG) -> list[str]:
        """Have everything made that is missing of an image: the levels, in order."""
        begun = len(self.lanes.started)
        self.masters.made(image, None, SUCCESS, stale=False)
        levels = []
        await until(lambda: self.is_beyond(begun))
        while self.masters.pending:
            begun += 1
            lane, wanted = await self.fill(begun)
            levels.append(wanted.level)
            lane.end(self.written(wanted))
            await until(lambda: self.is_beyond(begun))  # noqa: B023  # within the same turn
        return levels

    def is_beyond(self, begun: int) -> bool:
        """Has another task begun than so many, or is there none to come?"""
        return len(self.lanes.started) > begun or not self.masters.pending


@asynccontextmanager
async def house(policy: Policy = POLICY, lanes: int = 2) -> AsyncIterator[House]:
    async with bench(lanes=lanes, policy=policy) as it:
        masters = Masters(it.storage, it.scheduler, Limits(), policy)
        masters.cache.open()
        yield House(it.store, it.storage, it.lanes, it.scheduler, it.ear, masters)
        await it.scheduler.stop(0)
        await masters.cache.close()


async def planned(it: House, pipeline: Pipeline = SMALL, image: Image = JPEG) -> Wanted:
    plan = await it.masters.plan(image, pipeline)
    assert plan is not None
    return plan.wanted


async def test_a_render_that_starts_from_the_original_has_no_plan() -> None:
    async with house() as it:
        assert await it.masters.plan(JPEG, ALL) is None
        assert it.masters.stats().misses == 0


async def test_the_first_render_is_to_make_and_to_keep_its_master() -> None:
    async with house() as it:
        wanted = await planned(it)
        assert (wanted.level, wanted.at) == ("8", None)
        assert (wanted.key or "").startswith("masters/")
        assert (it.masters.stats().hits, it.masters.stats().misses) == (0, 1)


async def test_the_next_render_is_to_read_what_the_first_has_kept() -> None:
    async with house() as it:
        plan = await it.masters.plan(JPEG, SMALL)
        assert plan is not None
        report = it.written(plan.wanted)
        assert report.master is not None
        it.masters.made(JPEG, plan, report, stale=False)
        wanted = await planned(it, Grammar().parse("grayscale/resize:12x"))
        assert wanted.at == report.master.key
        assert it.masters.stats().hits == 1


async def test_results_depend_on_the_master_where_it_is_not_the_decoders_own() -> None:
    async with house() as it:
        for image, pipeline, path in (
            (JPEG, SMALL, "direct"),
            (JPEG, ALL, "direct"),
            (PNG, SMALL, "m100"),
            (PNG, ALL, "direct"),
        ):
            assert it.masters.path(image, pipeline) == path
        assert (await planned(it, image=PNG)).level == "m100"


@pytest.mark.parametrize("changes", [{"master_side": 0}, {"master_side": 200}, {"master_bytes": 0}])
async def test_where_there_are_no_masters_renders_start_from_the_original(changes: dict[str, int]) -> None:
    async with house(replace(POLICY, **changes)) as it:
        assert await it.masters.plan(JPEG, SMALL) is None
        assert it.masters.path(PNG, SMALL) == "direct"
        assert await it.fills() == []


async def test_after_a_render_every_other_master_is_made_in_idle_time() -> None:
    async with house() as it:
        assert await it.fills() == ["2", "4", "8"]
        assert it.masters.stats().filled == 3
        for pipeline in (SMALL, LARGE):
            assert (await planned(it, pipeline)).at is not None
        assert await it.fills() == []


async def test_only_what_is_missing_is_made_in_idle_time() -> None:
    async with house() as it:
        plan = await it.masters.plan(JPEG, SMALL)
        assert plan is not None
        it.masters.made(JPEG, plan, it.written(plan.wanted), stale=False)
        assert it.masters.pending == 1
        for number, level in ((1, "2"), (2, "4")):
            lane, wanted = await it.fill(number)
            assert wanted.level == level
            lane.end(it.written(wanted))
        await until(lambda: it.masters.pending == 0)


async def test_a_picture_that_is_not_stored_is_made_readable_while_its_masters_are_made() -> None:
    held: list[str] = []

    @asynccontextmanager
    async def hold() -> AsyncIterator[Image]:
        held.append("taken")
        yield PNG.model_copy(update={"key": "staging/now/copy"})
        held.append("given back")

    async with house() as it:
        it.masters.made(PNG, None, SUCCESS, stale=False, hold=hold)
        lane, wanted = await it.fill(1)
        assert lane.task is not None
        assert lane.task.source == "staging/now/copy"
        assert held == ["taken"]
        lane.end(it.written(wanted))
        await until(lambda: it.masters.pending == 0)
        assert held == ["taken", "given back"]
        assert (await planned(it, image=PNG)).at is not None


async def test_a_picture_that_cannot_be_made_readable_any_more_has_no_masters() -> None:
    @asynccontextmanager
    async def hold() -> AsyncIterator[Image]:
        if it.masters.pending:
            raise NotFound("it has changed")
        yield PNG

    async with house() as it:
        it.masters.made(PNG, None, SUCCESS, stale=False, hold=hold)
        await until(lambda: it.masters.pending == 0)
        assert it.lanes.started == []


@pytest.mark.parametrize(("most", "left"), [(5, 5), (20, 20), (100, 20), (0, 0)])
async def test_pictures_are_held_one_at_a_time_and_the_longest_due_are_dropped(most: int, left: int) -> None:
    held: list[str] = []

    def holding(image: Image) -> Hold:
        @asynccontextmanager
        async def hold() -> AsyncIterator[Image]:
            held.append(image.id)
            yield image

        return hold

    async with house(replace(POLICY, spare_tasks=most)) as it:
        for _ in range(2):
            await it.submit()
        await it.started(2)
        others = [
            parts.image(f"{number:064x}"[::-1]).model_copy(update={"width": 200, "format": "png"})
            for number in range(20)
        ]
        for other in others:
            it.masters.made(other, None, SUCCESS, stale=False, hold=holding(other))
        assert it.masters.pending == left
        if left:
            await until(lambda: held != [])
        assert held == [other.id for other in others[-left:][:1] if left]


async def test_a_render_that_has_read_its_master_has_nothing_made() -> None:
    async with house() as it:
        await it.fills()
        await it.masters.cache.purge(JPEG.id)
        plan = await it.masters.plan(JPEG, SMALL)
        assert plan is not None
        it.masters.made(JPEG, replace(plan, kept=True), SUCCESS, stale=False)
        assert it.masters.pending == 0


async def test_a_render_waits_for_the_fill_that_is_making_its_master() -> None:
    async with house() as it:
        it.masters.made(PNG, None, SUCCESS, stale=False)
        lane, wanted = await it.fill(1)
        plan = asyncio.create_task(it.masters.plan(PNG, SMALL))
        await asyncio.sleep(0.01)
        assert not plan.done()
        report = it.written(wanted)
        lane.end(report)
        found = await plan
        assert found is not None
        assert report.master is not None
        assert (found.kept, found.wanted.at) == (True, report.master.key)


async def test_a_render_whose_fill_fails_makes_its_master_itself() -> None:
    async with house() as it:
        it.masters.made(PNG, None, SUCCESS, stale=False)
        lane, _ = await it.fill(1)
        plan = asyncio.create_task(it.masters.plan(PNG, SMALL))
        await asyncio.sleep(0.01)
        lane.end(parts.crash())
        found = await plan
        assert found is not None
        assert (found.kept, found.wanted.at) == (False, None)


async def test_a_render_does_not_wait_for_a_fill_that_has_not_begun() -> None:
    async with house() as it:
        await it.submit()
        await it.submit()
        await it.started(2)
        it.masters.made(PNG, None, SUCCESS, stale=False)
        await until(lambda: "1 under way" in repr(it.masters))
        assert (await planned(it, image=PNG)).at is None
        await until(lambda: it.masters.pending == 0)


async def test_what_a_fill_was_refused_is_not_tried_again() -> None:
    async with house() as it:
        it.masters.made(PNG, None, SUCCESS, stale=False)
        lane, _ = await it.fill(1)
        lane.end(parts.refusal())
        await until(lambda: it.masters.pending == 0)
        assert await it.fills(PNG) == []
        assert await it.fills(JPEG) == ["2", "4", "8"]


async def test_a_purge_removes_masters_and_makes_none_that_wait() -> None:
    async with house() as it:
        await it.fills(PNG)
        it.masters.made(JPEG, None, SUCCESS, stale=False)
        lane, wanted = await it.fill(2)
        assert await it.masters.purge(JPEG.id) == 0
        await until(lambda: it.masters.pending == 1)
        # It is nearly done, and a process is worth more.
        assert not lane.canceled
        lane.end(it.written(wanted))
        await until(lambda: it.masters.pending == 0)
        assert len(it.masters.cache) == 1
        assert await it.masters.purge(PNG.id) == 1
        assert list(it.storage.keys("masters")) == []


async def test_a_fill_that_ends_as_its_image_goes_leaves_nothing() -> None:
    async with house() as it:
        it.masters.made(PNG, None, SUCCESS, stale=False)
        lane, wanted = await it.fill(1)
        lane.end(it.written(wanted))
        await it.masters.purge(PNG.id)
        await until(lambda: it.masters.pending == 0 and not list(it.storage.keys("masters")))
        assert len(it.masters.cache) == 0


async def test_a_render_of_an_image_that_went_meanwhile_keeps_no_master() -> None:
    async with house() as it:
        plan = await it.masters.plan(JPEG, SMALL)
        assert plan is not None
        it.masters.made(JPEG, plan, it.written(plan.wanted), stale=True)
        await until(lambda: not list(it.storage.keys("masters")))
        assert (len(it.masters.cache), it.masters.pending) == (0, 0)


async def test_a_render_that_failed_leaves_nothing_of_its_master() -> None:
    async with house() as it:
        plan = await it.masters.plan(JPEG, SMALL)
        assert plan is not None
        it.storage.put(f"{plan.wanted.key}-half.part-1", b"half")
        it.masters.failed(plan)
        await until(lambda: not list(it.storage.keys("masters")))


async def test_a_master_that_takes_long_to_write_is_not_written_while_somebody_waits_for_the_first_time() -> (
    None
):
    great = JPEG.model_copy(update={"width": 2100, "height": 2100})
    async with house(replace(POLICY, master_side=1500, spare_tasks=0)) as it:
        half, quarter = Grammar().parse("resize:600x"), Grammar().parse("resize:300x")
        assert (await planned(it, half, great)).key is None
        assert (await planned(it, quarter, great)).key is not None
        it.masters.made(great, None, SUCCESS, stale=False)
        assert (await planned(it, half, great)).key is not None


async def test_while_others_wait_a_first_visitor_writes_no_master() -> None:
    async with house() as it:
        for _ in range(3):
            await it.submit()
        lane = await it.started(2)
        assert (await planned(it)).key is None
        assert (await planned(it, image=PNG)).key is not None  # it has cost more than to write it
        lane.end(SUCCESS)
        await it.started(3)
        await until(lambda: it.scheduler.waiting == 0)
        assert (await planned(it)).key is not None


async def test_who_asks_first_after_a_purge_is_a_first_visitor_again() -> None:
    great = JPEG.model_copy(update={"width": 2100, "height": 2100})
    async with house(replace(POLICY, master_side=1500, spare_tasks=0)) as it:
        half = Grammar().parse("resize:600x")
        it.masters.made(great, None, SUCCESS, stale=False)
        assert (await planned(it, half, great)).key is not None
        await it.masters.purge(great.id)
        assert (await planned(it, half, great)).key is None


async def test_a_large_part_of_all_the_room_is_not_given_to_one_master() -> None:
    each = 100 * 75 * 4
    for limit, kept in ((4 * each, True), (4 * each - 1, False)):
        async with house(replace(POLICY, master_bytes=limit)) as it:
            assert ((await planned(it, LARGE)).key is not None) is kept
            assert await it.fills() == (["2", "4", "8"] if kept else ["4", "8"])


async def test_masters_leave_the_disk_its_reserve() -> None:
    for reserve, kept in ((0, True), (1 << 62, False)):
        async with house(replace(POLICY, disk_reserve=reserve)) as it:
            it.storage.free_bytes = lambda: 1 << 40  # type: ignore[method-assign]  # a disk of that size
            assert ((await planned(it)).key is not None) is kept
