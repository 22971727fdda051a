"""An image that is removed between two steps of a render leaves nothing of itself."""

from __future__ import annotations

import pytest

from imgsvc.errors import NotFound
from imgsvc.jobs import Image
from imgsvc.pipeline import Grammar
from imgsvc.scheduler import now
from imgsvc.service import Service
from imgsvc.service.failures import Failures
from imgsvc.service.renders import Renders
from tests.photos import photo

pytestmark = pytest.mark.anyio

PIPELINE = Grammar().parse("resize:20x/webp")


class Records:
    """The record of one image, which can be removed; `asked` counts the looks at it."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self.removed = False
        self.asked = 0

    async def look(self, id: str) -> Image:
        self.asked += 1
        if self.removed or id != self.image.id:
            raise NotFound("there is no such image")
        return self.image


@pytest.fixture
async def records(service: Service) -> Records:
    async with service.intake.begin() as incoming:
        await incoming.write(photo())
        image, _ = await service.add_image(await incoming.finish())
    return Records(image)


@pytest.fixture
def renders(service: Service, records: Records) -> Renders:
    """Renders whose images are looked up in records of ours; the bytes stay where they are."""
    known = service.renders
    return Renders(known.cache, known._calls, known._storage, known.masters, records.look, now, Failures(0))


async def test_a_render_that_begins_after_the_end_of_its_image_is_not_kept(
    renders: Renders, records: Records
) -> None:
    image = await renders.image(records.image.id)
    assert await renders.find(image, PIPELINE) is None
    records.removed = True
    await renders.purge(image.id)
    await renders.make(image, PIPELINE)
    assert renders.cache.of(image.id) == []


async def test_a_render_that_begins_after_a_purge_is_kept(renders: Renders, records: Records) -> None:
    image = await renders.image(records.image.id)
    await renders.purge(image.id)
    await renders.make(image, PIPELINE)
    assert len(renders.cache.of(image.id)) == 1


async def test_an_image_that_goes_while_it_is_looked_up_is_not_remembered(
    renders: Renders, records: Records
) -> None:
    usual = records.look

    async def overtaken(id: str) -> Image:
        found = await usual(id)
        records.removed = True
        await renders.purge(id)
        return found

    renders._look = overtaken
    with pytest.raises(NotFound):
        await renders.image(records.image.id)


async def test_an_image_that_was_given_more_time_meanwhile_is_there(
    renders: Renders, records: Records
) -> None:
    endless, soon = records.image, now() + 100
    records.image = endless.model_copy(update={"expires_at": soon})
    assert (await renders.image(endless.id)).expires_at == soon
    records.image = endless
    renders._clock = lambda: soon - 1
    assert (await renders.image(endless.id)).expires_at == soon
    renders._clock = lambda: soon
    assert (await renders.image(endless.id)).expires_at is None
    assert records.asked == 2


async def test_an_image_is_looked_up_once(renders: Renders, records: Records) -> None:
    for _ in range(3):
        await renders.image(records.image.id)
    await renders.make(records.image, PIPELINE)
    assert records.asked == 1
