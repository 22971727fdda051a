from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import orjson
import pytest

from imgsvc.api import ApiOptions
from imgsvc.api.schemas import PresetsShape
from imgsvc.pipeline.definitions import Definition, define
from imgsvc.signing import Keyring, link
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


async def test_auto_in_a_preset_is_refused_for_a_job_where_the_preset_stands(tmp_path: Path) -> None:
    web = define({"web": Definition("flip/flop/auto")}, version=1)
    async with running(api(tmp_path, ApiOptions(presets=web))) as client:
        refused = await client.post("/v1/jobs?ops=grayscale/preset:web", content=picture())
        assert problem(refused) == (422, "invalid-operation")
        (fault,) = refused.json()["errors"]
        assert (fault["pointer"], fault["offset"]) == ("/1", len("grayscale/"))
        assert (await client.post("/v1/process?ops=preset:web", content=picture())).status_code == 200


async def stored(door: httpx2.AsyncClient) -> str:
    """The id of a picture that is there."""
    return str((await door.post("/v1/images", content=picture())).json()["id"])


async def test_a_render_of_a_preset_is_kept_for_an_hour_and_that_of_a_version_for_ever(
    door: httpx2.AsyncClient,
) -> None:
    image = await stored(door)
    links = {preset["name"]: preset for preset in (await door.get("/v1/presets")).json()["presets"]}
    floating, pinned, plain = [
        await door.get(link.replace("{image}", image))
        for link in (links["avatar"]["url"], links["avatar"]["immutable_url"], "/r/{image}/grayscale/webp")
    ]
    assert floating.headers["cache-control"] == "public, max-age=3600"
    assert pinned.headers["cache-control"] == plain.headers["cache-control"]
    assert pinned.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert floating.content == pinned.content
    assert size_of(pinned.content) == ("WEBP", (12, 12))
    again = await door.get(f"/r/{image}/preset:avatar", headers={"If-None-Match": floating.headers["etag"]})
    assert (again.status_code, again.headers["cache-control"]) == (304, "public, max-age=3600")


async def test_a_preset_shares_what_is_kept_with_its_pipeline_written_out(door: httpx2.AsyncClient) -> None:
    image = await stored(door)
    for ops in ("preset:avatar", "resize:12x12,fit=cover/webp", f"preset:{PRESETS['avatar'].pinned}"):
        assert (await door.get(f"/r/{image}/{ops}")).status_code == 200
    counts = (await door.get("/v1/stats")).json()["cache"]
    assert (counts["misses"], counts["hits"]) == (1, 2)


async def test_a_preset_that_has_changed_is_another_picture_under_the_same_name(tmp_path: Path) -> None:
    """Two services in turn on what is stored, as before and after a restart."""
    storage = f"memory:{tmp_path.name}"
    changed = define({"avatar": Definition("resize:9x9,fit=cover/png")}, version=1)
    sizes, versions = [], []
    for presets in (PRESETS, changed):
        async with running(api(tmp_path, ApiOptions(presets=presets), storage=storage)) as client:
            image = await stored(client)
            made = await client.get(f"/r/{image}/preset:avatar")
            sizes.append(size_of(made.content))
            versions.append(made.headers["etag"])
    assert sizes == [("WEBP", (12, 12)), ("PNG", (9, 9))]
    assert len(set(versions)) == 2
    async with running(api(tmp_path, ApiOptions(presets=changed))) as client:
        old = await client.get(f"/r/{await stored(client)}/preset:{PRESETS['avatar'].pinned}")
        assert problem(old) == (422, "invalid-operation")
        assert old.json()["errors"][0]["allowed"] == [changed["avatar"].pinned]


async def test_where_only_presets_are_rendered_nothing_else_is(tmp_path: Path) -> None:
    options = ApiOptions(presets=PRESETS, presets_only=True)
    async with running(api(tmp_path, options)) as client:
        image = await stored(client)
        for ops in ("preset:avatar", f"preset:{PRESETS['avatar'].pinned}", "preset:small"):
            assert (await client.get(f"/r/{image}/{ops}")).status_code == 200
        for ops in (
            "grayscale",
            "resize:12x12,fit=cover/webp",
            "preset:small/grayscale",
            "preset:small/preset:small",
            "grayscale/preset:avatar",
            '["preset:small","png"]',
        ):
            refused = await client.get(f"/r/{image}/{ops}")
            assert problem(refused) == (422, "invalid-operation"), ops
            (fault,) = refused.json()["errors"]
            assert fault["allowed"] == ["preset:avatar", "preset:small"]
            placeholder = await client.get(f"/r/{image}/{ops}?fallback=1")
            assert placeholder.headers["imgsvc-problem"] == "invalid-operation"
        assert (await client.post("/v1/process?ops=grayscale", content=picture())).status_code == 200
        job = await client.post("/v1/jobs?ops=grayscale/png", content=picture(), headers=WAIT)
        assert job.json()["status"] == "succeeded"


async def test_a_preset_is_signed_by_its_name_in_whatever_spelling(tmp_path: Path) -> None:
    ring = Keyring.parse("web:0123456789abcdef0123456789abcdef")
    options = ApiOptions(presets=PRESETS, signing=ring)
    async with running(api(tmp_path, options)) as client:
        image = await stored(client)
        by_name = ring.sign(f"/r/{image}/preset:small/blur:2.5")
        written_out = ring.sign(f"/r/{image}/resize:20x/blur:2.5")
        for signed in (by_name, written_out):
            for ops in ("preset:small/blur:2.5", "preset:name=small|blur:2.50"):
                assert (await client.get(link(f"/r/{image}/{ops}", signed))).status_code == 200
        other = await client.get(link(f"/r/{image}/preset:small/blur:2.6", by_name))
        assert problem(other) == (403, "signature-invalid")
    fenced = ApiOptions(presets=PRESETS, signing=ring, presets_only=True)
    async with running(api(tmp_path, fenced)) as client:
        image = await stored(client)
        assert problem(await client.get(f"/r/{image}/preset:small")) == (403, "signature-invalid")
        path = f"/r/{image}/resize:20x"
        assert problem(await client.get(link(path, ring.sign(path)))) == (422, "invalid-operation")
