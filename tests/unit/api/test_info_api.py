"""What is told of an image: looked into once, kept, gone with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from imgsvc.api import ApiOptions, examples
from imgsvc.api.schemas import InfoShape
from imgsvc.scheduler import Suspect
from tests.photos import photo
from tests.unit.api.served import api, problem, running
from tests.unit.imaging.analysis.blocks import block, ratios, text

pytestmark = pytest.mark.anyio

NOBODY = "img_" + "0" * 32
PLACE = (text(1, "N"), ratios(2, (52, 1), (30, 1)), text(3, "E"), ratios(4, (13, 1)))


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with running(api(tmp_path)) as client:
        yield client


async def stored(door: httpx2.AsyncClient, content: bytes | None = None) -> dict[str, Any]:
    answer = await door.post("/v1/images", content=content or photo(320, 240))
    assert answer.status_code in {200, 201}, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def told(door: httpx2.AsyncClient, url: str) -> dict[str, Any]:
    answer = await door.get(url)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    InfoShape.model_validate(found)
    return found


async def tasks(door: httpx2.AsyncClient) -> int:
    return sum((await door.get("/v1/stats")).json()["totals"]["calls"].values())


async def works(door: httpx2.AsyncClient) -> bool:
    await door.get("/v1/stats")  # which waits for the store: a look at the lanes alone waits for nothing
    return any(lane["state"] == "busy" for lane in (await door.get("/v1/workers")).json()["lanes"])


def way(answer: httpx2.Response) -> str:
    return str(answer.headers["server-timing"].partition(",")[0])


def test_the_example_has_its_shape() -> None:
    InfoShape.model_validate(examples.INFO)


async def test_an_image_is_looked_into_once(door: httpx2.AsyncClient) -> None:
    image = await stored(door)
    url = image["links"]["info"]
    assert url == f"/v1/images/{image['id']}/info"
    first = await door.get(url)
    found = await told(door, url)
    facts = ("id", "format", "content_type", "width", "height", "frames", "bytes", "sha256", "has_alpha")
    assert {name: found[name] for name in facts} == {name: image[name] for name in facts}
    assert found["links"] == {"self": url, "image": image["links"]["self"]}
    assert found["dominant_color"] == found["palette"][0]["color"]
    assert first.json() == found
    assert first.headers["server-timing"].startswith('cache;desc="miss", queue;dur=')
    assert [part.partition(";")[0] for part in first.headers["server-timing"].split(", ")] == [
        "cache",
        "queue",
        "decode",
        "analyse",
        "store",
    ]
    assert (await door.get(url)).headers["server-timing"] == 'cache;desc="hit"'
    assert await tasks(door) == 1


async def test_it_may_be_kept_and_asked_for_again(door: httpx2.AsyncClient) -> None:
    url = (await stored(door))["links"]["info"]
    whole = await door.get(url)
    assert whole.headers["cache-control"] == "private, max-age=3600"
    same = await door.get(url, headers={"If-None-Match": whole.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["etag"] == whole.headers["etag"]
    head = await door.head(url)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.content))


async def test_where_it_was_taken_is_told_only_when_asked(door: httpx2.AsyncClient) -> None:
    exif = block(text(0x010F, "Maker"), gps=PLACE)
    url = (await stored(door, photo(exif=exif)))["links"]["info"]
    for silent in (url, f"{url}?gps=0"):
        found = await told(door, silent)
        assert found["exif"] == {"Make": "Maker"}
        assert found["gps"] is None
    for asking in (f"{url}?gps=1", f"{url}?gps"):
        found = await told(door, asking)
        assert (found["gps"]["latitude"], found["gps"]["longitude"]) == (52.5, 13)
    tags = {(await door.get(each)).headers["etag"] for each in (url, f"{url}?gps=1")}
    assert len(tags) == 2
    assert await tasks(door) == 1


async def test_a_file_that_says_no_place_has_none(door: httpx2.AsyncClient) -> None:
    url = (await stored(door))["links"]["info"]
    assert (await told(door, f"{url}?gps=1"))["gps"] is None


async def test_a_crowd_shares_one_task(door: httpx2.AsyncClient) -> None:
    url = (await stored(door, photo(800, 600)))["links"]["info"]
    answers = await asyncio.gather(*(door.get(url) for _ in range(100)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert await tasks(door) == 1


async def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    jobs = f"sqlite:{tmp_path}/jobs.sqlite3"
    async with running(api(tmp_path, jobs=jobs)) as door:
        url = (await stored(door))["links"]["info"]
        first = await door.get(url)
    async with running(api(tmp_path, jobs=jobs)) as door:
        again = await door.get(url)
        assert again.content == first.content
        assert way(again) == 'cache;desc="hit"'
        assert await tasks(door) == 0


async def test_it_goes_with_its_image(door: httpx2.AsyncClient) -> None:
    image = await stored(door)
    url = image["links"]["info"]
    await told(door, url)
    assert (await door.get("/v1/stats")).json()["cache"]["entries"] == 1
    assert (await door.delete(image["links"]["self"])).status_code == 204
    assert (await door.get("/v1/stats")).json()["cache"]["entries"] == 0
    assert problem(await door.get(url)) == (404, "not-found")


async def test_a_purge_has_it_made_anew(door: httpx2.AsyncClient) -> None:
    image = await stored(door)
    before = await told(door, image["links"]["info"])
    await door.post("/v1/cache:purge", params={"image": image["id"]})
    again = await door.get(image["links"]["info"])
    assert way(again) == 'cache;desc="miss"'
    assert again.json() == before


async def test_what_only_decoding_shows_is_told_and_remembered(door: httpx2.AsyncClient) -> None:
    url = (await stored(door, photo(400, 300)[:-3000]))["links"]["info"]
    for _ in range(3):
        assert problem(await door.get(url)) == (422, "image-corrupt")
    assert await tasks(door) == 1


async def test_without_a_lane_it_waits_no_longer_than_a_call(tmp_path: Path) -> None:
    async with running(api(tmp_path, ApiOptions(testing=True), sync_wait=0.1)) as door:
        url = (await stored(door))["links"]["info"]
        slow = photo(200, 150, seed=5)
        busy = asyncio.create_task(door.post("/v1/process?ops=test-sleep:1", content=slow))
        while not await works(door):
            pass  # each look lets the others run
        answer = await door.get(url)
        assert problem(answer) == (503, "queue-timeout")
        assert int(answer.headers["retry-after"]) >= 1
        await busy
        await told(door, url)


async def test_work_that_loses_its_workers_is_held_like_any_other(tmp_path: Path) -> None:
    app = api(tmp_path, quarantine_after=1)
    async with running(app) as door:
        image = await stored(door)
        scheduler = app.fastapi.state.door.service._scheduler
        await scheduler.lost(Suspect(image["id"], frozenset({"analyse"})), scheduler.quarantine.now())
        answer = await door.get(image["links"]["info"])
        assert problem(answer) == (422, "worker-crashed")
        assert (await door.get(f"/r/{image['id']}/png")).status_code == 200, "other work on the same image"
        assert (await tasks(door)) == 1


async def test_a_server_that_stops_tells_what_it_knows_and_looks_into_nothing_new(tmp_path: Path) -> None:
    app = api(tmp_path)
    async with running(app) as door:
        known, other = await stored(door), await stored(door, photo(seed=9))
        before = await told(door, known["links"]["info"])
        app.fastapi.state.door.service.drain()
        assert await told(door, known["links"]["info"]) == before
        assert problem(await door.get(other["links"]["info"])) == (503, "draining")


@pytest.mark.parametrize("id", [NOBODY, "nonsense", NOBODY.upper()])
async def test_there_is_nothing_to_tell_of_an_unknown_image(door: httpx2.AsyncClient, id: str) -> None:
    assert problem(await door.get(f"/v1/images/{id}/info")) == (404, "not-found")


@pytest.mark.parametrize("query", ["gps=maybe", "exif=1", "GPS=1"])
async def test_a_parameter_that_there_is_not_is_refused(door: httpx2.AsyncClient, query: str) -> None:
    url = (await stored(door))["links"]["info"]
    answer = await door.get(f"{url}?{query}")
    assert problem(answer) == (422, "invalid-parameter")
    assert await tasks(door) == 0


async def test_the_statistics_name_the_work(door: httpx2.AsyncClient) -> None:
    await told(door, (await stored(door))["links"]["info"])
    assert (await door.get("/v1/stats")).json()["operations"]["analyse"]["count"] == 1
