"""Outputs with widths and formats: how they are asked for, what is refused, and what a page gets."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image

from imgsvc.api import ApiOptions
from imgsvc.api.schemas import JobShape
from imgsvc.raster.geometry import MAX_SIDE
from tests.unit.api.served import api, picture, problem, running, size_of

pytestmark = pytest.mark.anyio

HERO = {"ops": "resize:48x", "widths": [16, 32, 64], "formats": ["webp", "jpeg:70"]}


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with running(api(tmp_path, ApiOptions(max_outputs=7))) as client:
        yield client


async def ask(door: httpx2.AsyncClient, outputs: object, **more: Any) -> httpx2.Response:  # noqa: ANN401  # headers
    return await door.post(
        "/v1/jobs", files={"file": ("cat.jpg", picture())}, data={"outputs": json.dumps(outputs)}, **more
    )


async def done(door: httpx2.AsyncClient, outputs: object) -> Any:  # noqa: ANN401  # JSON
    answer = await ask(door, outputs, headers={"Prefer": "wait=10"})
    assert answer.status_code == 200, answer.text
    JobShape.model_validate(answer.json())
    return answer.json()


class Tags(HTMLParser):
    """Every tag with its attributes, and whether all that was opened was closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open
        assert self.rawdata == ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs)
        self.found.append((tag, dict(attrs)))
        if tag not in {"img", "source"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        raise AssertionError(f"text between tags: {data}")


def candidates(srcset: str | None) -> dict[str, int]:
    """Links and widths, as a browser reads them."""
    found = {}
    for candidate in (srcset or "").split(", "):
        link, width = candidate.split(" ")
        assert width.endswith("w")
        found[link] = int(width[:-1])
    return found


async def test_one_result_per_width_and_format(door: httpx2.AsyncClient) -> None:
    job = await done(door, {"hero": HERO, "thumb": "thumbnail:8x8"})
    assert job["outputs"] == [
        {"name": "hero-32.webp", "spec": "resize:32x/webp"},
        {"name": "hero-32.jpg", "spec": "resize:32x/jpeg:70"},
        {"name": "hero-16.webp", "spec": "resize:16x/webp"},
        {"name": "hero-16.jpg", "spec": "resize:16x/jpeg:70"},
        {"name": "thumb", "spec": "thumbnail:8x8"},
    ]
    found = {result["name"]: (result["width"], result["height"]) for result in job["results"]}
    assert found["hero-32.webp"] == found["hero-32.jpg"] == (32, 24)
    assert found["hero-16.webp"] == found["hero-16.jpg"] == (16, 12)
    steps = [step["op"] for step in job["timings"]["steps"] if step["op"] != "store"]
    assert steps.count("decode") == 1
    assert len(steps) == job["progress"]["total"], "what is planned is what is done"
    for result in job["results"]:
        fetched = await door.get(result["url"])
        assert size_of(fetched.content)[1] == (result["width"], result["height"])
        explained = await door.get(
            "/v1/operations:explain",
            params={
                "ops": next(o["spec"] for o in job["outputs"] if o["name"] == result["name"]),
                "size": "64x48",
            },
        )
        assert explained.json()["steps"][-1]["out"] == [result["width"], result["height"]]


async def test_a_page_gets_a_picture_with_true_widths(door: httpx2.AsyncClient) -> None:
    job = await done(door, {"hero": HERO})
    (shown,) = job["pictures"]
    assert (shown["name"], shown["width"], shown["height"]) == ("hero", 32, 24)
    tags = Tags(shown["html"]).found
    assert [tag for tag, _ in tags] == ["picture", "source", "img"]
    (_, source), (_, img) = tags[1:]
    base = f"/v1/jobs/{job['id']}/results/hero-"
    assert source["type"] == "image/webp"
    assert candidates(source["srcset"]) == {f"{base}16.webp": 16, f"{base}32.webp": 32}
    assert candidates(img["srcset"]) == {f"{base}16.jpg": 16, f"{base}32.jpg": 32}
    assert source["sizes"] == img["sizes"] == "100vw"
    assert img["src"] == shown["src"] == f"{base}32.jpg"
    assert (img["width"], img["height"], img["alt"]) == ("32", "24", "")
    assert (img["loading"], img["decoding"]) == ("lazy", "async")
    assert img["style"] == "max-width:100%;height:auto"
    assert [each["srcset"] for each in shown["sources"]] == [source["srcset"], img["srcset"]]
    assert [each["type"] for each in shown["sources"]] == ["image/webp", "image/jpeg"]
    for srcset in (source["srcset"], img["srcset"]):
        for link, width in candidates(srcset).items():
            answer = await door.get(link)
            assert answer.status_code == 200
            assert size_of(answer.content)[1][0] == width


async def test_the_public_address_stands_in_front_and_is_escaped(tmp_path: Path) -> None:
    options = ApiOptions(public_url="https://img.example.org/a&b,c")
    async with running(api(tmp_path, options)) as door:
        job = await done(door, {"hero": {"ops": "resize:32x/png", "widths": [16, 32]}})
    (shown,) = job["pictures"]
    assert shown["html"].count("&amp;b") == 3
    (_, img) = Tags(shown["html"]).found[-1]
    base = f"https://img.example.org/a&b%2Cc/v1/jobs/{job['id']}/results/hero-"
    assert candidates(img["srcset"]) == {f"{base}16.png": 16, f"{base}32.png": 32}
    assert str(img["src"]).startswith("https://img.example.org/a&b,c/v1/jobs/")


async def test_without_widths_there_are_no_pictures(door: httpx2.AsyncClient) -> None:
    assert (await done(door, {"thumb": "thumbnail:8x8"}))["pictures"] == []
    assert (await done(door, {"thumb": {"ops": "thumbnail:8x8"}}))["pictures"] == []


async def test_before_its_results_are_there_a_job_has_no_pictures(tmp_path: Path) -> None:
    async with running(api(tmp_path)) as door:
        await door.post("/v1/queue:pause")
        job = (await ask(door, {"hero": HERO})).json()
        assert job["pictures"] == []
        assert len(job["outputs"]) == 4
        # The decode; then for each width a resize and two encodings.
        assert job["progress"]["total"] == 1 + 2 * 3
        listed = await door.get("/v1/jobs")
        assert listed.json()["items"][0]["pictures"] == []


async def test_where_every_width_is_too_wide_one_picture_is_left(door: httpx2.AsyncClient) -> None:
    job = await done(door, {"hero": {"ops": "resize:48x/png", "widths": [49, 64, 1000]}})
    assert [output["name"] for output in job["outputs"]] == ["hero-48.png"]
    (shown,) = job["pictures"]
    base = f"/v1/jobs/{job['id']}/results/hero-48.png"
    assert candidates(shown["sources"][0]["srcset"]) == {base: 48}
    assert (await door.get(base)).status_code == 200


async def test_auto_is_avif_webp_and_jpeg_beside_widths(door: httpx2.AsyncClient) -> None:
    job = await done(door, {"hero": {"ops": "resize:48x/auto:70", "widths": [8, 16]}})
    assert [output["spec"] for output in job["outputs"]][:3] == [
        "resize:16x/avif:48",
        "resize:16x/webp:70",
        "resize:16x/jpeg:70",
    ]
    (shown,) = job["pictures"]
    assert [each["type"] for each in shown["sources"]] == ["image/avif", "image/webp", "image/jpeg"]


async def test_auto_is_png_for_a_picture_with_alpha(door: httpx2.AsyncClient) -> None:
    file = io.BytesIO()
    Image.new("RGBA", (64, 48), (9, 9, 9, 99)).save(file, "PNG")
    outputs = {"a": {"ops": "auto", "widths": [8]}, "b": {"ops": "background:white/auto", "widths": [8]}}
    answer = await door.post(
        "/v1/jobs",
        params={"outputs": json.dumps(outputs)},
        content=file.getvalue(),
        headers={"Prefer": "wait=10"},
    )
    names = [output["name"] for output in answer.json()["outputs"]]
    assert names == ["a-8.avif", "a-8.webp", "a-8.png", "b-8.avif", "b-8.webp", "b-8.jpg"]
    assert answer.json()["status"] == "succeeded"


async def test_a_list_says_what_auto_may_be(door: httpx2.AsyncClient) -> None:
    job = await done(door, {"hero": {"ops": "resize:48x/auto", "widths": [8], "formats": ["webp", "png"]}})
    assert [output["name"] for output in job["outputs"]] == ["hero-8.webp", "hero-8.png"]


async def test_what_only_some_browsers_show_is_never_the_last(door: httpx2.AsyncClient) -> None:
    job = await done(door, {"hero": {"ops": "resize:8x", "formats": ["jpeg", "avif", "webp"]}})
    (shown,) = job["pictures"]
    assert [each["type"] for each in shown["sources"]] == ["image/avif", "image/webp", "image/jpeg"]
    job = await done(door, {"hero": {"ops": "resize:8x", "formats": ["avif", "webp"]}})
    (shown,) = job["pictures"]
    assert [each["type"] for each in shown["sources"]] == ["image/avif", "image/webp"]
    assert shown["src"].endswith(".webp")


async def test_an_archive_has_each_result_once_with_its_own_extension(door: httpx2.AsyncClient) -> None:
    job = await done(door, {"hero": HERO})
    archive = await door.get(job["links"]["result"])
    with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
        names = ["cat-hero-32.webp", "cat-hero-32.jpg", "cat-hero-16.webp", "cat-hero-16.jpg"]
        assert opened.namelist() == names
    fetched = await door.get(f"/v1/jobs/{job['id']}/results/hero-16.jpg?download=1")
    assert 'filename="cat-hero-16.jpg"' in fetched.headers["content-disposition"]


@pytest.mark.parametrize("form", ["json", "query"])
async def test_json_and_the_query_say_the_same(door: httpx2.AsyncClient, form: str) -> None:
    stored = (await door.post("/v1/images", content=picture())).json()["id"]
    if form == "json":
        answer = await door.post("/v1/jobs", json={"source": {"image": stored}, "outputs": {"hero": HERO}})
    else:
        answer = await door.post(
            "/v1/jobs", params={"outputs": json.dumps({"hero": HERO})}, content=picture()
        )
    assert answer.status_code == 202
    assert answer.json()["outputs"][0] == {"name": "hero-32.webp", "spec": "resize:32x/webp"}


async def test_a_form_of_many_files_gives_each_its_own_widths(door: httpx2.AsyncClient) -> None:
    files = [("file", (f"{width}.png", picture((width, 30), "PNG"))) for width in (20, 40)]
    files.append(("file", ("broken.png", b"nothing")))
    answer = await door.post("/v1/batches", files=files, data={"outputs": json.dumps({"hero": HERO})})
    assert answer.status_code == 202, answer.text
    batch = (await door.get(f"/v1/batches/{answer.json()['id']}?wait=10")).json()
    assert (batch["counts"]["succeeded"], batch["counts"]["failed"]) == (2, 1)
    jobs = (await door.get("/v1/jobs", params={"batch": batch["id"]})).json()["items"]
    widths = {job["image"]["filename"]: [result["width"] for result in job["results"]] for job in jobs}
    assert widths == {"20.png": [16, 16], "40.png": [32, 32, 16, 16], "broken.png": []}
    archive = await door.get(batch["links"]["results"])
    with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
        assert "40-hero-32.webp" in opened.namelist()
        assert "20-hero-16.jpg" in opened.namelist()


async def test_another_try_makes_the_same_pictures(door: httpx2.AsyncClient) -> None:
    job = await done(door, {"hero": HERO})
    again = (await door.post(f"/v1/jobs/{job['id']}/retry")).json()
    assert again["outputs"] == job["outputs"]
    ended = (await door.get(again["links"]["self"], headers={"Prefer": "wait=10"})).json()
    assert [each["name"] for each in ended["pictures"]] == ["hero"]


@pytest.mark.parametrize(
    "same",
    [
        {
            "ops": "resize:48x,fit=contain",
            "widths": [64, 32, 16, 32],
            "formats": ["webp:80", {"op": "jpeg", "q": 70}],
        },
        {"formats": ["webp", "jpeg:70"], "ops": ["resize:48x"], "widths": [16, 32, 64]},
    ],
)
async def test_who_asks_for_the_same_again_is_answered_again(
    door: httpx2.AsyncClient, same: dict[str, object]
) -> None:
    key = {"Idempotency-Key": "hero-1"}
    first = await ask(door, {"hero": HERO}, headers=key)
    again = await ask(door, {"hero": same}, headers=key)
    assert first.json()["id"] == again.json()["id"]
    other = await ask(door, {"hero": HERO | {"widths": [16, 32]}}, headers=key)
    assert problem(other) == (422, "idempotency-key-reused")


BAD: list[tuple[object, str]] = [
    ({"hero": {"widths": [16]}}, "/outputs/hero/ops"),
    ({"hero": {"ops": None, "widths": [16]}}, "/outputs/hero/ops"),
    ({"hero": {"ops": "resize:9x", "width": [16]}}, "/outputs/hero/width"),
    ({"hero": {"ops": "resize:9x", "widths": []}}, "/outputs/hero/widths"),
    ({"hero": {"ops": "resize:9x", "widths": 16}}, "/outputs/hero/widths"),
    ({"hero": {"ops": "resize:9x", "widths": "16,32"}}, "/outputs/hero/widths"),
    ({"hero": {"ops": "resize:9x", "widths": [16, 0]}}, "/outputs/hero/widths/1"),
    ({"hero": {"ops": "resize:9x", "widths": [MAX_SIDE + 1]}}, "/outputs/hero/widths/0"),
    ({"hero": {"ops": "resize:9x", "widths": [True]}}, "/outputs/hero/widths/0"),
    ({"hero": {"ops": "resize:9x", "widths": [16.5]}}, "/outputs/hero/widths/0"),
    ({"hero": {"ops": "resize:9x", "widths": ["16"]}}, "/outputs/hero/widths/0"),
    ({"hero": {"ops": "resize:9x", "formats": []}}, "/outputs/hero/formats"),
    ({"hero": {"ops": "resize:9x", "formats": "webp"}}, "/outputs/hero/formats"),
    ({"hero": {"ops": "resize:9x", "formats": ["grayscale"]}}, "/outputs/hero/formats/0"),
    ({"hero": {"ops": "resize:9x", "formats": ["jpeg", "webp", "jpg:9"]}}, "/outputs/hero/formats/2"),
    ({"hero": {"ops": "resize:9x/webp", "formats": ["jpeg"]}}, "/outputs/hero/formats"),
    ({"hero": {"ops": "resize:9x", "formats": ["auto"]}}, "/outputs/hero/formats/0"),
    ({"hero": {"ops": "resize:9x/auto", "widths": [1, 2, 3]}}, "/outputs"),
    ({"hero": {"ops": "/".join(["flip"] * 20), "widths": [9]}}, "/outputs/hero/ops"),
    ({"h" * 54: {"ops": "resize:9x", "widths": [9]}}, f"/outputs/{'h' * 54}"),
    ({"hero": {"ops": "resize:9x", "widths": [1, 2, 3, 4, 5, 6, 7, 8]}}, "/outputs"),
    ({"hero": HERO, "a": "png", "b": "png"}, "/outputs"),
    ({"hero": {"ops": "resize:9x", "widths": [9]}, "hero-640.webp": "png"}, "/outputs/hero-640.webp"),
]


@pytest.mark.parametrize(("outputs", "pointer"), BAD)
async def test_what_is_wrong_is_named_with_its_place(
    door: httpx2.AsyncClient, outputs: object, pointer: str
) -> None:
    answer = await ask(door, outputs)
    assert problem(answer) == (422, "invalid-parameter")
    (fault,) = answer.json()["errors"]
    assert fault["pointer"] == pointer
    assert fault["allowed"]


@pytest.mark.parametrize(
    ("hero", "pointer"),
    [
        ({"ops": "resize:9x/blurr", "widths": [9]}, "/outputs/hero/ops/1"),
        ({"ops": ["resize:0x"], "widths": [9]}, "/outputs/hero/ops/0/size"),
        ({"ops": "resize:9x", "formats": ["webp", "webq"]}, "/outputs/hero/formats/1"),
        ({"ops": "resize:9x", "formats": ["webp:101"]}, "/outputs/hero/formats/0/quality"),
        ({"op": "resize"}, "/outputs/hero"),
        ({"ops": "resize:9x/auto"}, "/outputs/hero/ops/1"),
        ("resize:9x/auto", "/outputs/hero/1"),
    ],
)
async def test_a_fault_in_a_pipeline_is_found_where_it_stands(
    door: httpx2.AsyncClient, hero: object, pointer: str
) -> None:
    answer = await ask(door, {"hero": hero})
    assert problem(answer) == (422, "invalid-operation")
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert answer.json()["output"] == "hero"


async def test_names_that_exclude_each_other_are_both_told(door: httpx2.AsyncClient) -> None:
    answer = await ask(door, {"hero-9.jpg": "png", "hero": {"ops": "resize:9x", "widths": [9]}})
    assert "'hero'" in answer.json()["detail"]
    assert "'hero-9.jpg'" in answer.json()["detail"]


@pytest.mark.parametrize("count", [1, 7])
async def test_as_many_results_as_the_limit_allows_are_made(door: httpx2.AsyncClient, count: int) -> None:
    heroes = {f"h{n}": {"ops": "resize:9x", "widths": list(range(1, 7 // count + 1))} for n in range(count)}
    assert (await ask(door, heroes)).status_code == 202
    assert problem(await ask(door, heroes | {"one": "png"})) == (422, "invalid-parameter")


async def test_the_longest_name_that_leaves_room_is_taken(door: httpx2.AsyncClient) -> None:
    job = await done(door, {"h" * 53: {"ops": "resize:9x/jpeg", "widths": [9]}})
    assert [output["name"] for output in job["outputs"]] == ["h" * 53 + "-9.jpg"]


async def test_a_pipeline_of_nineteen_operations_has_room_for_a_resize(door: httpx2.AsyncClient) -> None:
    job = await done(door, {"hero": {"ops": "/".join(["flip"] * 19), "widths": [9]}})
    assert job["results"][0]["width"] == 9
    twenty = "/".join(["flip"] * 19 + ["resize:20x"])
    assert (await done(door, {"hero": {"ops": twenty, "widths": [9]}}))["results"][0]["width"] == 9
