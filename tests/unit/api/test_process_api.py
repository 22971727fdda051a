from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from tests.unit.api.served import api, picture, problem, running, size_of

pytestmark = pytest.mark.anyio


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with running(api(tmp_path)) as client:
        yield client


async def test_a_picture_comes_back_smaller(door: httpx2.AsyncClient) -> None:
    answer = await door.post(
        "/v1/process",
        params={"ops": "resize:32x32,fit=cover/webp"},
        content=picture(),
        headers={"Content-Disposition": "attachment; filename*=UTF-8''k%C3%A4tzchen.jpg"},
    )
    assert answer.status_code == 200, answer.text
    assert size_of(answer.content) == ("WEBP", (32, 32))
    assert answer.headers["content-type"] == "image/webp"
    assert answer.headers["content-length"] == str(len(answer.content))
    assert answer.headers["etag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'
    disposition = answer.headers["content-disposition"]
    assert disposition == "inline; filename=\"k_tzchen.webp\"; filename*=UTF-8''k%C3%A4tzchen.webp"
    names = [entry.partition(";dur=")[0] for entry in answer.headers["server-timing"].split(", ")]
    assert names[:4] == ["queue", "decode", "resize", "encode"]
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert answer.headers["cache-control"] == "no-store"


async def test_without_operations_it_is_encoded_again(door: httpx2.AsyncClient) -> None:
    answer = await door.post("/v1/process", content=picture(kind="PNG"))
    assert size_of(answer.content) == ("PNG", (64, 48))
    blank = await door.post("/v1/process?ops=", content=picture(kind="PNG"))
    assert blank.status_code == 200


async def test_a_form_is_taken_too(door: httpx2.AsyncClient) -> None:
    answer = await door.post(
        "/v1/process", files={"file": ("a.png", picture(kind="PNG"))}, data={"ops": "thumbnail:16x16/jpeg"}
    )
    assert size_of(answer.content) == ("JPEG", (16, 12))
    assert 'filename="a.jpg"' in answer.headers["content-disposition"]


async def test_a_pipeline_may_be_json_in_a_query(door: httpx2.AsyncClient) -> None:
    answer = await door.post("/v1/process", params={"ops": '["grayscale",{"op":"png"}]'}, content=picture())
    assert size_of(answer.content) == ("PNG", (64, 48))


@pytest.mark.parametrize(
    ("accept", "kind", "made"),
    [
        ("*/*", "JPEG", "image/jpeg"),
        ("*/*", "PNG", "image/jpeg"),
        ("image/avif,image/webp,*/*;q=0.8", "JPEG", "image/avif"),
        ("image/webp,*/*;q=0.8", "PNG", "image/webp"),
        ("nonsense", "JPEG", "image/jpeg"),
    ],
)
async def test_auto_is_what_the_client_accepts(
    door: httpx2.AsyncClient, accept: str, kind: str, made: str
) -> None:
    answer = await door.post(
        "/v1/process?ops=resize:32x/auto", content=picture(kind=kind), headers={"Accept": accept}
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == made
    assert f"image/{(size_of(answer.content)[0] or '').lower()}" == made
    assert answer.headers.get_list("vary", split_commas=True).count("Accept") == 1
    extension = {"image/jpeg": "jpg"}.get(made, made.partition("/")[2])
    assert f'filename="image.{extension}"' in answer.headers["content-disposition"]


async def test_the_quality_that_was_found_is_told(door: httpx2.AsyncClient) -> None:
    answer = await door.post("/v1/process?ops=jpeg:auto", content=picture())
    assert answer.status_code == 200, answer.text
    assert re.search(r', encode;desc="quality [1-9][0-9]?";dur=[0-9.]+', answer.headers["server-timing"])


async def test_what_can_not_be_as_small_as_asked_is_refused_with_what_it_would_be(
    door: httpx2.AsyncClient,
) -> None:
    answer = await door.post("/v1/process?ops=webp:max_bytes=10", content=picture())
    assert problem(answer) == (422, "output-too-large")
    assert answer.json()["limit"] == 10
    least = answer.json()["actual"]
    fits = await door.post(f"/v1/process?ops=webp:max_bytes={least}", content=picture())
    assert len(fits.content) == least


@pytest.mark.parametrize(
    ("budget", "accept", "made"),
    [
        (0, "image/avif,image/webp,*/*", "image/webp"),
        (0, "image/avif,*/*", "image/jpeg"),
        (0, "image/avif", "image/avif"),
        (600, "image/avif,image/webp,*/*", "image/avif"),
    ],
)
async def test_an_avif_that_would_take_too_long_is_something_else_that_is_accepted(
    tmp_path: Path, budget: float, accept: str, made: str
) -> None:
    async with running(api(tmp_path, avif_budget=budget)) as door:
        answer = await door.post("/v1/process?ops=auto", content=picture(), headers={"Accept": accept})
        assert answer.headers["content-type"] == made
        assert answer.headers["cache-control"] == "no-store"
        named = await door.post("/v1/process?ops=avif", content=picture(), headers={"Accept": accept})
        assert named.headers["content-type"] == "image/avif"


async def test_several_accept_headers_are_one(door: httpx2.AsyncClient) -> None:
    headers = [("Accept", "image/png;q=0.5"), ("Accept", "image/webp")]
    answer = await door.post("/v1/process?ops=auto", content=picture(), headers=headers)
    assert answer.headers["content-type"] == "image/webp"


async def test_without_auto_accept_says_nothing(door: httpx2.AsyncClient) -> None:
    answer = await door.post("/v1/process", content=picture(), headers={"Accept": "image/webp"})
    assert answer.headers["content-type"] == "image/jpeg"
    assert "Accept" not in answer.headers.get("vary", "")


async def test_under_a_key_another_accept_is_another_request(door: httpx2.AsyncClient) -> None:
    async def asked(accept: str) -> httpx2.Response:
        headers = {"Accept": accept, "Idempotency-Key": "k"}
        return await door.post("/v1/process?ops=auto", content=picture(), headers=headers)

    first, again, other = await asked("image/webp"), await asked("image/webp"), await asked("image/avif")
    assert again.headers["idempotent-replayed"] == "true"
    assert (again.headers["vary"], again.content) == (first.headers["vary"], first.content)
    assert problem(other) == (422, "idempotency-key-reused")


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (b"", (400, "empty-file")),
        (b"x", (415, "unsupported-media-type")),
        (b"hello, world", (415, "unsupported-media-type")),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", (415, "unsupported-media-type")),
        (picture()[:-300], (422, "image-corrupt")),
    ],
)
async def test_what_is_no_picture_is_refused(
    door: httpx2.AsyncClient, body: bytes, refusal: tuple[int, str]
) -> None:
    answer = await door.post("/v1/process", params={"ops": "png"}, content=body)
    assert problem(answer) == refusal
    if refusal[0] == 415:
        assert "image/jpeg" in answer.json()["supported"]


@pytest.mark.parametrize(
    ("query", "refusal"),
    [
        ({"ops": "rezise:3"}, (422, "invalid-operation")),
        ({"ops": "resize:60000x60000,fit=fill,enlarge"}, (422, "output-too-large")),
        ({"outputs": "{}"}, (422, "invalid-parameter")),
        ({"priority": "high"}, (422, "invalid-parameter")),
    ],
)
async def test_a_bad_wish_is_refused(
    door: httpx2.AsyncClient, query: dict[str, str], refusal: tuple[int, str]
) -> None:
    assert problem(await door.post("/v1/process", params=query, content=picture())) == refusal


@pytest.mark.parametrize(
    ("parts", "refusal"),
    [
        ([("ops", (None, b"png"))], (422, "missing-file")),
        ([("image", ("a.jpg", picture()))], (422, "missing-file")),
        ([("file", (None, picture()))], (422, "missing-file")),
        ([("file", ("", b""))], (422, "missing-file")),
        ([("file", ("a.jpg", b""))], (400, "empty-file")),
        ([("file", ("a.jpg", picture())), ("file", ("b.jpg", picture()))], (422, "too-many-files")),
        ([("file", ("a.jpg", picture())), ("other", ("b.jpg", picture()))], (422, "too-many-files")),
        (
            [("file", ("a.jpg", picture())), ("ops", (None, b"png")), ("ops", (None, b"png"))],
            (400, "malformed-request"),
        ),
        ([(f"f{number}", (None, b"x")) for number in range(1000)], (400, "malformed-multipart")),
        ([("file", ("a.jpg", picture())), ("ops", (None, b"x" * 70_000))], (400, "malformed-multipart")),
    ],
)
async def test_a_form_has_one_file(
    door: httpx2.AsyncClient, parts: list[tuple[str, tuple[str | None, bytes]]], refusal: tuple[int, str]
) -> None:
    boundary = b"--------x"
    body = b"".join(
        b"--" + boundary + b"\r\n" + _disposition(name, filename) + b"\r\n\r\n" + value + b"\r\n"
        for name, (filename, value) in parts
    )
    answer = await door.post(
        "/v1/process",
        content=body + b"--" + boundary + b"--\r\n",
        headers={"Content-Type": f"multipart/form-data; boundary={boundary.decode()}"},
    )
    assert problem(answer) == refusal


def _disposition(name: str, filename: str | None) -> bytes:
    tail = "" if filename is None else f'; filename="{filename}"'
    return f'Content-Disposition: form-data; name="{name}"{tail}'.encode()


async def test_nothing_is_kept(door: httpx2.AsyncClient, tmp_path: Path) -> None:
    answer = await door.post("/v1/process", params={"ops": "png"}, content=picture())
    assert answer.status_code == 200
    assert (await door.get("/v1/images")).json()["items"] == []
    assert (await door.get("/v1/jobs")).json()["items"] == []
    left = [path for path in (tmp_path / "staging").rglob("*") if path.is_file()]
    assert left == []
