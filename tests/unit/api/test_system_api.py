from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from imgsvc.api import ApiOptions
from imgsvc.api.schemas import (
    ExplainedShape,
    LiveShape,
    OperationsShape,
    ReadyShape,
    StatsShape,
    VersionShape,
    WorkersShape,
)
from imgsvc.errors import ERRORS
from tests.unit.api.served import api, picture, problem, running

pytestmark = pytest.mark.anyio

WAIT = {"Prefer": "wait=9"}


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with running(api(tmp_path)) as client:
        yield client


async def test_it_lives_and_is_ready(door: httpx2.AsyncClient) -> None:
    LiveShape.model_validate((await door.get("/livez")).json())
    ready = (await door.get("/readyz")).json()
    ReadyShape.model_validate(ready)
    assert ready == {"status": "ready", "reasons": [], "degraded": []}


async def test_before_it_has_started_it_lives_but_is_not_ready(tmp_path: Path) -> None:
    transport = httpx2.ASGITransport(api(tmp_path))
    async with httpx2.AsyncClient(transport=transport, base_url="http://door") as client:
        assert (await client.get("/livez")).status_code == 200
        assert problem(await client.get("/readyz")) == (503, "storage-unavailable")
        assert problem(await client.post("/v1/jobs?ops=png", content=b"x")) == (503, "storage-unavailable")


async def test_while_it_drains_new_work_is_refused_and_the_rest_works(tmp_path: Path) -> None:
    app = api(tmp_path)
    async with running(app) as client:
        serving = app.fastapi.state.door.service
        job = (await client.post("/v1/jobs?ops=png", content=picture(), headers={"Prefer": "wait=9"})).json()
        serving.drain()
        unready = await client.get("/readyz")
        assert problem(unready) == (503, "draining")
        assert unready.json()["reasons"] == ["draining"]
        assert unready.json()["degraded"] == []
        for path in ("/v1/jobs?ops=png", "/v1/process", "/v1/images", f"/v1/jobs/{job['id']}/retry"):
            refused = await client.post(path, content=picture())
            assert problem(refused) == (503, "draining"), path
            assert int(refused.headers["retry-after"]) >= 1
        assert (await client.get(f"/v1/jobs/{job['id']}/result")).status_code == 200
        assert (await client.get("/livez")).status_code == 200


async def test_every_problem_that_is_answered_is_counted(door: httpx2.AsyncClient) -> None:
    async def asked(code: str) -> int:
        return int((await door.get("/v1/stats")).json()["totals"]["problems"].get(code, 0))

    for send, code in (
        (door.get("/nowhere"), "not-found"),
        (door.delete("/v1/jobs"), "method-not-allowed"),
        (door.post("/v1/jobs"), "malformed-request"),
        (door.post("/v1/process", headers={"Idempotency-Key": " "}), "malformed-request"),
        (door.post("/v1/process?ops=resiz:1x", content=picture()), "invalid-operation"),
        (door.post("/v1/process?ops=png", content=b"GIF89a?"), "image-corrupt"),
    ):
        before = await asked(code)
        assert problem(await send)[1] == code
        assert await asked(code) == before + 1, code


@pytest.mark.parametrize(("chosen", "told"), [("none", None), ("0", None), ("2MiB", 2**21)])
async def test_the_cap_on_results_is_told_and_there_may_be_none(
    tmp_path: Path, chosen: str, told: int | None
) -> None:
    async with running(api(tmp_path, result_bytes=chosen)) as client:
        stats = (await client.get("/v1/stats")).json()
        StatsShape.model_validate(stats)
        assert stats["storage"]["result_limit_bytes"] == told


async def test_a_job_that_made_room_is_gone_and_not_listed(tmp_path: Path) -> None:
    async with running(api(tmp_path, result_bytes=1)) as client:
        made = [
            (await client.post("/v1/jobs?ops=png", content=picture(colour=colour), headers=WAIT)).json()
            for colour in ("teal", "red")
        ]
        async with asyncio.timeout(10):
            while (await client.get("/v1/stats")).json()["jobs"]["succeeded"] > 1:
                continue
        (left,) = (await client.get("/v1/jobs")).json()["items"]
        assert left["id"] == made[1]["id"]
        assert problem(await client.get(made[0]["links"]["result"])) == (410, "result-expired")


async def test_a_pause_degrades_and_is_told(door: httpx2.AsyncClient) -> None:
    await door.post("/v1/queue:pause")
    assert "paused" in str((await door.get("/readyz")).json()["degraded"])
    assert (await door.get("/v1/stats")).json()["queue"]["paused"] is True


async def test_the_numbers_add_up(door: httpx2.AsyncClient) -> None:
    made = await door.post("/v1/jobs?ops=grayscale/png", content=picture(), headers={"Prefer": "wait=9"})
    await door.post("/v1/process?ops=grayscale/png", content=picture())
    stats = (await door.get("/v1/stats")).json()
    StatsShape.model_validate(stats)
    assert stats["jobs"]["succeeded"] == 1
    assert stats["operations"]["grayscale"]["count"] == 2
    assert stats["queue"]["depth"] == 0
    assert stats["storage"]["result_bytes"] == made.json()["results"][0]["bytes"]
    assert stats["storage"]["image_bytes"] == len(picture())
    assert stats["storage"]["result_limit_bytes"] == 20 * 2**30
    workers = (await door.get("/v1/workers")).json()
    WorkersShape.model_validate(workers)
    assert [lane["lane"] for lane in workers["lanes"]] == [1]


async def test_the_versions_are_told(door: httpx2.AsyncClient) -> None:
    VersionShape.model_validate((await door.get("/version")).json())


async def test_every_operation_is_listed(door: httpx2.AsyncClient) -> None:
    answer = await door.get("/v1/operations")
    OperationsShape.model_validate(answer.json())
    names = [word["name"] for word in answer.json()["operations"]]
    assert {"resize", "thumbnail", "grayscale"} <= set(names)
    assert not [name for name in names if name.startswith("test-")]
    assert (
        await door.get("/v1/operations", headers={"If-None-Match": answer.headers["etag"]})
    ).status_code == 304


async def test_a_pipeline_is_explained(door: httpx2.AsyncClient) -> None:
    answer = await door.get(
        "/v1/operations:explain",
        params={"ops": "resize:w=300,h=200,fit=cover/grayscale/webp:q=80", "size": "4032x3024"},
    )
    explained = answer.json()
    ExplainedShape.model_validate(explained)
    assert explained == {
        "spec": "resize:300x200,fit=cover/grayscale/webp",
        "operations": [
            {"op": "resize", "size": "300x200", "fit": "cover"},
            {"op": "grayscale"},
            {"op": "webp"},
        ],
        "steps": [
            {"op": "resize", "in": [4032, 3024], "out": [300, 200]},
            {"op": "grayscale", "in": [300, 200], "out": [300, 200]},
            {"op": "webp", "in": [300, 200], "out": [300, 200]},
        ],
    }
    without = (await door.get("/v1/operations:explain?ops=resize:300x")).json()
    assert without["steps"] == [{"op": "resize", "in": None, "out": None}]
    # Browsers may write the colon differently.
    assert (await door.get("/v1/operations%3Aexplain?ops=png")).status_code == 200


@pytest.mark.parametrize(
    ("query", "refusal"),
    [
        ("", (400, "malformed-request")),
        ("?ops=resize:0x0", (422, "invalid-operation")),
        ("?ops=", (422, "invalid-operation")),
        ("?ops=png&size=", (422, "invalid-parameter")),
        ("?ops=png&size=0x5", (422, "invalid-parameter")),
        ("?ops=png&size=big", (422, "invalid-parameter")),
        ("?ops=png&sice=1x1", (422, "invalid-parameter")),
    ],
)
async def test_a_bad_question_is_refused(
    door: httpx2.AsyncClient, query: str, refusal: tuple[int, str]
) -> None:
    assert problem(await door.get(f"/v1/operations:explain{query}")) == refusal


@pytest.mark.parametrize("code", sorted(ERRORS))
async def test_the_address_of_every_problem_leads_to_a_page(door: httpx2.AsyncClient, code: str) -> None:
    page = await door.get(f"/problems/{code}", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert f"<code>{code}</code>" in page.text
    meaning = (await door.get(f"/problems/{code}", headers={"Accept": "application/json"})).json()
    assert meaning["code"] == code
    assert code in (await door.get("/problems")).text


async def test_an_unknown_problem_has_no_page(door: httpx2.AsyncClient) -> None:
    assert problem(await door.get("/problems/none")) == (404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "refusal", "allow"),
    [
        ("GET", "/", None, None),
        ("GET", "/nope", (404, "not-found"), None),
        ("GET", "/v1/jobs/", (404, "not-found"), None),
        ("GET", "/docs/../pyproject.toml", (404, "not-found"), None),
        ("GET", "/docs/%2e%2e%2fpyproject.toml", (404, "not-found"), None),
        ("DELETE", "/v1/jobs", (405, "method-not-allowed"), "GET, HEAD, POST"),
        ("PUT", "/v1/process", (405, "method-not-allowed"), "POST"),
        ("HEAD", "/v1/process", (405, "method-not-allowed"), "POST"),
        ("OPTIONS", "/v1/jobs", (405, "method-not-allowed"), "GET, HEAD, POST"),
    ],
)
async def test_the_frameworks_refusals_are_problems_too(
    door: httpx2.AsyncClient, method: str, path: str, refusal: tuple[int, str] | None, allow: str | None
) -> None:
    answer = await door.request(method, path)
    if refusal is None:
        assert (answer.status_code, answer.headers["location"]) == (307, "docs")
    elif method == "HEAD":
        assert (answer.status_code, answer.content) == (refusal[0], b"")
    else:
        assert problem(answer) == refusal
    assert answer.headers.get("allow") == allow


@pytest.mark.parametrize(
    "path",
    [
        "/livez",
        "/readyz",
        "/version",
        "/v1/jobs",
        "/v1/images",
        "/v1/operations",
        "/v1/stats",
        "/v1/workers",
        "/openapi.json",
        "/docs",
        "/docs/swagger-ui.css",
        "/problems",
        "/problems/not-found",
        "/favicon.ico",
        "/v1/operations:explain?ops=png",
    ],
)
async def test_head_is_get_without_the_body(door: httpx2.AsyncClient, path: str) -> None:
    head, get = await door.head(path), await door.get(path)
    assert (head.status_code, get.status_code) == (200, 200)
    assert head.content == b""
    # Numbers change from one look to the next.
    if path not in {"/v1/stats", "/v1/workers"}:
        assert head.headers["content-length"] == str(len(get.content))
    assert head.headers["content-type"] == get.headers["content-type"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("abc-DEF_123", True),
        ("x" * 64, True),
        ("x" * 65, False),
        ("", False),
        ("a b", False),
        ("a\tb", False),
        ("é", False),
    ],
)
async def test_a_sane_request_id_is_kept(door: httpx2.AsyncClient, given: str, kept: bool) -> None:
    for path in ("/livez", "/nope"):
        answer = await door.get(path, headers={b"X-Request-ID": given.encode()})
        shown = answer.headers["x-request-id"]
        assert (shown == given) is kept
        assert 0 < len(shown) <= 64


@pytest.mark.parametrize(
    "key", ["", " ", '""', '" "', "x" * 256, '"' + "x" * 256 + '"', '"open', 'a"b', "é", "a\x01"]
)
async def test_a_bad_idempotency_key_is_malformed(door: httpx2.AsyncClient, key: str) -> None:
    headers = {b"Idempotency-Key": key.encode()}
    for path in ("/v1/jobs?ops=png", "/v1/images", "/v1/process"):
        assert problem(await door.post(path, content=picture(), headers=headers)) == (
            400,
            "malformed-request",
        )


@pytest.mark.parametrize(
    "key", ["k", "x" * 255, '"8e03978e-40d5-43dd-bc93-6894a57f9324"', '"' + "x" * 255 + '"']
)
async def test_a_good_idempotency_key_is_taken(door: httpx2.AsyncClient, key: str) -> None:
    answer = await door.post("/v1/process", content=picture(), headers={"Idempotency-Key": key})
    assert answer.status_code == 200


async def test_a_bug_is_logged_once_and_tells_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = api(tmp_path)

    async def broken() -> None:
        raise RuntimeError("/secret/path")

    app.fastapi.add_api_route("/broken", broken)
    async with running(app) as client:
        answer = await client.get("/broken", headers={"X-Request-ID": "mine"})
    assert problem(answer) == (500, "internal-error")
    assert "secret" not in answer.text
    assert answer.json()["request_id"] == "mine"
    assert [record.getMessage() for record in caplog.records if record.exc_info] == ["unhandled error"]


async def test_other_origins_are_let_in_by_setting_only(tmp_path: Path) -> None:
    origin = {"Origin": "https://a.example"}
    ask = origin | {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "Prefer"}
    async with running(api(tmp_path)) as client:
        answer = await client.get("/livez", headers=origin)
        assert not [name for name in answer.headers if name.startswith("access-control") or name == "vary"]
        assert problem(await client.options("/v1/jobs", headers=ask)) == (405, "method-not-allowed")
    async with running(api(tmp_path, ApiOptions(cors_origins=("https://a.example",)))) as client:
        for path in ("/livez", "/nope"):
            answer = await client.get(path, headers=origin)
            assert answer.headers["access-control-allow-origin"] == "https://a.example"
            assert answer.headers["timing-allow-origin"] == "https://a.example"
            assert "Server-Timing" in answer.headers["access-control-expose-headers"]
            assert answer.headers["vary"] == "Origin"
            assert "access-control-allow-credentials" not in answer.headers
        preflight = await client.options("/v1/jobs", headers=ask)
        assert preflight.status_code == 204
        assert "POST" in preflight.headers["access-control-allow-methods"]
        assert preflight.headers["access-control-allow-headers"] == "Prefer"
        other = await client.get("/livez", headers={"Origin": "https://b.example"})
        assert "access-control-allow-origin" not in other.headers
        refused = await client.options("/v1/jobs", headers=ask | {"Origin": "https://b.example"})
        assert problem(refused) == (405, "method-not-allowed")
    async with running(api(tmp_path, ApiOptions(cors_origins=("*",)))) as client:
        answer = await client.get("/livez", headers=origin)
        assert answer.headers["access-control-allow-origin"] == "*"


async def test_a_body_over_the_limit_is_refused(tmp_path: Path) -> None:
    size = len(picture())
    async with running(api(tmp_path, ApiOptions(max_body=size), max_body=size)) as client:
        assert (await client.post("/v1/process", content=picture())).status_code == 200
        form = await client.post("/v1/process", files={"file": ("a.jpg", picture())})
        assert form.status_code == 200, "the limit is the image's, not the form's"

        async def chunks() -> AsyncIterator[bytes]:
            yield picture()
            yield b"x"

        for kind in (
            {"content": picture() + b"x"},
            {"content": chunks()},
            {"files": {"file": ("a.jpg", picture() + b"x")}},
            {"files": {"file": ("a.jpg", bytes(5_000_000))}},
        ):
            answer = await client.post("/v1/process", **kind)
            assert problem(answer) == (413, "body-too-large")
            assert answer.json()["limit"] == size
            assert answer.headers["connection"] == "close"
        assert (await client.post("/v1/process", content=picture())).status_code == 200


async def test_a_huge_json_body_is_refused(door: httpx2.AsyncClient) -> None:
    answer = await door.post("/v1/jobs", json={"source": {"image": "x" * 2_000_000}})
    assert problem(answer) == (413, "body-too-large")


async def test_the_line_of_a_job_has_no_traceback_when_the_client_leaves(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A client that goes away in mid-upload, played on bare ASGI."""
    app = api(tmp_path)
    messages = [
        {"type": "http.request", "body": picture()[:100], "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[dict[str, object]] = []

    async def receive() -> Any:  # noqa: ANN401  # ASGI's own type is looser
        return messages.pop(0)

    async def send(message: Any) -> None:  # noqa: ANN401  # as above
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/jobs",
        "raw_path": b"/v1/jobs",
        "query_string": b"ops=png",
        "headers": [(b"content-length", b"1000")],
        "root_path": "",
        "http_version": "1.1",
        "scheme": "http",
        "asgi": {"version": "3.0"},
        "client": None,
        "server": None,
    }
    async with running(app) as client:
        await app(scope, receive, send)
        assert (await client.get("/v1/jobs")).json()["items"] == []
    assert [record for record in caplog.records if record.exc_info] == []
    assert [path for path in (tmp_path / "staging").rglob("*") if path.is_file()] == []
    assert sent[0]["status"] == 499
