"""AVIF in time: who gets what, and what is made for the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from imgsvc.errors import ImageCorrupt, QueueTimeout
from imgsvc.jobs import Image, image_id
from imgsvc.pipeline import Grammar, Pipeline
from imgsvc.service.blobs import Blob
from imgsvc.service.cache import Entry
from imgsvc.service.fills import Hold
from imgsvc.service.making import Render, Way
from imgsvc.service.pace import Pace
from imgsvc.service.timebox import Timebox

pytestmark = pytest.mark.anyio

parse = Grammar().parse
AVIF, WEBP = parse("resize:100x/avif"), parse("resize:100x/webp")
IMAGE = Image(
    id=image_id("0" * 64),
    sha256="0" * 64,
    key="k",
    bytes=1,
    format="jpeg",
    content_type="image/jpeg",
    width=200,
    height=100,
    frames=1,
    has_alpha=False,
    created_at=0,
)


class Makes:
    """Pictures that are there when the test says so."""

    def __init__(self) -> None:
        self.kept: set[str] = set()
        self.later: list[str] = []
        self.begun: list[str] = []
        self.ready: dict[str, asyncio.Future[None]] = {}
        #: Is a picture under way for too long, as soon as it has begun?
        self.slow = False

    def _ready(self, pipeline: Pipeline) -> asyncio.Future[None]:
        return self.ready.setdefault(pipeline.text, asyncio.get_running_loop().create_future())

    def render(self, pipeline: Pipeline) -> Render:
        form = pipeline.text.rpartition("/")[2]
        entry = Entry(
            key="k", image=IMAGE.id, digest="d", sha256="0" * 64, format=form, width=1, height=1, bytes=1
        )
        return Render(entry, Blob(1, data=b"x"), Way.MISS)

    async def find(self, image: Image, pipeline: Pipeline) -> Render | None:
        assert image is IMAGE
        return self.render(pipeline) if pipeline.text in self.kept else None

    async def make(self, image: Image, pipeline: Pipeline, hold: Hold | None = None) -> Render:
        assert (image, hold) == (IMAGE, None)
        self.begun.append(pipeline.text)
        await asyncio.shield(self._ready(pipeline))
        return self.render(pipeline)

    async def make_within(
        self, image: Image, pipeline: Pipeline, seconds: float, hold: Hold | None = None
    ) -> Render | None:
        assert seconds == 600
        return None if self.slow else await self.make(image, pipeline, hold)

    def make_later(self, image: Image, pipeline: Pipeline, hold: Hold | None = None) -> None:
        assert (image, hold) == (IMAGE, None)
        self.later.append(pipeline.text)

    def done(self, pipeline: Pipeline, error: Exception | None = None) -> None:
        if error is None:
            self._ready(pipeline).set_result(None)
        else:
            self._ready(pipeline).set_exception(error)


@pytest.fixture
def makes() -> Makes:
    return Makes()


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to that")


async def test_what_fits_is_made_at_once_and_stays(makes: Makes) -> None:
    makes.done(AVIF)
    made = await Timebox(makes, Pace(600)).make(IMAGE, AVIF, WEBP)
    assert (made.entry.format, made.passing) == ("avif", False)
    assert (makes.begun, makes.later) == ([AVIF.text], [])


async def test_what_does_not_fit_is_webp_for_now_and_avif_later(makes: Makes) -> None:
    makes.done(WEBP)
    made = await Timebox(makes, Pace(0)).make(IMAGE, AVIF, WEBP)
    assert (made.entry.format, made.passing) == ("webp", True)
    assert (makes.begun, makes.later) == ([WEBP.text], [AVIF.text])


async def test_a_webp_that_is_kept_need_not_be_made(makes: Makes) -> None:
    makes.kept.add(WEBP.text)
    made = await Timebox(makes, Pace(0)).make(IMAGE, AVIF, WEBP)
    assert (made.entry.format, made.passing, makes.begun) == ("webp", True, [])


@pytest.mark.parametrize("budget", [0, 600])
async def test_what_is_no_avif_or_has_no_other_is_never_replaced(makes: Makes, budget: float) -> None:
    box = Timebox(makes, Pace(budget))
    makes.done(AVIF)
    makes.done(WEBP)
    for pipeline, quick in ((AVIF, AVIF), (WEBP, WEBP), (WEBP, parse("jpeg"))):
        made = await box.make(IMAGE, pipeline, quick)
        assert (made.entry.format, made.passing) == (pipeline.text.rpartition("/")[2], False)
    assert makes.later == []


@pytest.mark.parametrize("first", [AVIF, WEBP], ids=str)
async def test_where_the_guess_was_wrong_the_first_that_is_there_is_taken(
    makes: Makes, first: Pipeline
) -> None:
    makes.slow = True
    making = asyncio.create_task(Timebox(makes, Pace(600)).make(IMAGE, AVIF, WEBP))
    await until(lambda: sorted(makes.begun) == [AVIF.text, WEBP.text])
    makes.done(first)
    made = await making
    assert made.entry.format == first.text.rpartition("/")[2]
    assert made.passing is (first is WEBP)
    assert makes.later == []  # it is under way


async def test_where_both_are_there_it_is_the_better_one(makes: Makes) -> None:
    makes.slow = True
    makes.done(AVIF)
    makes.done(WEBP)
    made = await Timebox(makes, Pace(600)).make(IMAGE, AVIF, WEBP)
    assert (made.entry.format, made.passing) == ("avif", False)


@pytest.mark.parametrize(("fails", "works"), [(AVIF, WEBP), (WEBP, AVIF)], ids=str)
async def test_where_one_fails_it_is_the_other(makes: Makes, fails: Pipeline, works: Pipeline) -> None:
    makes.slow = True
    making = asyncio.create_task(Timebox(makes, Pace(600)).make(IMAGE, AVIF, WEBP))
    makes.done(fails, QueueTimeout("no worker", retry_after=1))
    await until(lambda: len(makes.begun) == 2)
    makes.done(works)
    assert (await making).entry.format == works.text.rpartition("/")[2]


async def test_where_both_fail_it_says_so(makes: Makes) -> None:
    makes.slow = True
    makes.done(WEBP, QueueTimeout("no worker", retry_after=1))
    makes.done(AVIF, ImageCorrupt("it is damaged"))
    with pytest.raises(ImageCorrupt):
        await Timebox(makes, Pace(600)).make(IMAGE, AVIF, WEBP)


async def test_who_hangs_up_waits_for_neither(makes: Makes) -> None:
    makes.slow = True
    making = asyncio.create_task(Timebox(makes, Pace(600)).make(IMAGE, AVIF, WEBP))
    await until(lambda: len(makes.begun) == 2)
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    assert all(
        task is asyncio.current_task() for task in asyncio.all_tasks() if "make" in repr(task.get_coro())
    )
