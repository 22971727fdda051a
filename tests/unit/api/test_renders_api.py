"""Pictures on the fly."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from PIL import Image

from imgsvc.imaging import render
from imgsvc.imaging.limits import Limits
from imgsvc.pipeline import Grammar
from tests.photos import photo
from tests.unit.api.served import api, picture, problem, running, size_of

pytestmark = pytest.mark.anyio

NOBODY = "img_" + "0" * 32
FOR_EVER = "public, max-age=31536000, immutable"
BROWSER = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with running(api(tmp_path)) as client:
        yield client


async def stored(door: httpx2.AsyncClient, content: bytes | None = None) -> str:
    answer = await door.post("/v1/images", content=content or picture())
    assert answer.status_code in {200, 201}, answer.text
    return str(answer.json()["id"])


async def cache(door: httpx2.AsyncClient) -> dict[str, int]:
    found: dict[str, int] = (await door.get("/v1/stats")).json()["cache"]
    return found


async def tasks(door: httpx2.AsyncClient) -> int:
    return sum((await door.get("/v1/stats")).json()["totals"]["calls"].values())


async def spared(door: httpx2.AsyncClient) -> int:
    return sum((await door.get("/v1/stats")).json()["totals"]["spare"].values())


def way(answer: httpx2.Response) -> str:
    return str(answer.headers["server-timing"].partition(",")[0])


async def test_a_picture_is_made_once_and_kept(door: httpx2.AsyncClient) -> None:
    image = await stored(door)
    first = await door.get(f"/r/{image}/resize:32x32,fit=cover/webp")
    assert first.status_code == 200, first.text
    assert size_of(first.content) == ("WEBP", (32, 32))
    assert first.headers["content-type"] == "image/webp"
    assert first.headers["etag"] == f'"{hashlib.sha256(first.content).hexdigest()}"'
    assert first.headers["cache-control"] == FOR_EVER
    assert first.headers["content-disposition"].startswith(f'inline; filename="{image}.webp"')
    assert first.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert first.headers["cross-origin-resource-policy"] == "cross-origin"
    assert first.headers["server-timing"].startswith('cache;desc="miss", queue;dur=')
    assert "vary" not in first.headers
    again = await door.get(f"/r/{image}/resize:32x32,fit=cover/webp")
    assert again.content == first.content
    assert again.headers["server-timing"] == 'cache;desc="hit"'
    assert {key: (await cache(door))[key] for key in ("hits", "misses", "entries")} == {
        "hits": 1,
        "misses": 1,
        "entries": 1,
    }
    assert await tasks(door) == 1


async def test_it_is_what_the_pipeline_says(door: httpx2.AsyncClient) -> None:
    source = photo(200, 150)
    image = await stored(door, source)
    answer = await door.get(f"/r/{image}/resize:50x/grayscale/png")
    pipeline = Grammar().parse("resize:50x/grayscale/png")
    (wanted,) = render(source, [("default", pipeline)], Limits())
    assert answer.content == bytes(wanted.data)


async def test_spellings_of_one_pipeline_are_one_picture(door: httpx2.AsyncClient) -> None:
    image = await stored(door)
    await door.get(f"/r/{image}/resize:32x32/webp")
    for spelling in (
        "resize:size=32x32/webp",
        "resize:32x32,fit=inside/webp:80",
        "resize%3A32x32/webp",
        "resize:w=32,h=32/webp",
    ):
        answer = await door.get(f"/r/{image}/{spelling}")
        assert way(answer) == 'cache;desc="hit"', spelling
    assert way(await door.get(f"/r/{image}/resize:32x33/webp")) == 'cache;desc="miss"'


async def test_without_a_format_it_stays_what_it_was(door: httpx2.AsyncClient) -> None:
    image = await stored(door, picture(kind="PNG"))
    answer = await door.get(f"/r/{image}/resize:10x")
    assert answer.headers["content-type"] == "image/png"


async def test_head_and_revalidation_and_ranges_start_no_work(door: httpx2.AsyncClient) -> None:
    image = await stored(door)
    path = f"/r/{image}/resize:32x/png"
    whole = await door.get(path)
    head = await door.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.content))
    etag = whole.headers["etag"]
    same = await door.get(path, headers={"If-None-Match": etag})
    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["etag"] == etag
    assert same.headers["cache-control"] == FOR_EVER
    part = await door.get(path, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    beyond = await door.get(path, headers={"Range": "bytes=999999-"})
    assert problem(beyond) == (416, "range-not-satisfiable")
    assert await tasks(door) == 1


async def test_two_hundred_requests_for_one_new_picture_are_one_task(door: httpx2.AsyncClient) -> None:
    image = await stored(door, photo(400, 300))
    path = f"/r/{image}/blur:5/resize:200x/webp"
    answers = await asyncio.gather(*(door.get(path) for _ in range(200)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert await tasks(door) == 1
    found = await cache(door)
    assert (found["misses"], found["shared"] + found["hits"]) == (1, 199)


async def test_it_goes_on_when_the_first_client_hangs_up(door: httpx2.AsyncClient) -> None:
    image = await stored(door, photo(800, 600))
    path = f"/r/{image}/blur:20/resize:200x/webp"
    first = asyncio.create_task(door.get(path))
    others = [asyncio.create_task(door.get(path)) for _ in range(5)]
    while not (await cache(door))["misses"]:
        pass  # each look lets the others run
    first.cancel()
    answers = await asyncio.gather(*others)
    assert {answer.status_code for answer in answers} == {200}
    assert await tasks(door) == 1


async def test_a_herd_on_a_corrupt_image_costs_one_task(tmp_path: Path) -> None:
    async with running(api(tmp_path)) as door:
        image = await stored(door, photo(400, 300)[:-3000])
        path = f"/r/{image}/resize:20x/webp"
        together = await asyncio.gather(*(door.get(path) for _ in range(50)))
        later = [await door.get(path) for _ in range(5)]
        assert {problem(answer) for answer in (*together, *later)} == {(422, "image-corrupt")}
        assert await tasks(door) == 1
        assert (await cache(door))["entries"] == 0
        # Another pipeline is another try.
        assert problem(await door.get(f"/r/{image}/resize:21x/webp")) == (422, "image-corrupt")
        assert await tasks(door) == 2


async def test_failures_can_be_forgotten_at_once(tmp_path: Path) -> None:
    async with running(api(tmp_path, render_failures=0)) as door:
        image = await stored(door, photo(400, 300)[:-3000])
        for _ in range(2):
            assert problem(await door.get(f"/r/{image}/resize:20x/webp")) == (422, "image-corrupt")
        assert await tasks(door) == 2


@pytest.mark.parametrize(
    "path",
    [f"/r/{NOBODY}/png", "/r/nonsense/png", "/r/img_0/png", f"/r/{NOBODY.upper()}/png", "/r/", "/r/img"],
)
async def test_there_is_no_picture_of_an_unknown_image(door: httpx2.AsyncClient, path: str) -> None:
    assert problem(await door.get(path)) == (404, "not-found")


@pytest.mark.parametrize("ops", ["", "nonsense", "resize:0x0", "png/resize:3x", "resize:3x//png"])
async def test_a_bad_pipeline_is_refused_with_its_place(door: httpx2.AsyncClient, ops: str) -> None:
    image = await stored(door)
    answer = await door.get(f"/r/{image}/{ops}")
    assert problem(answer) == (422, "invalid-operation")
    assert answer.json()["errors"][0]["pointer"] is not None
    assert "no-store" in answer.headers["cache-control"]


async def test_without_a_pipeline_that_is_told(door: httpx2.AsyncClient) -> None:
    image = await stored(door)
    for path in (f"/r/{image}", f"/r/{image}/", f"/r/{NOBODY}"):
        answer = await door.get(path)
        assert problem(answer) == (422, "invalid-operation"), path
        assert answer.json()["detail"].startswith("a pipeline is missing")
        assert (await door.head(path)).status_code == 422
        assert problem(await door.delete(path)) == (405, "method-not-allowed")


async def test_what_would_be_too_large_is_refused(tmp_path: Path) -> None:
    async with running(api(tmp_path, max_output_pixels=10_000)) as door:
        image = await stored(door)
        fits = await door.get(f"/r/{image}/resize:100x100,fit=fill,enlarge")
        assert fits.status_code == 200
        over = await door.get(f"/r/{image}/resize:101x100,fit=fill,enlarge")
        assert problem(over) == (422, "output-too-large")


async def test_auto_is_settled_by_what_the_client_accepts(door: httpx2.AsyncClient) -> None:
    image = await stored(door, photo(200, 150))
    path = f"/r/{image}/resize:50x/auto"
    browser = await door.get(path, headers={"Accept": BROWSER})
    plain = await door.get(path, headers={"Accept": "*/*"})
    assert browser.headers["content-type"] == "image/avif"
    assert plain.headers["content-type"] == "image/jpeg"
    for answer in (browser, plain):
        assert answer.headers["vary"] == "Accept"
        assert answer.headers["cache-control"] == "public, max-age=3600"
    same = await door.get(path, headers={"Accept": BROWSER, "If-None-Match": browser.headers["etag"]})
    assert (same.status_code, same.headers["vary"]) == (304, "Accept")
    explicit = await door.get(f"/r/{image}/resize:50x/jpeg")
    assert explicit.content == plain.content
    assert way(explicit) == 'cache;desc="hit"'  # it is the same picture
    assert explicit.headers["cache-control"] == FOR_EVER


async def test_auto_is_the_image_itself_where_that_is_smallest_for_those_who_accept_it(
    door: httpx2.AsyncClient,
) -> None:
    source = photo(quality=1)
    image = await stored(door, source)

    async def asked(accept: str, ops: str = "auto:100") -> httpx2.Response:
        return await door.get(f"/r/{image}/{ops}", headers={"Accept": accept})

    for _ in range(2):  # made, then kept
        strict, browser = await asked("image/webp"), await asked("image/webp,*/*;q=0.1")
        assert (browser.content, browser.headers["content-type"]) == (source, "image/jpeg")
        assert browser.headers["content-disposition"].startswith(f'inline; filename="{image}.jpg"')
        assert size_of(strict.content)[0] == "WEBP"
        assert strict.headers["content-type"] == "image/webp"
    # Where the picture changes, both get the same.
    one, two = (
        await asked("image/webp", "thumbnail:9x9/auto"),
        await asked("image/webp,*/*", "thumbnail:9x9/auto"),
    )
    assert one.headers["etag"] == two.headers["etag"]
    assert way(two) == 'cache;desc="hit"'


@pytest.mark.parametrize("workers", [1, 2])
async def test_an_avif_that_takes_too_long_is_webp_for_now_and_avif_for_the_next(
    tmp_path: Path, workers: int
) -> None:
    async with running(api(tmp_path, avif_budget=0, workers=workers)) as door:
        image = await stored(door)
        path = f"/r/{image}/resize:50x/auto"
        first = await door.get(path, headers={"Accept": BROWSER})
        assert first.headers["content-type"] == "image/webp"
        assert size_of(first.content) == ("WEBP", (50, 38))
        assert first.headers["cache-control"] == "no-store"
        assert first.headers["vary"] == "Accept"
        etag = {"Accept": BROWSER, "If-None-Match": first.headers["etag"]}
        async with asyncio.timeout(30):
            while (await cache(door))["entries"] < 2:  # noqa: ASYNC110  # what an operator sees
                await asyncio.sleep(0.01)
        later = await door.get(path, headers=etag)
        assert (later.status_code, later.headers["content-type"]) == (200, "image/avif")
        assert later.headers["cache-control"] == "public, max-age=3600"
        assert later.headers["server-timing"] == 'cache;desc="hit"'
        # The same picture under its own name is no picture for now.
        named = await door.get(f"/r/{image}/resize:50x/webp")
        assert (named.content, named.headers["cache-control"]) == (first.content, FOR_EVER)


async def test_only_what_auto_has_chosen_is_replaced(tmp_path: Path) -> None:
    async with running(api(tmp_path, avif_budget=0)) as door:
        image = await stored(door)
        for ops, accept in (("avif", BROWSER), ("auto", "image/avif"), ("auto", "image/avif,*/*;q=0")):
            answer = await door.get(f"/r/{image}/resize:50x/{ops}", headers={"Accept": accept})
            assert answer.headers["content-type"] == "image/avif"
            assert answer.headers["cache-control"] != "no-store"
        plain = await door.get(f"/r/{image}/resize:50x/auto", headers={"Accept": "*/*"})
        assert (plain.headers["content-type"], plain.headers["cache-control"]) == (
            "image/jpeg",
            "public, max-age=3600",
        )


async def test_within_its_budget_an_avif_is_there_at_once(tmp_path: Path) -> None:
    async with running(api(tmp_path, avif_budget=600)) as door:
        image = await stored(door)
        answer = await door.get(f"/r/{image}/resize:50x/auto", headers={"Accept": BROWSER})
        assert answer.headers["content-type"] == "image/avif"
        assert answer.headers["cache-control"] == "public, max-age=3600"


async def test_what_was_to_be_made_later_is_not_kept_when_its_image_goes_first(tmp_path: Path) -> None:
    async with running(api(tmp_path, avif_budget=0)) as door:
        image = await stored(door)
        await door.get(f"/r/{image}/resize:50x/auto", headers={"Accept": BROWSER})
        assert (await door.delete(f"/v1/images/{image}")).status_code == 204
        async with asyncio.timeout(30):
            while not await spared(door):  # noqa: ASYNC110  # as above
                await asyncio.sleep(0.01)
        assert (await cache(door))["entries"] == 0


async def test_auto_keeps_alpha_for_those_who_know_no_better(door: httpx2.AsyncClient) -> None:
    image = await stored(door, photo(200, 150, format="PNG", mode="RGBA"))
    answer = await door.get(f"/r/{image}/resize:50x/auto", headers={"Accept": "*/*"})
    assert answer.headers["content-type"] == "image/png"


async def test_unknown_query_parameters_are_ignored(door: httpx2.AsyncClient) -> None:
    image = await stored(door)
    assert (await door.get(f"/r/{image}/resize:9x/png?v=3&utm_source=mail")).status_code == 200


# -- purging --------------------------------------------------------------------------------------


async def test_deleting_the_image_takes_its_pictures_along(door: httpx2.AsyncClient) -> None:
    image = await stored(door)
    path = f"/r/{image}/resize:32x/png"
    assert (await door.get(path)).status_code == 200
    assert (await door.delete(f"/v1/images/{image}")).status_code == 204
    assert problem(await door.get(path)) == (404, "not-found")
    assert (await cache(door))["entries"] == 0
    assert await stored(door) == image
    again = await door.get(path)
    assert way(again) == 'cache;desc="miss"'


async def test_a_purge_takes_the_pictures_of_one_image(door: httpx2.AsyncClient) -> None:
    image, other = await stored(door), await stored(door, picture(colour="red"))
    for width in (8, 16, 24):
        await door.get(f"/r/{image}/resize:{width}x/png")
    await door.get(f"/r/{other}/resize:8x/png")
    answer = await door.post("/v1/cache:purge", params={"image": image})
    assert answer.json() == {"image": image, "purged": 3}
    assert (await cache(door))["entries"] == 1
    assert way(await door.get(f"/r/{other}/resize:8x/png")) == 'cache;desc="hit"'
    assert way(await door.get(f"/r/{image}/resize:8x/png")) == 'cache;desc="miss"'


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({}, (422, "invalid-parameter")),
        ({"image": ""}, (422, "invalid-parameter")),
        ({"image": NOBODY}, (404, "not-found")),
        ({"image": "nonsense"}, (404, "not-found")),
        ({"image": NOBODY, "all": "1"}, (422, "invalid-parameter")),
    ],
)
async def test_a_purge_says_of_which_image(
    door: httpx2.AsyncClient, query: dict[str, str], wanted: tuple[int, str]
) -> None:
    assert problem(await door.post("/v1/cache:purge", params=query)) == wanted


async def test_a_purge_of_nothing_is_one_fault(door: httpx2.AsyncClient) -> None:
    for query in ("", "?image", "?image=", "?image=%20"):
        (fault,) = (await door.post(f"/v1/cache:purge{query}")).json()["errors"]
        assert fault["detail"] == "image is missing; give the id of the image whose renders are to go"


async def test_with_no_room_pictures_are_made_anew_each_time(tmp_path: Path) -> None:
    async with running(api(tmp_path, cache_bytes=0)) as door:
        image = await stored(door)
        for _ in range(2):
            answer = await door.get(f"/r/{image}/resize:32x/png")
            assert answer.status_code == 200
            assert way(answer) == 'cache;desc="miss"'
        assert (await cache(door))["bytes"] == 0


async def test_without_memory_they_come_from_the_disk(tmp_path: Path) -> None:
    async with running(api(tmp_path, cache_memory=0)) as door:
        image = await stored(door)
        first = await door.get(f"/r/{image}/resize:32x/png")
        again = await door.get(f"/r/{image}/resize:32x/png")
        assert way(again) == 'cache;desc="hit"'
        assert again.content == first.content


# -- the fallback ---------------------------------------------------------------------------------


def colours(content: bytes) -> object:
    with Image.open(io.BytesIO(content)) as found:
        return found.convert("RGBA").getcolors()


@pytest.mark.parametrize(
    ("fallback", "colour"),
    [
        ("1", (224, 224, 224, 255)),
        ("", (224, 224, 224, 255)),
        ("ff0000", (255, 0, 0, 255)),
        ("Transparent", (0, 0, 0, 0)),
        ("11223344", (17, 34, 51, 68)),
    ],
)
async def test_a_page_is_never_shown_a_broken_image(
    door: httpx2.AsyncClient, fallback: str, colour: tuple[int, ...]
) -> None:
    answer = await door.get(f"/r/{NOBODY}/resize:30x20/webp", params={"fallback": fallback})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["imgsvc-problem"] == "not-found"
    assert answer.headers["content-type"] == "image/png"
    assert size_of(answer.content) == ("PNG", (30, 20))
    assert colours(answer.content) == [(600, colour)]


async def test_a_fallback_is_of_the_size_that_the_picture_would_have(door: httpx2.AsyncClient) -> None:
    image = await stored(door, photo(400, 300)[:-3000])
    answer = await door.get(f"/r/{image}/resize:200x200/webp?fallback=1")
    assert answer.headers["imgsvc-problem"] == "image-corrupt"
    assert size_of(answer.content) == ("PNG", (200, 150))
    unread = await door.get(f"/r/{image}/nonsense?fallback=1")
    assert unread.headers["imgsvc-problem"] == "invalid-operation"
    assert size_of(unread.content) == ("PNG", (16, 16))


async def test_a_fallback_is_counted_as_the_problem_that_it_hides(door: httpx2.AsyncClient) -> None:
    await door.get(f"/r/{NOBODY}/png?fallback=1")
    assert (await door.get("/v1/stats")).json()["totals"]["problems"] == {"not-found": 1}


async def test_a_fallback_does_not_stand_in_for_a_picture_that_is_there(door: httpx2.AsyncClient) -> None:
    image = await stored(door)
    answer = await door.get(f"/r/{image}/resize:9x/png?fallback=red")
    assert "imgsvc-problem" not in answer.headers
    assert answer.headers["cache-control"] == FOR_EVER


async def test_what_is_no_colour_is_refused(door: httpx2.AsyncClient) -> None:
    answer = await door.get(f"/r/{NOBODY}/png?fallback=reddish")
    assert problem(answer) == (422, "invalid-parameter")
    assert answer.json()["errors"][0]["pointer"] == "/fallback"


async def test_an_operator_who_lets_decodes_be_smaller_gets_other_pictures_not_the_old_ones(
    tmp_path: Path,
) -> None:
    source, ops = photo(1000, 750, quality=95), "resize:200x/png"
    made = []
    for gap in (1.5, 4):
        async with running(api(tmp_path, reduce_gap=gap, storage=f"file://{tmp_path}/kept")) as door:
            made.append(await door.get(f"/r/{await stored(door, source)}/{ops}"))
    assert [way(answer) for answer in made] == ['cache;desc="miss"'] * 2
    assert made[0].content != made[1].content
