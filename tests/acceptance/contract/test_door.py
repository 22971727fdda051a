"""Every path: HEAD, methods, problems, ids of requests, headers that protect, and other origins."""

from __future__ import annotations

import json
import re

import pytest

from tests.acceptance.contract.client import (
    NEVER_WAS,
    Api,
    Document,
    check_problem,
    document,
    fresh,
    problem,
    split,
)

#: Every code that this part of the contract can answer with.
CODES = (
    *("empty-file", "malformed-multipart", "malformed-request", "not-found", "method-not-allowed"),
    *(
        "job-not-finished",
        "job-canceled",
        "image-in-use",
        "result-expired",
        "request-timeout",
        "body-too-large",
    ),
    *(
        "unsupported-media-type",
        "range-not-satisfiable",
        "headers-too-large",
        "missing-file",
        "too-many-files",
    ),
    *("invalid-operation", "invalid-parameter", "image-corrupt", "image-too-many-pixels"),
    *(
        "image-dimension-too-large",
        "image-too-many-frames",
        "image-too-complex",
        "image-too-large-for-memory",
    ),
    *("output-too-large", "processing-timeout", "worker-crashed", "internal-error", "queue-full"),
    *("idempotency-key-in-use", "idempotency-key-reused"),
    *("queue-timeout", "draining", "storage-busy", "storage-unavailable", "insufficient-storage"),
)


@pytest.fixture(scope="module")
def paths(house: Api) -> dict[str, str]:
    """One of every resource that can be read."""
    job = house.run(fresh(), "flip")
    found = ["/livez", "/readyz", "/version", "/openapi.json", "/docs", "/problems/not-found"]
    found += [
        "/v1/jobs",
        "/v1/images",
        "/v1/operations",
        "/v1/operations:explain?ops=flip",
        "/v1/stats",
        "/v1/workers",
    ]
    found += [f"/v1/jobs/{job['id']}{tail}" for tail in ("", "/result", "/results/default", "/results.zip")]
    found += [job["links"]["image"], job["links"]["image"] + "/content"]
    return {path: path for path in found}


def test_head_works_wherever_get_does(house: Api, paths: dict[str, str]) -> None:
    for path in paths:
        whole, head = house.get(path), house.head(path)
        assert (whole.status_code, head.status_code) == (200, 200), path
        assert head.content == b""
        assert head.headers["content-type"] == whole.headers["content-type"], path
    for path in (
        f"/v1/jobs/{NEVER_WAS}",
        "/nonsense",
        "/v1/operations:explain?ops=nonsense",
        "/problems/nonsense",
    ):
        whole, head = house.get(path), house.head(path)
        assert whole.status_code == head.status_code >= 400
        assert head.content == b""
        assert head.headers["content-type"] == "application/problem+json"


def test_every_answer_protects_itself(house: Api, paths: dict[str, str]) -> None:
    for path in (*paths, "/nonsense"):
        headers = house.get(path).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["x-request-id"], path
        assert "server" not in headers or not re.search(r"\d", headers["server"]), path


def test_other_methods_are_not_allowed_and_the_right_ones_are_named(
    house: Api, paths: dict[str, str]
) -> None:
    for path in paths:
        for method in ("PUT", "PATCH", "TRACE", "PROPFIND"):
            answer = house.http.request(method, path)
            problem(answer, 405, "method-not-allowed")
            allowed = {name.strip() for name in answer.headers["allow"].split(",")}
            assert {"GET", "HEAD"} <= allowed, path
            assert method not in allowed
    for path in ("/v1/process", f"/v1/jobs/{NEVER_WAS}/cancel", "/v1/queue:pause", "/v1/jobs:cancel"):
        answer = house.get(path)
        problem(answer, 405, "method-not-allowed")
        assert "POST" in answer.headers["allow"]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nonsense",
        "/v1",
        "/v1/",
        "/v2/jobs",
        "/v1/jobs/a/b/c",
        "/%2e%2e/etc/passwd",
        "/v1/jobsx",
        "/%00",
        "/♥",
        "//v1/jobs",
    ],
)
def test_unknown_paths_are_not_found(house: Api, path: str) -> None:
    answer = house.get(path)
    if path == "/" and answer.status_code < 400:
        return  # a page may live there
    problem(answer, 404, "not-found")


def test_a_slash_too_many_is_no_redirect_to_elsewhere(house: Api) -> None:
    answer = house.get("/v1/jobs/")
    assert answer.status_code in {200, 307, 308, 404}
    if answer.status_code in {307, 308}:
        assert answer.headers["location"].endswith("/v1/jobs")


@pytest.mark.parametrize("code", CODES)
def test_every_problem_has_a_page(house: Api, code: str) -> None:
    answer = house.get(f"/problems/{code}")
    assert answer.status_code == 200
    assert code in answer.text
    problem(house.get(f"/problems/{code}x"), 404, "not-found")


@pytest.mark.parametrize("given", ["abc", "A-b_9", "x" * 64])
def test_a_sane_request_id_is_kept(house: Api, given: str) -> None:
    for path in ("/livez", "/nonsense", "/v1/jobs"):
        answer = house.get(path, headers={"X-Request-ID": given})
        assert answer.headers["x-request-id"] == given
    assert house.get("/nonsense", headers={"X-Request-ID": given}).json()["request_id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a;b", "../x", "<script>", "ä", "a\tb", '"quoted"'])
def test_any_other_request_id_is_replaced(house: Api, given: str) -> None:
    answer = house.get("/nonsense", headers={b"X-Request-ID": given.encode()})
    made = answer.headers["x-request-id"]
    assert made != given
    assert re.fullmatch(r"[A-Za-z0-9_-]{8,64}", made)
    assert answer.json()["request_id"] == made
    assert house.get("/livez").headers["x-request-id"] != made


def test_other_origins_are_strangers_unless_invited(house: Api, hasty: Api) -> None:
    origin = {"Origin": "https://app.example"}
    asked = {**origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "prefer"}
    assert not [
        name for name in house.get("/v1/jobs", headers=origin).headers if name.startswith("access-control")
    ]
    stranger = house.http.request("OPTIONS", "/v1/jobs", headers=asked)
    assert "access-control-allow-origin" not in stranger.headers
    answer = hasty.get("/v1/jobs", headers=origin)
    assert answer.headers["access-control-allow-origin"] in {"https://app.example", "*"}
    assert answer.headers.get("access-control-allow-credentials") != "true"
    exposed = answer.headers["access-control-expose-headers"].lower()
    for name in ("location", "etag", "retry-after", "x-request-id"):
        assert name in exposed
    invited = hasty.http.request("OPTIONS", "/v1/jobs", headers=asked)
    assert invited.status_code in {200, 204}
    assert "POST" in invited.headers["access-control-allow-methods"]
    assert invited.headers["access-control-allow-origin"] in {"https://app.example", "*"}
    refused = hasty.get("/nonsense", headers=origin)
    assert refused.headers["access-control-allow-origin"] in {"https://app.example", "*"}
    evil = hasty.get("/v1/jobs", headers={"Origin": "https://evil.example"})
    assert evil.headers.get("access-control-allow-origin") not in {"https://evil.example", "*"}
    assert "origin" in answer.headers.get("vary", "").lower()


def test_the_framework_and_the_server_answer_with_problems_too(house: Api) -> None:
    for sent, statuses in (
        (b"GARBAGE\r\n\r\n", {400}),
        (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", {400, 404, 505}),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 200_000 + b"\r\n\r\n", {431}),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 5000 + b"\r\n", {431}),
        (b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", {414, 431, 404}),
        (b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", {400}),
        (b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", {400}),
        (
            b"POST /v1/jobs HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            {400},
        ),
        (b"POST /v1/jobs?ops=flip HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", {400}),
    ):
        status, headers, body = split(house.wire(sent, close=True))
        assert status in statuses, (sent[:60], status, body)
        assert headers["content-type"] == "application/problem+json", (sent[:60], body)
        found: Document = json.loads(body)
        check_problem(found, status, found["code"])
        assert found["request_id"] == headers["x-request-id"]
    house.is_fine()


def test_health_is_told(house: Api) -> None:
    live, ready = house.get("/livez"), house.get("/readyz")
    assert (live.status_code, ready.status_code) == (200, 200)
    assert "test" in json.dumps(document(ready)["degraded"])
    version = document(house.get("/version"))
    assert re.match(r"\d+\.\d+", version["version"])


def test_a_readiness_without_fault_has_none(narrow: Api) -> None:
    assert document(narrow.get("/readyz"))["degraded"] in ([], {})


def test_workers_are_shown(house: Api) -> None:
    found = house.workers()
    assert [lane["lane"] for lane in found["lanes"]] == [1, 2]
    for lane in found["lanes"]:
        keys = {"lane", "pid", "state", "job", "step", "rss_bytes", "tasks", "restarts", "last_restart"}
        assert set(lane) >= keys
        assert lane["rss_bytes"] > 10 * 2**20
    assert found["desk"]["pid"] not in {lane["pid"] for lane in found["lanes"]}
    posted = house.submit(fresh(), "test-sleep:1/flip")
    house.until_running(posted["id"], "test-sleep")
    lane = house.lane_of(posted["id"])
    assert (lane["state"], lane["step"]) == ("busy", "test-sleep")
    house.ended(posted["id"])


def test_statistics_count(house: Api) -> None:
    before = document(house.get("/v1/stats"))
    house.run(fresh(), "sepia/png")
    house.run(fresh(400, 300)[:6000], "sepia/png")
    after = document(house.get("/v1/stats"))
    assert {"depth", "bytes", "paused"} <= set(after["queue"])
    assert after["jobs"]["succeeded"] >= before["jobs"]["succeeded"] + 1
    assert after["jobs"]["failed"] >= before["jobs"]["failed"] + 1
    assert after["uptime_s"] > 0
    assert after["storage"]
    sepia = after["operations"]["sepia"]
    assert sepia["count"] >= before["operations"].get("sepia", {"count": 0})["count"] + 1
    for clock in ("wall_ms", "cpu_ms"):
        assert set(sepia[clock]) >= {"mean", "p50", "p95", "p99"}
        assert sepia[clock]["p50"] <= sepia[clock]["p95"] <= sepia[clock]["p99"]
    assert sepia["errors"] >= 0
    assert "decode" in after["operations"]
