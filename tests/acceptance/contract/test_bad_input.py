"""The list of bad input: a clear answer, nothing left on disk, and the next request is fine."""

from __future__ import annotations

import random
from io import BytesIO

import pytest
from PIL import Image

from tests.acceptance.contract import hostile
from tests.acceptance.contract.client import Api, check_problem, document, fresh, problem
from tests.photos import photo

PATHS = ("/v1/jobs", "/v1/images", "/v1/process")
FORMATS = ("jpeg", "png", "webp", "gif", "avif")


pytestmark = pytest.mark.usefixtures("nothing_is_left")


def refused(house: Api, body: bytes, status: int, *codes: str, **query: str) -> None:
    """Whatever the way in, the answer is the same."""
    for path in PATHS:
        given = {} if path == "/v1/images" else {"ops": "thumbnail:9x9", **query}
        found = problem(house.raw(body, path=path, headers=None, **given), status, *codes)
        again = problem(house.form(body, path=path, **given), status, *codes)
        assert found["code"] == again["code"]


def test_zero_bytes(house: Api) -> None:
    refused(house, b"", 400, "empty-file")


@pytest.mark.parametrize("kind", hostile.NOT_IMAGES)
def test_what_is_no_image_of_an_allowed_format(house: Api, kind: str) -> None:
    refused(house, hostile.NOT_IMAGES[kind], 415, "unsupported-media-type")
    found = house.raw(hostile.NOT_IMAGES[kind], path="/v1/images").json()
    assert {name.removeprefix("image/") for name in found["supported"]} == set(FORMATS)


def test_a_name_or_a_header_decides_nothing(house: Api) -> None:
    answer = house.form(hostile.EPS, name="innocent.jpg", path="/v1/images")
    problem(answer, 415, "unsupported-media-type")
    answer = house.raw(
        photo(20, 20, format="PNG"), path="/v1/process", headers={"Content-Type": "image/jpeg"}
    )
    assert answer.headers["content-type"] == "image/png"


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "AVIF"])
@pytest.mark.parametrize("keep", [0.5, 0.9, 20, 60])
def test_truncated_files(house: Api, format: str, keep: float) -> None:
    whole = photo(200, 150, format=format, seed=99)
    part = whole[: int(len(whole) * keep) if keep < 1 else int(keep)]
    answer = house.process(part, "thumbnail:9x9/png")
    assert answer.status_code in {200, 415, 422}, answer.text
    if keep == 0.5:
        problem(answer, 422, "image-corrupt")
    elif answer.status_code > 200:
        problem(answer, answer.status_code, "image-corrupt", "unsupported-media-type")
    posted = house.raw(part, ops="thumbnail:9x9/png", reference="bad")
    if posted.status_code != 202:
        problem(posted, posted.status_code, "image-corrupt", "unsupported-media-type")
        return
    job = house.ended(document(posted)["id"])
    assert (job["status"] == "succeeded") == (answer.status_code == 200)
    if job["error"]:
        check_problem(job["error"], 422, "image-corrupt")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "AVIF"])
def test_magic_bytes_and_nothing_behind_them(house: Api, format: str) -> None:
    answer = house.process(photo(20, 20, format=format)[:12], "flip")
    assert answer.status_code in {415, 422}
    problem(answer, answer.status_code, "unsupported-media-type", "image-corrupt")


def test_flipped_bits_are_never_our_fault(house: Api) -> None:
    chance = random.Random(7)
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "AVIF"):
        whole = photo(64, 48, format=kind, seed=5)
        for _ in range(12):
            broken = bytearray(whole)
            for _ in range(chance.randint(1, 6)):
                broken[chance.randrange(len(broken))] ^= 1 << chance.randrange(8)
            answer = house.process(bytes(broken), "thumbnail:9x9")
            assert answer.status_code in {200, 415, 422}, (kind, answer.text)


def test_a_lying_header(house: Api) -> None:
    for body in (hostile.png_that_claims(300, 300), hostile.jpeg_that_claims(1000, 1000)):
        answer = house.process(body, "thumbnail:9x9")
        assert answer.status_code in {200, 422}
        if answer.status_code == 422:
            problem(answer, 422, "image-corrupt")


def test_polyglots_lose_what_they_smuggle(house: Api) -> None:
    payload = b"<?php system($_GET[1]); ?><script>alert(1)</script>"
    comment = BytesIO()
    Image.new("RGB", (20, 20)).save(comment, "JPEG", comment=payload)
    text = hostile.png(8, 8, depth=8, extra=hostile.chunk(b"tEXt", b"Comment\0" + payload))
    for body in (
        comment.getvalue(),
        text,
        photo(20, 20) + b"PK\x03\x04" + payload,
        photo(20, 20, format="PNG") + payload,
    ):
        for ops in (None, "thumbnail:9x9", "png", "jpeg", "gif", "webp"):
            answer = house.process(body, ops)
            assert answer.status_code == 200, answer.text
            assert payload not in answer.content


@pytest.mark.parametrize(
    "ops", ["nonsense", "resize", "resize:abc", "jpeg:0", "%", "a" * 3000, "\x00", "resize:1x1\r\nX: y"]
)
def test_bad_operations_keep_nothing(house: Api, ops: str) -> None:
    problem(house.raw(fresh(), ops=ops), 422, "invalid-operation")
    problem(house.form(fresh(), ops=ops), 422, "invalid-operation")
    problem(house.form(fresh(), path="/v1/process", ops=ops), 422, "invalid-operation")


@pytest.mark.parametrize("key", ["", '"', '""', '" "', "x" * 256, "ä", '"unclosed', "a, b"])
def test_nonsense_as_a_key_is_no_crash(house: Api, key: str) -> None:
    answer = house.http.post(
        "/v1/jobs?ops=flip&reference=bad", content=fresh(), headers={b"Idempotency-Key": key.encode()}
    )
    assert answer.status_code in {202, 400, 422}, answer.text
    if answer.status_code != 202:
        problem(answer, answer.status_code, "malformed-request", "invalid-parameter")


@pytest.mark.parametrize(
    "query",
    [
        "ops",
        "ops=",
        "ops=%",
        "ops=%zz",
        "ops=%ff",
        "&&&",
        "=",
        "ops=flip&" + "a=1&" * 2000,
        "ops[]=flip",
        "ops=fl%00ip",
    ],
)
def test_queries_that_are_none(house: Api, query: str) -> None:
    answer = house.post(f"/v1/process?{query}", content=fresh())
    assert answer.status_code in {200, 400, 422, 431}, answer.text
    if answer.status_code != 200:
        problem(
            answer,
            answer.status_code,
            "malformed-request",
            "invalid-operation",
            "invalid-parameter",
            "headers-too-large",
        )
