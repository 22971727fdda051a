from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from imgsvc.api.schemas import ImageListShape, ImageShape
from tests.unit.api.served import api, picture, problem, running

pytestmark = pytest.mark.anyio


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with running(api(tmp_path)) as client:
        yield client


async def test_the_same_bytes_are_the_same_image(door: httpx2.AsyncClient) -> None:
    first = await door.post("/v1/images", content=picture())
    assert first.status_code == 201
    image = first.json()
    ImageShape.model_validate(image)
    sha256 = hashlib.sha256(picture()).hexdigest()
    assert (image["id"], image["sha256"]) == (f"img_{sha256[:32]}", sha256)
    assert (image["format"], image["width"], image["height"], image["frames"]) == ("jpeg", 64, 48, 1)
    assert image["has_alpha"] is False
    assert (image["kept"], image["expires_at"]) == (True, None)
    assert first.headers["location"] == f"/v1/images/{image['id']}"
    second = await door.post("/v1/images", files={"file": ("other.jpg", picture())})
    assert second.status_code == 200
    assert second.json() == image


async def test_an_image_is_found_fetched_and_removed(door: httpx2.AsyncClient) -> None:
    image = (await door.post("/v1/images", content=picture())).json()
    url = image["links"]["self"]
    facts = await door.get(url)
    assert facts.json() == image
    assert (await door.get(url, headers={"If-None-Match": facts.headers["etag"]})).status_code == 304
    original = await door.get(image["links"]["content"])
    assert original.content == picture()
    assert original.headers["content-type"] == "image/jpeg"
    assert original.headers["content-disposition"].startswith(f'attachment; filename="{image["id"]}.jpg"')
    assert original.headers["etag"] == f'"{image["sha256"]}"'
    assert original.headers["content-security-policy"] == "default-src 'none'; sandbox"
    part = await door.get(image["links"]["content"], headers={"Range": "bytes=0-1"})
    assert (part.status_code, part.content) == (206, picture()[:2])
    assert (await door.delete(url)).status_code == 204
    assert (await door.delete(url)).status_code == 204
    assert problem(await door.get(url)) == (404, "not-found")
    assert problem(await door.get(image["links"]["content"])) == (404, "not-found")


async def test_a_large_original_is_sent_in_pieces(door: httpx2.AsyncClient) -> None:
    large = picture() + bytes(3_000_000)
    image = (await door.post("/v1/images", content=large)).json()
    assert (await door.get(image["links"]["content"])).content == large
    part = await door.get(image["links"]["content"], headers={"Range": "bytes=1000000-2999999"})
    assert part.content == large[1_000_000:3_000_000]


async def test_an_image_that_jobs_need_stays(door: httpx2.AsyncClient) -> None:
    await door.post("/v1/queue:pause")
    image = (await door.post("/v1/images", content=picture())).json()
    await door.post("/v1/jobs", json={"source": {"image": image["id"]}, "ops": "png"})
    assert problem(await door.delete(image["links"]["self"])) == (409, "image-in-use")
    await door.post("/v1/jobs:cancel")
    assert (await door.delete(image["links"]["self"])).status_code == 204


async def test_an_image_that_only_jobs_brought_says_so_and_goes_with_them(door: httpx2.AsyncClient) -> None:
    job = (await door.post("/v1/jobs?ops=png", content=picture(), headers={"Prefer": "wait=9"})).json()
    (image,) = (await door.get("/v1/images")).json()["items"]
    ImageShape.model_validate(image)
    assert (image["id"], image["kept"], image["expires_at"]) == (job["image"]["id"], False, None)
    await door.delete(job["links"]["self"])
    assert (await door.get("/v1/images")).json()["items"] == []


async def test_an_image_that_jobs_brought_is_kept_once_it_is_stored_for_its_own_sake(
    door: httpx2.AsyncClient,
) -> None:
    job = (await door.post("/v1/jobs?ops=png", content=picture(), headers={"Prefer": "wait=9"})).json()
    stored = await door.post("/v1/images", content=picture())
    assert (stored.status_code, stored.json()["kept"]) == (200, True)
    await door.delete(job["links"]["self"])
    assert (await door.get("/v1/images")).json()["items"] == [stored.json()]


async def test_images_are_listed_in_pages(door: httpx2.AsyncClient) -> None:
    made = [
        (await door.post("/v1/images", content=picture((size, size)))).json()["id"] for size in (10, 11, 12)
    ]
    found = (await door.get("/v1/images", params={"limit": "2"})).json()
    ImageListShape.model_validate(found)
    more = (await door.get("/v1/images", params={"limit": "2", "cursor": found["next_cursor"]})).json()
    assert sorted(image["id"] for image in found["items"] + more["items"]) == sorted(made)
    assert more["next_cursor"] is None


@pytest.mark.parametrize("id", ["img_0", "img_" + "0" * 32, "job_" + "0" * 32, "%2e%2e", "%00"])
async def test_an_unknown_image_is_not_found(door: httpx2.AsyncClient, id: str) -> None:
    assert problem(await door.get(f"/v1/images/{id}")) == (404, "not-found")
    assert problem(await door.get(f"/v1/images/{id}/content")) == (404, "not-found")
    assert problem(await door.delete(f"/v1/images/{id}")) == (404, "not-found")


async def test_storing_takes_no_parameters(door: httpx2.AsyncClient) -> None:
    answer = await door.post("/v1/images", params={"ops": "png"}, content=picture())
    assert problem(answer) == (422, "invalid-parameter")
