from __future__ import annotations

import hashlib
import io
import stat
import zipfile
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from imgsvc.api.schemas import JobShape
from tests.photos import photo
from tests.unit.api.served import api, picture, problem, running, size_of

pytestmark = pytest.mark.anyio

OPS = "resize:32x32,fit=cover/webp"


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with running(api(tmp_path)) as client:
        yield client


async def done(door: httpx2.AsyncClient, **query: str) -> dict[str, object]:
    """A job that has ended."""
    answer = await door.post(
        "/v1/jobs", params={"ops": OPS} | query, content=picture(), headers={"Prefer": "wait=10"}
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


async def test_a_raw_body_becomes_a_job(door: httpx2.AsyncClient) -> None:
    answer = await door.post("/v1/jobs", params={"ops": OPS}, content=picture())
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == job["links"]["self"] == f"/v1/jobs/{job['id']}"
    assert int(answer.headers["retry-after"]) >= 1
    assert job["status"] in {"queued", "running"}
    assert job["outputs"] == [{"name": "default", "spec": OPS}]
    JobShape.model_validate(job)


async def test_an_ended_job_tells_everything(door: httpx2.AsyncClient) -> None:
    answer = await door.post(
        "/v1/jobs",
        params={"ops": OPS, "priority": "high", "reference": "ref-1", "timeout": "5", "retention": "1h"},
        content=picture(),
        headers={"Prefer": "wait=10", "Content-Disposition": 'attachment; filename="../cat.jpg"'},
    )
    assert answer.status_code == 200
    assert answer.headers["preference-applied"] == "wait=10"
    job = answer.json()
    JobShape.model_validate(job)
    assert job["status"] == "succeeded"
    assert (job["priority"], job["reference"], job["timeout_ms"]) == ("high", "ref-1", 5000)
    assert job["image"]["filename"] == "cat.jpg"
    assert (job["image"]["width"], job["image"]["height"]) == (64, 48)
    assert job["image"]["sha256"] == hashlib.sha256(picture()).hexdigest()
    assert job["image"]["id"] == "img_" + job["image"]["sha256"][:32]
    (result,) = job["results"]
    assert (result["content_type"], result["width"], result["height"]) == ("image/webp", 32, 32)
    assert result["url"] == job["links"]["result"]
    assert job["progress"] == {"done": 3, "total": 3, "current": None}
    assert job["queue"] == {"position": None, "estimated_wait_ms": None}
    assert [step["op"] for step in job["timings"]["steps"]][:3] == ["decode", "resize", "encode"]
    assert job["timings"]["total_ms"] >= job["timings"]["run_ms"] > 0
    assert job["timings"]["worker"]["lane"] == 1
    assert job["history"][0]["outcome"] == "succeeded"
    assert job["error"] is None


async def test_a_form_may_name_its_wishes_after_the_file(door: httpx2.AsyncClient) -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
        + picture(kind="PNG")
        + b'\r\n--x\r\nContent-Disposition: form-data; name="ops"\r\n\r\ngrayscale/jpeg\r\n--x--\r\n'
    )
    answer = await door.post(
        "/v1/jobs",
        content=body,
        headers={"Content-Type": "multipart/form-data; boundary=x", "Prefer": "wait=10"},
    )
    assert answer.status_code == 200
    assert answer.json()["image"]["filename"] == "a.png"
    assert answer.json()["results"][0]["content_type"] == "image/jpeg"


async def test_curl_data_binary_is_a_raw_image(door: httpx2.AsyncClient) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await door.post("/v1/jobs", params={"ops": OPS}, content=picture(), headers=headers)
    assert answer.status_code == 202


async def test_several_outputs_come_from_one_form(door: httpx2.AsyncClient) -> None:
    answer = await door.post(
        "/v1/jobs",
        files={"file": ("cat.jpg", picture())},
        data={"outputs": '{"thumb":"thumbnail:16x16/png","grey":["grayscale","webp"]}'},
        headers={"Prefer": "wait=10"},
    )
    job = answer.json()
    assert job["status"] == "succeeded", job
    assert [output["name"] for output in job["outputs"]] == ["thumb", "grey"]
    url = f"/v1/jobs/{job['id']}/results/thumb"
    assert job["results"][0]["url"] == url
    thumb = await door.get(url)
    assert size_of(thumb.content) == ("PNG", (16, 12))
    assert 'filename="cat-thumb.png"' in thumb.headers["content-disposition"]
    assert problem(await door.get(f"/v1/jobs/{job['id']}/result")) == (404, "not-found")
    assert problem(await door.get(f"/v1/jobs/{job['id']}/results/nope")) == (404, "not-found")
    archive = await door.get(job["links"]["result"])
    assert archive.headers["content-type"] == "application/zip"
    assert 'filename="cat.zip"' in archive.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(archive.content)) as found:
        assert found.namelist() == ["cat-thumb.png", "cat-grey.webp"]
        assert found.testzip() is None
        assert found.read("cat-thumb.png") == thumb.content
        assert {info.compress_type for info in found.infolist()} == {zipfile.ZIP_STORED}
        assert {info.external_attr >> 16 for info in found.infolist()} == {stat.S_IFREG | 0o644}
    head = await door.head(job["links"]["result"])
    assert (
        int(head.headers["content-length"]) == len(archive.content) == int(archive.headers["content-length"])
    )


async def test_a_stored_image_is_processed_again(door: httpx2.AsyncClient) -> None:
    image = (await door.post("/v1/images", content=picture())).json()
    answer = await door.post(
        "/v1/jobs",
        json={
            "source": {"image": image["id"]},
            "ops": [{"op": "grayscale"}, {"op": "png"}],
            "priority": "low",
        },
        headers={"Prefer": "wait=10"},
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["outputs"] == [{"name": "default", "spec": "grayscale/png"}]
    assert answer.json()["priority"] == "low"
    unknown = {"source": {"image": "img_" + "0" * 32}, "ops": "png"}
    assert problem(await door.post("/v1/jobs", json=unknown)) == (404, "not-found")


async def test_a_result_that_would_be_larger_is_the_source_and_a_warning_says_so(
    door: httpx2.AsyncClient,
) -> None:
    source = photo(quality=1)
    job = (await door.post("/v1/jobs?ops=jpeg", content=source, headers={"Prefer": "wait=10"})).json()
    assert job["results"][0]["bytes"] == len(source)
    (warning,) = job["warnings"]
    assert warning.startswith("default: the source itself is the result")
    assert (await door.get(job["results"][0]["url"])).content == source


@pytest.mark.parametrize(
    ("ops", "offset"),
    [("auto", 0), ("resize:300x/auto", 12), ("grayscale|blur|auto:q=80", 15), ('["blur","auto"]', None)],
)
async def test_a_job_can_not_negotiate_and_is_told_where_and_what_it_may_do(
    door: httpx2.AsyncClient, ops: str, offset: int | None
) -> None:
    answer = await door.post("/v1/jobs", params={"ops": ops}, content=picture())
    assert problem(answer) == (422, "invalid-operation")
    (fault,) = answer.json()["errors"]
    assert fault.get("offset") == offset
    assert fault["allowed"] == ["avif", "gif", "jpeg", "png", "webp"]
    assert "POST /v1/process" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("query", "refusal", "pointer"),
    [
        ({}, (400, "malformed-request"), None),
        ({"ops": "png", "outputs": '{"a":"png"}'}, (400, "malformed-request"), None),
        ({"ops": "rezise:3"}, (422, "invalid-operation"), "/0"),
        ({"ops": "resize:3x3,fit=squeeze"}, (422, "invalid-operation"), "/0/fit"),
        ({"outputs": "nonsense"}, (422, "invalid-parameter"), "/outputs"),
        ({"outputs": "{}"}, (422, "invalid-parameter"), "/outputs"),
        ({"outputs": '{"../x":"png"}'}, (422, "invalid-parameter"), "/outputs/..~1x"),
        ({"outputs": '{"a":"blur:0"}'}, (422, "invalid-operation"), "/outputs/a/0/sigma"),
        ({"ops": "auto"}, (422, "invalid-operation"), "/0"),
        ({"ops": "blur/auto:80"}, (422, "invalid-operation"), "/1"),
        ({"outputs": '{"a":"png","b":"blur/auto"}'}, (422, "invalid-operation"), "/outputs/b/1"),
        ({"ops": "png", "priority": "urgent"}, (422, "invalid-parameter"), "/priority"),
        ({"ops": "png", "timeout": "0"}, (422, "invalid-parameter"), "/timeout"),
        ({"ops": "png", "timeout": "9999"}, (422, "invalid-parameter"), "/timeout"),
        ({"ops": "png", "retention": "-1"}, (422, "invalid-parameter"), "/retention"),
        ({"ops": "png", "max_attempts": "0"}, (422, "invalid-parameter"), "/max_attempts"),
        ({"ops": "png", "reference": "x" * 256}, (422, "invalid-parameter"), "/reference"),
        ({"ops": "png", "prority": "high"}, (422, "invalid-parameter"), "/prority"),
        ({"ops": "png", "batch": "bat_1"}, (404, "not-found"), None),
    ],
)
async def test_a_bad_wish_is_refused_and_placed(
    door: httpx2.AsyncClient, query: dict[str, str], refusal: tuple[int, str], pointer: str | None
) -> None:
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        read += 1
        yield picture()

    answer = await door.post("/v1/jobs", params=query, content=body())
    assert problem(answer) == refusal
    assert answer.json().get("errors", [{}])[0].get("pointer") == pointer
    assert read <= 1, "nothing of the body is asked for"
    # The same words in a form are refused the same way.
    answer = await door.post("/v1/jobs", files={"file": ("a.jpg", picture())}, data=query)
    assert problem(answer) == refusal


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({"ops": "png"}, (422, "invalid-parameter")),
        ({"source": "img_1", "ops": "png"}, (422, "invalid-parameter")),
        ({"source": {"image": 5}, "ops": "png"}, (422, "invalid-parameter")),
        ({"source": {"url": "http://x"}, "ops": "png"}, (422, "invalid-parameter")),
        ({"source": {"image": "img_1"}, "ops": "png"}, (404, "not-found")),
        ({"source": {"image": "img_1"}}, (400, "malformed-request")),
        ({"source": {"image": "img_1"}, "ops": 5}, (422, "invalid-operation")),
        ({"source": {"image": "img_1"}, "outputs": {"a": {"op": "png"}}}, (422, "invalid-operation")),
        ([], (400, "malformed-request")),
    ],
)
async def test_a_bad_json_body_is_refused(
    door: httpx2.AsyncClient, body: object, refusal: tuple[int, str]
) -> None:
    assert problem(await door.post("/v1/jobs", json=body)) == refusal


async def test_broken_json_is_malformed(door: httpx2.AsyncClient) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert problem(await door.post("/v1/jobs", content=b"{", headers=headers)) == (400, "malformed-request")


async def test_a_job_is_found_and_known_again(door: httpx2.AsyncClient) -> None:
    job = await done(door)
    answer = await door.get(f"/v1/jobs/{job['id']}")
    assert answer.json() == job
    assert "retry-after" not in answer.headers
    same = await door.get(f"/v1/jobs/{job['id']}", headers={"If-None-Match": answer.headers["etag"]})
    assert same.status_code == 304
    assert same.content == b""
    assert same.headers["etag"] == answer.headers["etag"]


@pytest.mark.parametrize(
    "id",
    [
        "job_0",
        "job_" + "0" * 32,
        "%00",
        "..%2Fx",
        "img_" + "0" * 32,
        "job_" + "0" * 31 + "G",
        "x:cancel",
        "%ff",
    ],
)
async def test_an_unknown_job_is_not_found(door: httpx2.AsyncClient, id: str) -> None:
    for path in ("", "/result", "/results/default", "/results.zip"):
        assert problem(await door.get(f"/v1/jobs/{id}{path}")) == (404, "not-found")
    assert problem(await door.post(f"/v1/jobs/{id}/cancel")) == (404, "not-found")
    assert problem(await door.post(f"/v1/jobs/{id}/retry")) == (404, "not-found")
    assert problem(await door.delete(f"/v1/jobs/{id}")) == (404, "not-found")


async def test_a_removed_job_is_gone_and_stays_gone(door: httpx2.AsyncClient) -> None:
    job = await done(door)
    assert (await door.delete(f"/v1/jobs/{job['id']}")).status_code == 204
    assert (await door.delete(f"/v1/jobs/{job['id']}")).status_code == 204
    assert problem(await door.get(f"/v1/jobs/{job['id']}")) == (410, "result-expired")
    assert problem(await door.get(f"/v1/jobs/{job['id']}/result")) == (410, "result-expired")


async def test_a_paused_queue_keeps_jobs_waiting(door: httpx2.AsyncClient) -> None:
    assert (await door.post("/v1/queue:pause")).json() == {"paused": True}
    jobs = [(await door.post("/v1/jobs", params={"ops": OPS}, content=picture())).json() for _ in range(3)]
    assert [job["queue"]["position"] for job in jobs] == [1, 2, 3]
    assert {job["queue"]["estimated_wait_ms"] for job in jobs} == {None}  # nobody knows how long
    waiting = await door.get(f"/v1/jobs/{jobs[0]['id']}", headers={"Prefer": "wait=0.1"})
    assert waiting.json()["status"] == "queued"
    assert waiting.headers["preference-applied"] == "wait=0.1"
    assert int(waiting.headers["retry-after"]) >= 1
    early = await door.get(f"/v1/jobs/{jobs[0]['id']}/result")
    assert problem(early) == (409, "job-not-finished")
    assert "retry-after" in early.headers
    assert problem(await door.get(f"/v1/jobs/{jobs[0]['id']}/results.zip")) == (409, "job-not-finished")
    assert problem(await door.post(f"/v1/jobs/{jobs[0]['id']}/retry")) == (409, "job-not-finished")
    canceled = await door.post(f"/v1/jobs/{jobs[0]['id']}/cancel")
    assert canceled.json()["status"] == "canceled"
    assert (await door.post(f"/v1/jobs/{jobs[0]['id']}/cancel")).json()["status"] == "canceled"
    assert problem(await door.get(f"/v1/jobs/{jobs[0]['id']}/result")) == (409, "job-canceled")
    refused = await door.post("/v1/jobs:cancel", params={"status": "running"})
    assert problem(refused) == (422, "invalid-parameter")
    assert refused.json()["errors"][0]["allowed"] == ["queued"]
    assert (await door.post("/v1/jobs:cancel", params={"status": "queued"})).json() == {"canceled": 2}
    assert (await door.post("/v1/queue:resume")).json() == {"paused": False}


async def test_an_ended_job_can_be_run_again(door: httpx2.AsyncClient) -> None:
    job = await done(door, reference="r")
    answer = await door.post(f"/v1/jobs/{job['id']}/retry")
    assert answer.status_code == 202
    again = answer.json()
    assert (again["retry_of"], again["reference"]) == (job["id"], "r")
    assert again["id"] != job["id"]
    assert answer.headers["location"] == f"/v1/jobs/{again['id']}"


async def test_jobs_are_listed_newest_first_in_pages(door: httpx2.AsyncClient) -> None:
    made = [(await done(door, reference=f"r{number}"))["id"] for number in range(5)]
    first = await door.get("/v1/jobs", params={"limit": "2"})
    assert [job["id"] for job in first.json()["items"]] == made[:2:-1]
    assert f"cursor={first.json()['next_cursor']}" in first.headers["link"]
    rest = await door.get(first.headers["link"].partition(">")[0].removeprefix("<"))
    assert [job["id"] for job in rest.json()["items"]] == [made[2], made[1]]
    last = await door.get("/v1/jobs", params={"limit": "2", "cursor": rest.json()["next_cursor"]})
    assert [job["id"] for job in last.json()["items"]] == [made[0]]
    assert last.json()["next_cursor"] is None
    assert "link" not in last.headers
    one = await door.get("/v1/jobs", params={"reference": "r3", "status": "succeeded,failed"})
    assert [job["id"] for job in one.json()["items"]] == [made[3]]
    none = await door.get("/v1/jobs", params={"status": "queued"})
    assert none.json() == {"items": [], "next_cursor": None}


@pytest.mark.parametrize(
    ("query", "allowed"),
    [
        ({"limit": "0"}, "1 to 200"),
        ({"limit": "201"}, "1 to 200"),
        ({"limit": "x"}, "1 to 200"),
        ({"status": "pending"}, ["queued", "running", "succeeded", "failed", "canceled"]),
        ({"state": "queued"}, ["status", "batch", "reference", "limit", "cursor"]),
    ],
)
async def test_a_bad_filter_is_refused(
    door: httpx2.AsyncClient, query: dict[str, str], allowed: object
) -> None:
    answer = await door.get("/v1/jobs", params=query)
    assert problem(answer) == (422, "invalid-parameter")
    assert answer.json()["errors"][0]["allowed"] == allowed


async def test_a_cursor_of_somebody_else_is_refused(door: httpx2.AsyncClient) -> None:
    assert problem(await door.get("/v1/jobs", params={"cursor": "nonsense"})) == (422, "invalid-parameter")


@pytest.mark.parametrize("wait", ["x", "-1", "wait"])
async def test_a_bad_wait_is_refused(door: httpx2.AsyncClient, wait: str) -> None:
    headers = {"Prefer": f"wait={wait}"}
    answer = await door.post("/v1/jobs", params={"ops": OPS}, content=picture(), headers=headers)
    assert problem(answer) == (422, "invalid-parameter")
    job = await done(door)
    answer = await door.get(f"/v1/jobs/{job['id']}/result", params={"wait": wait})
    assert problem(answer) == (422, "invalid-parameter")
    assert answer.json()["errors"] == [
        {"detail": answer.json()["detail"], "pointer": "/wait", "allowed": "0 to 30 seconds"}
    ]


@pytest.mark.parametrize(
    ("header", "granted"),
    [
        ("wait=5", "wait=5"),
        ("respond-async, wait=99", "wait=30"),
        ('wait="2"', "wait=2"),
        ("handling=lenient", None),
    ],
)
async def test_preferences_are_granted_as_far_as_they_go(
    door: httpx2.AsyncClient, header: str, granted: str | None
) -> None:
    job = await done(door)
    answer = await door.get(f"/v1/jobs/{job['id']}", headers={"Prefer": header})
    assert answer.headers.get("preference-applied") == granted


async def test_a_result_comes_with_everything_a_browser_needs(door: httpx2.AsyncClient) -> None:
    job = await done(door, retention="1h")
    answer = await door.get(f"/v1/jobs/{job['id']}/result")
    digest = hashlib.sha256(answer.content)
    assert size_of(answer.content) == ("WEBP", (32, 32))
    headers = answer.headers
    assert headers["content-type"] == "image/webp"
    assert int(headers["content-length"]) == len(answer.content)
    assert headers["etag"] == f'"{digest.hexdigest()}"'
    assert headers["repr-digest"] == f"sha-256=:{b64encode(digest.digest()).decode()}:"
    private, age = headers["cache-control"].split(", max-age=")
    assert private == "private"
    assert 3500 < int(age) <= 3600
    assert headers["content-disposition"].startswith('inline; filename="')
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert headers["cross-origin-resource-policy"] == "cross-origin"
    assert headers["accept-ranges"] == "bytes"
    names = [entry.partition(";dur=")[0] for entry in headers["server-timing"].split(", ")]
    assert names[:4] == ["queue", "decode", "resize", "encode"]
    assert len(headers.get_list("x-content-type-options")) == 1


async def test_a_result_can_be_had_in_parts_and_only_once(door: httpx2.AsyncClient) -> None:
    url = f"/v1/jobs/{(await done(door))['id']}/result"
    whole = await door.get(url)
    part = await door.get(url, headers={"Range": "bytes=2-5"})
    assert (part.status_code, part.content) == (206, whole.content[2:6])
    assert part.headers["content-range"] == f"bytes 2-5/{len(whole.content)}"
    assert part.headers["content-length"] == "4"
    outside = await door.get(url, headers={"Range": "bytes=99999-"})
    assert problem(outside) == (416, "range-not-satisfiable")
    assert outside.headers["content-range"] == f"bytes */{len(whole.content)}"
    for nonsense in ("bytes=x", "bytes=9-1", "pages=1-2", "bytes=0-0,2-2"):
        assert (await door.get(url, headers={"Range": nonsense})).content == whole.content
    known = await door.get(url, headers={"If-None-Match": whole.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    assert known.headers["etag"] == whole.headers["etag"]
    stale = await door.get(url, headers={"Range": "bytes=0-0", "If-Range": '"other"'})
    assert (stale.status_code, stale.content) == (200, whole.content)
    head = await door.head(url, headers={"Range": "bytes=0-0"})
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.content))
    saved = await door.get(url, params={"download": "1", "v": "anything"})
    assert saved.headers["content-disposition"].startswith("attachment; ")


async def test_a_failed_jobs_result_is_its_problem(door: httpx2.AsyncClient) -> None:
    broken = picture((400, 300), "PNG")[:-200]
    answer = await door.post("/v1/jobs", params={"ops": OPS}, content=broken, headers={"Prefer": "wait=10"})
    assert answer.status_code == 200, answer.text
    job = answer.json()
    assert (job["status"], job["error"]["code"]) == ("failed", "image-corrupt")
    assert job["error"]["type"] == "/problems/image-corrupt"
    JobShape.model_validate(job)
    result = await door.get(f"/v1/jobs/{job['id']}/result")
    assert problem(result) == (422, "image-corrupt")
    assert result.json()["detail"] == job["error"]["detail"]
