"""An image that is removed between two steps of a render leaves nothing of itself."""

from __future__ import annotations

import pytest

from imgsvc.errors import NotFound
from imgsvc.jobs import Image
from imgsvc.pipeline import Grammar
from imgsvc.scheduler import now
from imgsvc.service import Service
from imgsvc.service.failures import Failures
from imgsvc.service.known import Known
from imgsvc.service.renders import Renders
from tests.photos import photo

pytestmark = pytest.mark.anyio

PIPELINE = Grammar().parse("resize:20x/webp")


class Records:
    """The record of one image, which can be removed."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self.removed = False

    async def look(self, id: str) -> Image:
        if self.removed or id != self.image.id:
            raise NotFound("there is no such image")
        return self.image


@pytest.fixture
async def records(service: Service) -> Records:
    async with service.intake.begin() as incoming:
        await incoming.write(photo())
        image, _ = await service.images.add(await incoming.finish())
    return Records(image)


@pytest.fixture
def renders(service: Service, records: Records) -> Renders:
    """Renders whose images are looked up in records of ours; the bytes stay where they are."""
    usual = service.renders
    known = Known(records.look, now)
    return Renders(usual.cache, usual._calls, usual._storage, usual.masters, known, Failures(0), usual._room)


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
