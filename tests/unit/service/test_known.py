"""Images that are kept in mind, and when they are not."""

from __future__ import annotations

import pytest

from imgsvc.errors import NotFound, StorageBusy
from imgsvc.jobs import Image
from imgsvc.service import known
from imgsvc.service.known import Known
from tests.records import an_image

pytestmark = pytest.mark.anyio

IMAGE = an_image()


class Records:
    """The record of one image; `asked` counts the looks at it."""

    def __init__(self) -> None:
        self.image: Image | None = IMAGE
        self.asked = 0
        self.now = 1000
        self.known = Known(self.look, lambda: self.now)

    async def look(self, id: str) -> Image:
        self.asked += 1
        if self.image is None or id != self.image.id:
            raise NotFound("there is no such image")
        return self.image


async def test_an_image_is_looked_up_once() -> None:
    records = Records()
    assert [await records.known.get(IMAGE.id) for _ in range(3)] == [IMAGE] * 3
    assert await records.known.has(IMAGE)
    assert records.asked == 1


async def test_an_image_that_is_not_there_is_looked_up_each_time() -> None:
    records = Records()
    records.image = None
    for _ in range(2):
        with pytest.raises(NotFound):
            await records.known.get(IMAGE.id)
    assert not await records.known.has(IMAGE)
    assert records.asked == 3


async def test_what_is_forgotten_is_looked_up_again() -> None:
    records = Records()
    await records.known.get(IMAGE.id)
    records.image = None
    assert await records.known.has(IMAGE)
    records.known.forget(IMAGE.id)
    assert not await records.known.has(IMAGE)


async def test_an_image_that_goes_while_it_is_looked_up_is_not_remembered() -> None:
    records = Records()

    async def overtaken(id: str) -> Image:
        found = await records.look(id)
        records.image = None
        images.forget(id)
        return found

    images = Known(overtaken, lambda: records.now)
    with pytest.raises(NotFound):
        await images.get(IMAGE.id)


async def test_an_image_that_has_just_been_stored_is_not_looked_up() -> None:
    records = Records()
    assert records.known.add(IMAGE, records.known.forgotten)
    assert await records.known.get(IMAGE.id) == IMAGE
    assert records.asked == 0


async def test_an_image_that_may_have_gone_since_it_was_stored_is_looked_up() -> None:
    records = Records()
    since = records.known.forgotten
    records.known.forget("another")
    assert not records.known.add(IMAGE, since)
    assert await records.known.get(IMAGE.id) == IMAGE
    assert records.asked == 1


async def test_an_image_that_was_given_more_time_meanwhile_is_there() -> None:
    records = Records()
    records.image = soon = IMAGE.model_copy(update={"expires_at": 1100})
    assert await records.known.get(IMAGE.id) == soon
    records.image = IMAGE
    records.now = 1099
    assert await records.known.get(IMAGE.id) == soon
    records.now = 1100
    assert await records.known.get(IMAGE.id) == IMAGE
    assert records.asked == 2


async def test_other_bytes_under_the_same_id_are_another_image() -> None:
    records = Records()
    records.image = IMAGE.model_copy(update={"sha256": "0" * 64})
    assert not await records.known.has_indeed(IMAGE)


async def test_who_can_not_look_does_not_say_that_it_is_there() -> None:
    async def busy(_: str) -> Image:
        raise StorageBusy("locked")

    assert not await Known(busy, lambda: 0).has(IMAGE)


async def test_those_that_were_looked_up_first_are_dropped_first() -> None:
    async def look(id: str) -> Image:
        asked.append(id)
        return IMAGE.model_copy(update={"id": id})

    asked: list[str] = []
    images = Known(look, lambda: 0)
    ids = [f"img_{number:032x}" for number in range(known._MOST + 1)]
    for each in ids:
        await images.get(each)
    await images.get(ids[1])
    assert asked == ids
    await images.get(ids[0])
    assert asked == [*ids, ids[0]]
