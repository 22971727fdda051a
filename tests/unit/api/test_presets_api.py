from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import orjson
import pytest

from imgsvc.api import ApiOptions
from imgsvc.api.schemas import PresetsShape
from imgsvc.pipeline.definitions import Definition, define
from tests.unit.api.served import api, picture, problem, running, size_of

pytestmark = pytest.mark.anyio

WAIT = {"Prefer": "wait=9"}
PRESETS = define(
    {
        "avatar": Definition("resize:12x12,fit=cover/webp:80", "A face"),
        "small": Definition(["resize:20x"]),
    },
    version=1,
)


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with running(api(tmp_path, ApiOptions(presets=PRESETS))) as client:
        yield client


async def test_the_presets_are_listed_with_what_they_stand_for(door: httpx2.AsyncClient) -> None:
    answer = await door.get("/v1/presets")
    PresetsShape.model_validate(answer.json())
    version = PRESETS["avatar"].hash
    avatar, small = answer.json()["presets"]
    assert avatar == {
        "name": "avatar",
        "hash": version,
        "description": "A face",
        "spec": "resize:12x12,fit=cover/webp",
        "operations": [{"op": "resize", "size": "12x12", "fit": "cover"}, {"op": "webp"}],
        "url": "/r/{image}/preset:avatar",
        "immutable_url": f"/r/{{image}}/preset:avatar@{version}",
    }
    assert (small["name"], small["description"]) == ("small", None)
    assert (await door.head("/v1/presets")).status_code == 200


async def test_the_list_is_asked_for_again_at_no_cost_until_it_changes(
    door: httpx2.AsyncClient, tmp_path: Path
) -> None:
    known = {"If-None-Match": (await door.get("/v1/presets")).headers["etag"]}
    assert (await door.get("/v1/presets", headers=known)).status_code == 304
    fewer = ApiOptions(presets={"small": PRESETS["small"]})
    async with running(api(tmp_path / "other", fewer)) as other:
        assert (await other.get("/v1/presets", headers=known)).status_code == 200


async def test_without_a_file_the_list_is_empty(tmp_path: Path) -> None:
    async with running(api(tmp_path)) as client:
        assert (await client.get("/v1/presets")).json() == {"presets": []}
        refused = await client.post("/v1/process?ops=preset:avatar", content=picture())
        assert problem(refused) == (422, "invalid-operation")
        assert "none is defined" in refused.json()["detail"]


async def test_a_preset_is_made_at_once(door: httpx2.AsyncClient) -> None:
    made = await door.post("/v1/process?ops=preset:avatar", content=picture())
    assert size_of(made.content) == ("WEBP", (12, 12))
    more = await door.post("/v1/process?ops=preset:small/grayscale/png", content=picture())
    assert size_of(more.content) == ("PNG", (20, 15))


async def test_a_job_says_what_its_preset_stood_for(door: httpx2.AsyncClient) -> None:
    outputs = {"face": "preset:avatar", "list": [{"op": "preset", "name": PRESETS["small"].pinned}, "png"]}
    form = {"outputs": orjson.dumps(outputs).decode()}
    job = (await door.post("/v1/jobs", files={"file": picture()}, data=form, headers=WAIT)).json()
    assert job["status"] == "succeeded"
    assert job["outputs"] == [
        {"name": "face", "spec": "resize:12x12,fit=cover/webp"},
        {"name": "list", "spec": "resize:20x/png"},
    ]
    again = (await door.post(f"/v1/jobs/{job['id']}/retry", headers=WAIT)).json()
    assert again["outputs"] == job["outputs"]


async def test_a_batch_takes_presets(door: httpx2.AsyncClient) -> None:
    files = [("file", (f"{colour}.jpg", picture(colour=colour))) for colour in ("red", "teal")]
    batch = (await door.post("/v1/batches", files=files, data={"ops": "preset:avatar"})).json()
    assert batch["counts"]["total"] == 2
    jobs = (await door.get("/v1/jobs", params={"batch": batch["id"]})).json()["items"]
    assert {job["outputs"][0]["spec"] for job in jobs} == {"resize:12x12,fit=cover/webp"}


async def test_a_preset_is_explained_step_by_step(door: httpx2.AsyncClient) -> None:
    answer = await door.get("/v1/operations:explain?ops=preset:small/blur&size=40x30")
    assert answer.json() == {
        "spec": "resize:20x/blur",
        "operations": [{"op": "resize", "size": "20x"}, {"op": "blur"}],
        "steps": [
            {"op": "resize", "in": [40, 30], "out": [20, 15]},
            {"op": "blur", "in": [20, 15], "out": [20, 15]},
        ],
    }


async def test_an_unknown_preset_is_told_with_its_place_and_those_that_there_are(
    door: httpx2.AsyncClient,
) -> None:
    body = orjson.dumps({"source": {"image": "img_" + "0" * 32}, "ops": ["flip", "preset:avatr"]})
    refused = await door.post("/v1/jobs", content=body, headers={"Content-Type": "application/json"})
    assert problem(refused) == (422, "invalid-operation")
    (fault,) = refused.json()["errors"]
    assert fault["pointer"] == "/ops/1/name"
    assert fault["allowed"] == ["avatar", "small"]
    assert "did you mean 'avatar'" in fault["detail"]
    old = await door.post("/v1/process?ops=preset:avatar@0123456789ab", content=picture())
    assert problem(old) == (422, "invalid-operation")
    assert old.json()["errors"][0]["allowed"] == [PRESETS["avatar"].pinned]
    assert old.json()["errors"][0]["offset"] == len("preset:")
