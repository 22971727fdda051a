"""`/r/@path/{ops}`: pictures of files that lie in a folder."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator
from email.utils import formatdate
from pathlib import Path

import httpx2
import pytest
from blake3 import blake3

from imgsvc.api import ApiOptions
from imgsvc.pipeline import Grammar
from imgsvc.pipeline.presets import Preset
from imgsvc.signing import Keyring, link
from tests.unit.api.served import api, picture, problem, running, size_of

pytestmark = pytest.mark.anyio

RING = Keyring.parse("web:0123456789abcdef0123456789abcdef")
#: A second of last year.
THEN = 1_764_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sources = tmp_path / "sources"
    (sources / "holidays").mkdir(parents=True)
    put(sources / "holidays" / "beach.jpg")
    return sources


def put(path: Path, colour: str = "teal", *, at: int = THEN) -> None:
    path.write_bytes(picture(colour=colour))
    os.utime(path, (at, at))


@pytest.fixture
async def door(tmp_path: Path, folder: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with running(api(tmp_path / "data", sources_dir=folder)) as client:
        yield client


URL = "/r/@holidays/beach.jpg"


async def tasks(door: httpx2.AsyncClient) -> int:
    return sum((await door.get("/v1/stats")).json()["totals"]["calls"].values())


async def test_an_avif_that_takes_too_long_is_there_for_the_next(tmp_path: Path, folder: Path) -> None:
    async with running(api(tmp_path / "data", sources_dir=folder, avif_budget=0)) as door:
        browser = {"Accept": "image/avif,image/webp,*/*"}
        first = await door.get(f"{URL}/resize:32x/auto", headers=browser)
        assert (first.headers["content-type"], first.headers["cache-control"]) == ("image/webp", "no-store")
        async with asyncio.timeout(30):
            while (await door.get("/v1/stats")).json()["cache"]["entries"] < 2:  # noqa: ASYNC110  # what is seen
                await asyncio.sleep(0.01)
        later = await door.get(f"{URL}/resize:32x/auto", headers=browser)
        assert later.headers["content-type"] == "image/avif"
        assert later.headers["cache-control"] != "no-store"


async def test_a_file_is_rendered_where_it_lies(door: httpx2.AsyncClient) -> None:
    answer = await door.get(f"{URL}/resize:32x/png")
    assert (answer.status_code, size_of(answer.content)) == (200, ("PNG", (32, 24)))
    headers = answer.headers
    assert headers["etag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'
    assert headers["last-modified"] == formatdate(THEN, usegmt=True)
    assert headers["cache-control"] == "public, max-age=3600"
    assert headers["imgsvc-image"] == f"img_{blake3(picture()).hexdigest()[:32]}"
    assert headers["content-disposition"].startswith('inline; filename="beach.png"')
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert "vary" not in headers
    assert (await door.head(f"{URL}/resize:32x/png")).headers["last-modified"] == headers["last-modified"]
    part = await door.get(f"{URL}/resize:32x/png", headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"\x89PNG")


async def test_it_is_cached_and_shared_with_files_of_the_same_content(
    door: httpx2.AsyncClient, folder: Path
) -> None:
    put(folder / "copy.jpg")
    for url in (URL, URL, "/r/@holidays%2Fbeach.jpg", "/r/@copy.jpg"):
        assert (await door.get(f"{url}/resize:32x/png")).status_code == 200
    assert await tasks(door) == 1


async def test_a_crowd_before_a_new_file_costs_one_task(door: httpx2.AsyncClient) -> None:
    answers = await asyncio.gather(*(door.get(f"{URL}/resize:32x/png") for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert await tasks(door) == 1


async def test_a_changed_file_is_rendered_anew(door: httpx2.AsyncClient, folder: Path) -> None:
    first = await door.get(f"{URL}/png")
    put(folder / "holidays" / "beach.jpg", "navy", at=THEN + 1)
    second = await door.get(f"{URL}/png")
    assert second.status_code == 200
    assert second.content != first.content
    assert second.headers["imgsvc-image"] != first.headers["imgsvc-image"]
    assert second.headers["last-modified"] == formatdate(THEN + 1, usegmt=True)
    (folder / "holidays" / "beach.jpg").unlink()
    assert problem(await door.get(f"{URL}/png")) == (404, "not-found")


@pytest.mark.parametrize(
    ("since", "status"),
    [
        (formatdate(THEN, usegmt=True), 304),
        (formatdate(THEN + 1, usegmt=True), 200),
        (formatdate(THEN - 1, usegmt=True), 200),
        ("yesterday", 200),
        ("", 200),
        ("Sun, 06 Nov 99999 08:49:37 GMT", 200),
    ],
)
async def test_what_has_not_changed_since_is_not_sent(
    door: httpx2.AsyncClient, since: str, status: int
) -> None:
    answer = await door.get(f"{URL}/png", headers={"If-Modified-Since": since})
    assert answer.status_code == status
    assert answer.headers["last-modified"] == formatdate(THEN, usegmt=True)
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert (answer.content == b"") == (status == 304)
    assert await tasks(door) == (0 if status == 304 else 1)


async def test_an_older_file_in_its_place_is_noticed(door: httpx2.AsyncClient, folder: Path) -> None:
    first = await door.get(f"{URL}/png")
    put(folder / "holidays" / "beach.jpg", "navy", at=THEN - 86_400)
    since = {"If-Modified-Since": first.headers["last-modified"]}
    second = await door.get(f"{URL}/png", headers=since)
    assert (second.status_code, second.content == first.content) == (200, False)


@pytest.mark.parametrize("ops", ["png", "auto"])
async def test_an_answer_for_a_date_tells_the_tag_of_a_picture_that_is_kept(
    door: httpx2.AsyncClient, ops: str
) -> None:
    asked = {"Accept": "image/webp", "If-Modified-Since": formatdate(THEN, usegmt=True)}
    assert "etag" not in (await door.get(f"{URL}/{ops}", headers=asked)).headers
    made = await door.get(f"{URL}/{ops}", headers={"Accept": "image/webp"})
    async with asyncio.timeout(20):
        # What has just been written is not known by its times yet.
        while "etag" not in (again := await door.get(f"{URL}/{ops}", headers=asked)).headers:
            await asyncio.sleep(0.05)
            await door.get(f"{URL}/{ops}", headers={"Accept": "image/webp"})
    assert (again.status_code, again.headers["etag"]) == (304, made.headers["etag"])
    assert again.headers.get("vary") == made.headers.get("vary")
    assert await tasks(door) == 1


async def test_a_tag_goes_before_a_date(door: httpx2.AsyncClient) -> None:
    tag, now = (await door.get(f"{URL}/png")).headers["etag"], formatdate(time.time(), usegmt=True)
    for tags, since, status in (
        (tag, formatdate(0, usegmt=True), 304),
        ('"other"', now, 200),
        ("*", formatdate(0, usegmt=True), 304),
    ):
        asked = {"If-None-Match": tags, "If-Modified-Since": since}
        assert (await door.get(f"{URL}/png", headers=asked)).status_code == status


async def test_a_date_to_come_is_not_told(door: httpx2.AsyncClient, folder: Path) -> None:
    put(folder / "holidays" / "beach.jpg", at=int(time.time()) + 86_400)
    assert "last-modified" not in (await door.get(f"{URL}/png")).headers
    put(folder / "holidays" / "beach.jpg", at=-1)
    assert "last-modified" not in (await door.get(f"{URL}/png")).headers


async def test_auto_varies(door: httpx2.AsyncClient) -> None:
    answer = await door.get(f"{URL}/auto", headers={"Accept": "image/webp"})
    assert (answer.headers["content-type"], answer.headers["vary"]) == ("image/webp", "Accept")
    again = await door.get(f"{URL}/auto", headers={"If-Modified-Since": formatdate(THEN, usegmt=True)})
    assert (again.status_code, again.headers["vary"]) == (304, "Accept")


async def test_a_preset_may_change_without_the_file(tmp_path: Path, folder: Path) -> None:
    small = Preset("small", Grammar().parse("resize:20x/png"), "0" * 12)
    options = ApiOptions(presets={"small": small})
    async with running(api(tmp_path / "data", options, sources_dir=folder)) as door:
        asked = {"If-Modified-Since": formatdate(THEN, usegmt=True)}
        answer = await door.get(f"{URL}/preset:small", headers=asked)
        assert answer.status_code == 200
        assert "last-modified" not in answer.headers
        pinned = await door.get(f"{URL}/preset:small@{'0' * 12}", headers=asked)
        assert pinned.status_code == 304


@pytest.mark.parametrize(
    "path",
    ["@holidays", "@holidays/", "@holidays/none.jpg", "@", "@/holidays/beach.jpg", "@holidays//beach.jpg"],
)
async def test_what_is_no_file_is_404(door: httpx2.AsyncClient, path: str) -> None:
    assert problem(await door.get(f"/r/{path}/png")) == (404, "not-found")


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 400, "empty-file"),
        (b"nothing but text", 415, "unsupported-media-type"),
        (picture()[:100], 422, "image-corrupt"),
        (picture((400, 300)), 422, "image-too-many-pixels"),
        (picture((1001, 1)), 422, "image-dimension-too-large"),
        (picture() + bytes(50_000), 413, "body-too-large"),
    ],
)
async def test_what_is_no_picture_is_refused_as_an_upload_is(
    tmp_path: Path, folder: Path, data: bytes, status: int, code: str
) -> None:
    (folder / "bad.jpg").write_bytes(data)
    app = api(tmp_path / "data", sources_dir=folder, max_pixels=100_000, max_side=1000, max_body=50_000)
    async with running(app) as door:
        for _ in range(2):
            answer = await door.get("/r/@bad.jpg/png")
            assert problem(answer) == (status, code)
            assert "bad.jpg" not in answer.text
        uploaded = await door.post("/v1/images", content=data)
        assert problem(uploaded) == (status, code)
        assert await tasks(door) == 0


async def test_a_bad_pipeline_is_told_before_the_file_is_read(door: httpx2.AsyncClient, folder: Path) -> None:
    (folder / "text").write_text("text")
    for ops in ("", "/", "/resise:20x"):
        assert problem(await door.get(f"/r/@text{ops or '/'}")) == (422, "invalid-operation")
    assert problem(await door.get("/r/@text")) == (422, "invalid-operation")


async def test_a_fallback_stands_in(door: httpx2.AsyncClient) -> None:
    answer = await door.get("/r/@none.jpg/resize:20x/png?fallback=red")
    assert (answer.status_code, answer.headers["imgsvc-problem"]) == (200, "not-found")


async def test_names_that_are_not_utf_8_have_a_url(door: httpx2.AsyncClient, folder: Path) -> None:
    put(Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9 #1.jpg")))
    answer = await door.get("/r/@caf%E9%20%231.jpg/png")
    assert answer.status_code == 200
    assert 'filename="caf_ #1.png"' in answer.headers["content-disposition"]
    assert problem(await door.get("/r/@caf%C3%A9%20%231.jpg/png")) == (404, "not-found")


async def test_a_name_is_decoded_once(door: httpx2.AsyncClient, folder: Path) -> None:
    put(folder / "100%25.jpg")
    assert (await door.get("/r/@100%2525.jpg/png")).status_code == 200
    assert problem(await door.get("/r/@100%25.jpg/png")) == (404, "not-found")


async def test_all_that_was_made_of_a_file_can_be_purged(door: httpx2.AsyncClient) -> None:
    image = (await door.get(f"{URL}/png")).headers["imgsvc-image"]
    purged = await door.post(f"/v1/cache:purge?image={image}")
    assert purged.json() == {"image": image, "purged": 1}
    assert problem(await door.post(f"/v1/cache:purge?image={image}")) == (404, "not-found")
    assert (await door.get(f"{URL}/png")).status_code == 200
    assert await tasks(door) == 2


async def test_asking_for_a_file_by_its_image_neither_shows_nor_purges_it(door: httpx2.AsyncClient) -> None:
    image = (await door.get(f"{URL}/png")).headers["imgsvc-image"]
    assert problem(await door.get(f"/r/{image}/png")) == (404, "not-found")
    assert problem(await door.get(f"/v1/images/{image}")) == (404, "not-found")
    assert (await door.get(f"{URL}/png")).headers["server-timing"].startswith('cache;desc="hit"')


async def test_without_a_folder_there_are_no_files(tmp_path: Path) -> None:
    async with running(api(tmp_path)) as door:
        assert problem(await door.get(f"{URL}/png")) == (404, "not-found")


async def test_a_folder_that_can_not_be_read_degrades(door: httpx2.AsyncClient, folder: Path) -> None:
    assert (await door.get("/readyz")).json()["degraded"] == []
    await asyncio.to_thread(folder.rename, folder.with_name("away"))
    ready = await door.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["degraded"] == ["the folder of sources can't be read"]
    assert problem(await door.get(f"{URL}/png")) == (503, "storage-unavailable")


async def test_without_a_pipeline_that_is_told(door: httpx2.AsyncClient, folder: Path) -> None:
    put(folder / "top.jpg")
    for path in ("/r/@top.jpg", "/r/@top.jpg/", URL, f"{URL}/"):
        answer = await door.get(path)
        assert problem(answer) == (422, "invalid-operation"), path
        assert answer.json()["detail"].startswith("a pipeline is missing")
    for path in ("/r/@none.jpg", "/r/@", "/r/@holidays"):
        assert problem(await door.get(path)) == (404, "not-found"), path
    shown = await door.get(f"{URL}?fallback=1")
    assert (shown.status_code, shown.headers["imgsvc-problem"]) == (200, "invalid-operation")


# -- signed ---------------------------------------------------------------------------------------


@pytest.fixture
async def locked(tmp_path: Path, folder: Path) -> AsyncIterator[httpx2.AsyncClient]:
    options = ApiOptions(signing=RING)
    async with running(api(tmp_path / "data", options, sources_dir=folder)) as client:
        yield client


async def test_a_signed_link_to_a_file_is_let_in_in_every_spelling(locked: httpx2.AsyncClient) -> None:
    signed = RING.sign(f"{URL}/resize:20x/webp:82")
    query = link("", signed)
    for path in (
        f"{URL}/resize:20x/webp:82",
        f"{URL}/resize:w=20|webp:q=82",
        f"{URL.replace('beach', '%62each')}/resize:20x%2Fwebp:82",
    ):
        assert (await locked.get(path + query)).status_code == 200
    for path in (f"{URL}/resize:21x/webp:82", f"{URL}/webp:82"):
        assert problem(await locked.get(path + query)) == (403, "signature-invalid")


async def test_a_signature_is_asked_for_before_a_pipeline(locked: httpx2.AsyncClient, folder: Path) -> None:
    put(folder / "top.jpg")
    for path in ("/r/@top.jpg", "/r/@top.jpg/", URL, "/r/@none.jpg", f"/r/img_{'0' * 32}", "/r/nonsense"):
        for method in ("GET", "HEAD"):
            assert (await locked.request(method, path)).status_code == 403, path
        assert problem(await locked.get(path)) == (403, "signature-invalid")


async def test_a_signed_link_may_outlive_its_file(locked: httpx2.AsyncClient, folder: Path) -> None:
    url = link(f"{URL}/png", RING.sign(f"{URL}/png", exp=int(time.time()) + 600))
    first = await locked.get(url)
    assert first.status_code == 200
    assert 500 < int(first.headers["cache-control"].removeprefix("public, max-age=")) <= 600
    put(folder / "holidays" / "beach.jpg", "navy", at=THEN + 1)
    second = await locked.get(url)
    assert second.content != first.content
    again = await locked.get(url, headers={"If-Modified-Since": second.headers["last-modified"]})
    assert again.status_code == 304
    assert int(again.headers["cache-control"].removeprefix("public, max-age=")) <= 600


async def test_without_a_signature_nobody_learns_what_there_is(locked: httpx2.AsyncClient) -> None:
    for query in ("", f"?sig={'A' * 43}&kid=web", "?fallback=1", "?sig=&kid=web"):
        told = set()
        for path in (
            f"{URL}/png",
            f"{URL}/nonsense",
            "/r/@holidays/none.jpg/png",
            "/r/@none/png",
            "/r/@../x/png",
        ):
            answer = await locked.get(path + query)
            assert problem(answer) == (403, "signature-invalid")
            told.add(answer.json()["detail"])
        assert len(told) == 1


async def test_a_file_that_is_not_there_is_told_to_whoever_signed(locked: httpx2.AsyncClient) -> None:
    path = "/r/@none.jpg/png"
    assert problem(await locked.get(link(path, RING.sign(path)))) == (404, "not-found")


async def test_names_that_are_not_utf_8_are_signed_as_they_are(
    locked: httpx2.AsyncClient, folder: Path
) -> None:
    put(Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.jpg")))
    path = b"/r/@caf\xe9.jpg/webp:82"
    assert (await locked.get(link(path, RING.sign(path)))).status_code == 200
    other = link(b"/r/@caf\xe9.jpg/webp:q=82", RING.sign(path))
    assert (await locked.get(other)).status_code == 200
