"""Fetching what a job made: headers, ranges, conditions, names and the archive."""

from __future__ import annotations

import base64
import hashlib
import re
import zipfile
from io import BytesIO

import pytest
from PIL import Image

from tests.acceptance.contract.client import NEVER_WAS, Api, Document, document, fresh, problem, sha256


@pytest.fixture(scope="module")
def job(house: Api) -> Document:
    answer = house.form(fresh(200, 150), name="Mein Bild.final.jpg", ops="resize:100x/png")
    return house.ended(document(answer)["id"])


@pytest.fixture(scope="module")
def url(job: Document) -> str:
    found = job["results"][0]["url"]
    assert isinstance(found, str)
    return found


@pytest.fixture(scope="module")
def body(house: Api, url: str) -> bytes:
    return house.get(url).content


@pytest.fixture(scope="module")
def several(house: Api) -> Document:
    return house.outputs(
        fresh(200, 150), {"zwei": "resize:50x/webp", "eins": "thumbnail:20x20", "drei": "flip/png"}
    )


def test_a_result_is_served_with_its_headers(house: Api, url: str, job: Document) -> None:
    answer = house.get(url)
    headers = answer.headers
    assert answer.status_code == 200
    assert Image.open(BytesIO(answer.content)).size == (100, 75)
    assert headers["content-type"] == "image/png"
    assert headers["etag"] == job["results"][0]["etag"]
    assert sha256(answer.content)[:32] in headers["etag"]
    digest = base64.b64encode(hashlib.sha256(answer.content).digest()).decode()
    assert headers["repr-digest"] == f"sha-256=:{digest}:"
    assert headers["accept-ranges"] == "bytes"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert headers["cross-origin-resource-policy"] == "cross-origin"
    assert int(headers["content-length"]) == len(answer.content)
    age = headers["cache-control"].removeprefix("private, max-age=")
    assert 0 < int(age) <= 7 * 86400


def test_a_result_has_a_clean_name_of_its_own_type(house: Api, url: str) -> None:
    inline = house.get(url).headers["content-disposition"]
    assert inline.startswith("inline")
    assert "Mein Bild.final.png" in inline or "Mein%20Bild.final.png" in inline
    saved = house.get(url, params={"download": "1"}).headers["content-disposition"]
    assert saved.startswith("attachment")
    assert house.get(url, params={"download": "0"}).headers["content-disposition"].startswith("inline")


def test_a_result_tells_where_the_time_went(house: Api, url: str) -> None:
    parts = [part.strip() for part in house.get(url).headers["server-timing"].split(",")]
    assert all(
        re.fullmatch(r"[a-z0-9-]+(;desc=\"[^\"]*\")?;dur=\d+(\.\d+)?(;desc=\"[^\"]*\")?", part)
        for part in parts
    )
    names = [part.partition(";")[0] for part in parts]
    wanted = ["queue", "decode", "resize", "encode"]
    assert [name for name in names if name in wanted] == wanted


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("bytes=0-9", 0, 10), ("bytes=10-", 10, None), ("bytes=-5", -5, None), ("bytes=0-99999999", 0, None),
     ("bytes=-99999999", 0, None), ("bytes=0-0", 0, 1)],
)  # fmt: skip
def test_one_range_is_that_part(
    house: Api, url: str, body: bytes, asked: str, first: int, last: int | None
) -> None:
    answer = house.get(url, headers={"Range": asked})
    part = body[first:last]
    assert answer.status_code == 206
    assert answer.content == part
    at = body.index(part) if len(part) > 4 else first
    assert answer.headers["content-range"] == f"bytes {at}-{at + len(part) - 1}/{len(body)}"
    assert int(answer.headers["content-length"]) == len(part)
    assert answer.headers["etag"]


@pytest.mark.parametrize("asked", ["bytes={n}-", "bytes=99999999-", "bytes=-0"])
def test_a_range_behind_the_end_cannot_be_satisfied(house: Api, url: str, body: bytes, asked: str) -> None:
    answer = house.get(url, headers={"Range": asked.format(n=len(body))})
    problem(answer, 416, "range-not-satisfiable")
    assert answer.headers["content-range"] == f"bytes */{len(body)}"


@pytest.mark.parametrize(
    "asked",
    [
        *("", "=", "bytes", "bytes=", "bytes=abc", "bytes=5-2", "bytes=1-2-3", "bytes=--1", "bytes=0x1-5"),
        *("lines=1-2", "bytes=\u0663-\u0664", "bytes=" + "9" * 5000 + "-"),
        "bytes=" + ",".join(f"{n}-{n}" for n in range(1500)),
    ],
)
def test_a_range_that_is_nonsense_is_ignored(house: Api, url: str, body: bytes, asked: str) -> None:
    answer = house.get(url, headers={b"Range": asked.encode()})
    if answer.status_code in {416, 431}:
        problem(answer, answer.status_code, "range-not-satisfiable", "headers-too-large")
    else:
        assert answer.status_code == 200
        assert answer.content == body


def test_several_ranges_are_parts_or_the_whole(house: Api, url: str, body: bytes) -> None:
    answer = house.get(url, headers={"Range": "bytes=0-4,10-14"})
    assert answer.status_code in {200, 206}
    if answer.status_code == 200:
        assert answer.content == body
    else:
        assert answer.headers["content-type"].startswith("multipart/byteranges")
        assert body[0:5] in answer.content
        assert body[10:15] in answer.content


def test_a_known_etag_needs_no_second_download(house: Api, url: str) -> None:
    etag = house.get(url).headers["etag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = house.get(url, headers={"If-None-Match": known})
        assert answer.status_code == 304, known
        assert answer.content == b""
        assert answer.headers["etag"] == etag
        assert "cache-control" in answer.headers
    for unknown in ('"other"', etag.strip('"'), "", "W/", '"', etag[:-2] + '"'):
        assert house.get(url, headers={"If-None-Match": unknown}).status_code == 200, unknown
    assert house.get(url, headers={"If-None-Match": etag, "Range": "bytes=0-1"}).status_code == 304
    assert house.head(url, headers={"If-None-Match": etag}).status_code == 304


def test_a_range_of_another_version_is_the_whole(house: Api, url: str, body: bytes) -> None:
    etag = house.get(url).headers["etag"]
    assert house.get(url, headers={"Range": "bytes=0-1", "If-Range": etag}).status_code == 206
    answer = house.get(url, headers={"Range": "bytes=0-1", "If-Range": '"other"'})
    assert (answer.status_code, answer.content) == (200, body)
    assert house.get(url, headers={"Range": "bytes=0-1", "If-Range": f"W/{etag}"}).status_code == 200


def test_head_says_the_same_without_the_bytes(house: Api, url: str, body: bytes) -> None:
    answer = house.head(url)
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) == len(body)
    same = {"etag", "content-type", "content-disposition", "repr-digest", "accept-ranges"}
    whole = house.get(url).headers
    assert {name: answer.headers[name] for name in same} == {name: whole[name] for name in same}


def test_one_output_also_answers_to_its_name(house: Api, job: Document, body: bytes) -> None:
    assert house.get(f"/v1/jobs/{job['id']}/results/default").content == body
    problem(house.get(f"/v1/jobs/{job['id']}/results/other"), 404, "not-found")


def test_several_outputs_have_no_single_result(house: Api, several: Document) -> None:
    answer = house.get(f"/v1/jobs/{several['id']}/result")
    assert answer.status_code in {404, 409}
    problem(answer, answer.status_code, "not-found")
    assert "eins" in answer.json()["detail"] or "results" in answer.json()["detail"]


def test_an_unknown_job_has_no_results(house: Api) -> None:
    for tail in ("", "/result", "/results/default", "/results.zip", "/nonsense"):
        problem(house.get(f"/v1/jobs/{NEVER_WAS}{tail}"), 404, "not-found")


def test_the_archive_holds_every_result_as_it_is(house: Api, several: Document) -> None:
    answer = house.get(f"/v1/jobs/{several['id']}/results.zip")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"].startswith("attachment")
    with zipfile.ZipFile(BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        entries = archive.infolist()
        assert all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
        assert [entry.filename.rpartition(".")[2] for entry in entries] == ["webp", "jpg", "png"]
        for name, entry in zip(["zwei", "eins", "drei"], entries, strict=True):
            assert name in entry.filename
        for entry, result in zip(entries, several["results"], strict=True):
            assert archive.read(entry) == house.get(result["url"]).content
    head = house.head(f"/v1/jobs/{several['id']}/results.zip")
    assert (head.status_code, head.headers["content-type"]) == (200, "application/zip")


def test_what_is_lost_is_gone_and_not_cut_short(house: Api) -> None:
    job = house.outputs(fresh(), {"a": "flip", "b": "png"})
    for path in (house.server.data / "results").rglob(f"{job['id']}*"):
        path.unlink()
    for tail in ("/results/a", "/results.zip"):
        problem(house.get(f"/v1/jobs/{job['id']}{tail}"), 410, "result-expired")


def test_a_download_outlives_a_deletion(house: Api) -> None:
    job = house.outputs(fresh(1500, 1000), {"a": "png:0", "b": "flip/png:0"})
    for tail in ("/results/a", "/results.zip"):
        with house.http.stream("GET", f"/v1/jobs/{job['id']}{tail}") as answer:
            pieces = answer.iter_bytes(65536)
            received = len(next(pieces))
            if tail.endswith("zip"):
                assert house.delete(f"/v1/jobs/{job['id']}").status_code == 204
            assert received + sum(map(len, pieces)) == int(answer.headers["content-length"])


def test_an_archive_of_one_is_an_archive_too(house: Api, job: Document, body: bytes) -> None:
    answer = house.get(f"/v1/jobs/{job['id']}/results.zip")
    with zipfile.ZipFile(BytesIO(answer.content)) as archive:
        (entry,) = archive.infolist()
        assert archive.read(entry) == body


def test_what_is_not_ready_is_a_conflict(house: Api) -> None:
    posted = house.submit(fresh(), "test-sleep:1.0/png")
    base = f"/v1/jobs/{posted['id']}"
    for tail in ("/result", "/results/default", "/results.zip"):
        problem(house.get(base + tail), 409, "job-not-finished")
        assert house.head(base + tail).status_code == 409
    problem(house.get(base + "/results/other"), 404, "not-found")
    problem(house.get(base + "/result", params={"wait": "0"}), 409, "job-not-finished")
    waited = house.get(base + "/result", params={"wait": "10"})
    assert (waited.status_code, waited.headers["content-type"]) == (200, "image/png")


@pytest.mark.parametrize("wait", ["soon", "-1", "31", "nan", "1e9"])
def test_a_bad_wait_is_refused_with_what_is_allowed(house: Api, job: Document, wait: str) -> None:
    found = problem(
        house.get(f"/v1/jobs/{job['id']}/result", params={"wait": wait}), 422, "invalid-parameter"
    )
    assert found["errors"][0]["allowed"]


def test_a_failed_job_answers_with_its_problem(house: Api) -> None:
    truncated = fresh(400, 300)
    truncated = truncated[: len(truncated) // 2]
    job = house.run(truncated, "thumbnail:20x20")
    assert job["status"] == "failed"
    assert job["error"]["code"] == "image-corrupt"
    assert job["results"] == []
    for tail in ("/result", "/results/default", "/results.zip"):
        found = problem(house.get(f"/v1/jobs/{job['id']}{tail}"), 422, "image-corrupt")
        assert found["detail"] == job["error"]["detail"]
