"""Image in, image out."""

from __future__ import annotations

import base64
import hashlib
from io import BytesIO

import pytest
from PIL import Image

from tests.acceptance.contract import hostile
from tests.acceptance.contract.client import Api, fresh, problem, sha256
from tests.photos import photo


def opened(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data))


def test_the_curl_line_of_the_contract(house: Api) -> None:
    answer = house.post(
        "/v1/process?ops=resize:300x200/webp",
        content=photo(800, 600),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/webp"
    made = opened(answer.content)
    assert (made.format, made.size) == ("WEBP", (267, 200))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "AVIF"])
def test_without_operations_it_encodes_anew_in_the_same_format(house: Api, format: str) -> None:
    answer = house.process(fresh(60, 40, format=format))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == f"image/{format.lower()}"
    made = opened(answer.content)
    assert (made.format, made.size) == (format, (60, 40))


@pytest.mark.parametrize("source", ["JPEG", "PNG", "WEBP", "GIF", "AVIF"])
@pytest.mark.parametrize("target", ["jpeg", "png", "webp", "gif", "avif"])
def test_every_format_becomes_every_other(house: Api, source: str, target: str) -> None:
    answer = house.process(fresh(60, 40, format=source), f"resize:30x/{target}")
    assert answer.headers["content-type"] == f"image/{target}"
    made = opened(answer.content)
    made.load()
    assert (made.format, made.size) == (target.upper(), (30, 20))


def test_a_form_does_the_same(house: Api) -> None:
    picture = fresh()
    raw = house.process(picture, "flip/png")
    form = house.form(picture, path="/v1/process", ops="flip/png")
    assert form.status_code == 200
    assert form.content == raw.content
    assert "cat.png" in form.headers["content-disposition"]


def test_the_answer_has_the_headers_of_a_result(house: Api) -> None:
    answer = house.process(fresh(), "resize:20x/grayscale/png")
    headers = answer.headers
    assert sha256(answer.content)[:32] in headers["etag"]
    digest = base64.b64encode(hashlib.sha256(answer.content).digest()).decode()
    assert headers["repr-digest"] == f"sha-256=:{digest}:"
    assert headers["content-disposition"].startswith("inline")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    names = [part.strip().partition(";")[0] for part in headers["server-timing"].split(",")]
    wanted = ["queue", "decode", "resize", "grayscale", "encode"]
    assert [name for name in names if name in wanted] == wanted
    assert int(headers["content-length"]) == len(answer.content)


def test_nothing_of_a_call_stays(house: Api) -> None:
    house.is_fine()
    before = house.files()
    for _ in range(3):
        house.process(fresh(), "flip")
    house.process(hostile.SVG)
    house.process(fresh(400, 300)[:6000], "flip")
    house.until_files(before)


@pytest.mark.parametrize(
    ("picture", "ops", "status", "code"),
    [
        (b"", "flip", 400, "empty-file"),
        (hostile.SVG, "flip", 415, "unsupported-media-type"),
        (photo(400, 300)[:6000], "flip", 422, "image-corrupt"),
        (photo(), "flipp", 422, "invalid-operation"),
        (photo(), "resize:16000x16000,enlarge,fit=fill", 422, "output-too-large"),
        (photo(), "test-crash:kill", 422, "worker-crashed"),
        (hostile.many_scans(101), "flip", 422, "image-too-complex"),
    ],
)
def test_refusals(house: Api, picture: bytes, ops: str, status: int, code: str) -> None:
    found = problem(house.process(picture, ops), status, code)
    if code == "output-too-large":
        assert found["limit"] == 50_000_000
        assert found["actual"] == 256_000_000
    house.is_fine()


def test_outputs_make_no_sense_here(house: Api) -> None:
    answer = house.raw(fresh(), path="/v1/process", outputs='{"a":"flip"}')
    assert answer.status_code in {200, 400, 422}


def test_get_is_not_allowed(house: Api) -> None:
    answer = house.get("/v1/process")
    problem(answer, 405, "method-not-allowed")
    assert "POST" in answer.headers["allow"]


def test_results_are_the_same_as_those_of_a_job(house: Api) -> None:
    picture = fresh(200, 100)
    job = house.run(picture, "resize:50x,fit=cover/webp:70")
    assert (
        house.get(job["results"][0]["url"]).content
        == house.process(picture, "resize:50x,fit=cover/webp:70").content
    )
