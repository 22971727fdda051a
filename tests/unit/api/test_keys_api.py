"""`Idempotency-Key`: done once, answered as often as it is asked."""

from __future__ import annotations

import asyncio
import io
import random
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from PIL import Image

from tests.unit.api.served import api, picture, problem, running, size_of

pytestmark = pytest.mark.anyio

Client = httpx2.AsyncClient
Answer = httpx2.Response


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Client]:
    async with running(api(tmp_path)) as client:
        yield client


async def submit(door: Client, key: str = "k", ops: str = "png", image: bytes | None = None) -> Answer:
    return await door.post(
        "/v1/jobs",
        params={"ops": ops},
        content=picture() if image is None else image,
        headers={"Idempotency-Key": key},
    )


async def jobs(door: Client) -> list[str]:
    return [job["id"] for job in (await door.get("/v1/jobs")).json()["items"]]


def replayed(answer: Answer, first: Answer) -> bool:
    """Is it the first answer once more, mark and request id apart?"""
    assert first.headers.get("idempotent-replayed") is None
    own = {"idempotent-replayed", "x-request-id"}
    assert (answer.status_code, answer.content) == (first.status_code, first.content), answer.text
    assert {name: value for name, value in answer.headers.items() if name not in own} == {
        name: value for name, value in first.headers.items() if name not in own
    }
    return answer.headers.get("idempotent-replayed") == "true"


async def test_a_repeated_submission_is_answered_as_before_and_makes_no_second_job(door: Client) -> None:
    first = await submit(door)
    assert first.status_code == 202
    await door.get(first.headers["location"], params={"wait": "5"})
    for key in ("k", '"k"'):
        assert replayed(await submit(door, key), first)
    assert await jobs(door) == [first.json()["id"]]


async def test_without_a_key_everything_is_done_again(door: Client) -> None:
    answers = [await door.post("/v1/jobs", params={"ops": "png"}, content=picture()) for _ in range(2)]
    assert not any("idempotent-replayed" in answer.headers for answer in answers)
    assert len(await jobs(door)) == 2


async def test_what_is_meant_counts_and_not_how_it_is_written(door: Client) -> None:
    first = await submit(door, ops="resize:40x30,fit=cover/png")
    json = '["resize:w=40,h=30,fit=cover",{"op":"png"}]'
    assert replayed(await submit(door, ops=json), first)
    headers = {"Idempotency-Key": "k"}
    image = first.json()["image"]["id"]
    body = {"source": {"image": image}, "ops": json, "priority": "normal"}
    assert replayed(await door.post("/v1/jobs", json=body, headers=headers), first)
    assert len(await jobs(door)) == 1


async def test_a_form_is_the_same_with_another_boundary_and_its_fields_in_another_order(
    door: Client,
) -> None:
    def form(boundary: str, *, first: bool) -> tuple[bytes, dict[str, str]]:
        fields = [
            b'Content-Disposition: form-data; name="ops"\r\n\r\npng',
            b'Content-Disposition: form-data; name="reference"\r\n\r\nr',
        ]
        file = b'Content-Disposition: form-data; name="file"; filename="cat.jpg"\r\n\r\n' + picture()
        parts = [*fields, file] if first else [file, *reversed(fields)]
        line = b"--" + boundary.encode()
        body = b"".join(line + b"\r\n" + part + b"\r\n" for part in parts) + line + b"--\r\n"
        return body, {
            "Idempotency-Key": "k",
            "Content-Type": f"multipart/form-data; boundary={boundary}",
        }

    answers = []
    for boundary, first in (("one", True), ("another", True), ("third", False)):
        body, headers = form(boundary, first=first)
        answers.append(await door.post("/v1/jobs", content=body, headers=headers))
    assert replayed(answers[1], answers[0])
    assert replayed(answers[2], answers[0])
    other = form("one", first=True)[0].replace(b"cat.jpg", b"dog.jpg")
    headers["Content-Type"] = "multipart/form-data; boundary=one"
    answer = await door.post("/v1/jobs", content=other, headers=headers)
    assert problem(answer) == (422, "idempotency-key-reused")
    assert len(await jobs(door)) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"params": {"ops": "webp"}, "content": picture()},
        {"params": {"ops": "png"}, "content": picture((65, 48))},
        {"params": {"ops": "png"}, "content": b"this is no picture"},
        {"params": {"ops": "png", "priority": "low"}, "content": picture()},
        {"params": {"ops": "png", "reference": "r"}, "content": picture()},
        {"params": {"outputs": '{"a":"png"}'}, "content": picture()},
    ],
)
async def test_another_request_can_not_have_the_key(door: Client, other: dict[str, object]) -> None:
    first = await submit(door)
    answer = await door.post("/v1/jobs", headers={"Idempotency-Key": "k"}, **other)  # type: ignore[arg-type]  # what httpx takes
    assert problem(answer) == (422, "idempotency-key-reused")
    assert replayed(await submit(door), first)
    assert len(await jobs(door)) == 1


@pytest.mark.parametrize(
    "path", ["/v1/images", "/v1/process", "/v1/queue:pause", "/v1/jobs:cancel", "/v1/jobs/job_0/cancel"]
)
async def test_a_key_belongs_to_one_path(door: Client, path: str) -> None:
    await submit(door)
    answer = await door.post(path, content=picture(), headers={"Idempotency-Key": "k"})
    assert problem(answer) == (422, "idempotency-key-reused")


async def test_a_known_key_needs_no_room_in_the_queue_nor_on_the_disk(tmp_path: Path) -> None:
    async with running(api(tmp_path, queue_limit=1)) as door:
        await door.post("/v1/queue:pause")
        first = await submit(door)
        assert problem(await submit(door, "other")) == (503, "queue-full")
        assert replayed(await submit(door), first)


async def test_a_refused_request_leaves_its_key_free(door: Client) -> None:
    assert problem(await submit(door, ops="nonsense")) == (422, "invalid-operation")
    assert problem(await submit(door, image=b"no picture")) == (415, "unsupported-media-type")
    assert problem(await submit(door, image=b"")) == (400, "empty-file")
    first = await submit(door)
    assert first.status_code == 202
    assert replayed(await submit(door), first)


async def test_a_stored_answer_outlives_its_job(door: Client) -> None:
    first = await submit(door)
    await door.delete(first.headers["location"])
    assert replayed(await submit(door), first)
    assert problem(await door.get(first.headers["location"])) == (410, "result-expired")


async def test_a_key_is_free_when_its_time_is_up(tmp_path: Path) -> None:
    async with running(api(tmp_path, idempotency_retention=0.1)) as door:
        first = await submit(door)
        await asyncio.sleep(0.11)
        second = await submit(door, ops="webp")
        assert second.status_code == 202
        assert "idempotent-replayed" not in second.headers
        assert first.json()["id"] != second.json()["id"]


async def test_twenty_at_once_make_one_job(door: Client) -> None:
    answers = await asyncio.gather(*(submit(door) for _ in range(20)))
    (job,) = await jobs(door)
    for answer in answers:
        if answer.status_code != 202:
            assert problem(answer) == (409, "idempotency-key-in-use")
            assert answer.headers["retry-after"] == "1"
    assert {answer.json()["id"] for answer in answers if answer.status_code == 202} == {job}


async def test_a_key_is_in_use_while_its_request_comes_in(door: Client) -> None:
    arriving, rest, read = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        arriving.set()
        yield picture()[:100]
        await rest.wait()
        yield picture()[100:]

    headers = {"Idempotency-Key": "k"}
    sending = asyncio.ensure_future(
        door.post("/v1/jobs", params={"ops": "png"}, content=body(), headers=headers)
    )
    await arriving.wait()

    async def unread() -> AsyncIterator[bytes]:
        read.set()
        yield b""

    for path in ("/v1/jobs", "/v1/images"):
        answer = await door.post(path, content=unread(), headers=headers)
        assert problem(answer) == (409, "idempotency-key-in-use")
    assert not read.is_set()
    rest.set()
    first = await sending
    assert replayed(await submit(door), first)


async def test_a_stored_image_is_answered_again(door: Client) -> None:
    headers = {"Idempotency-Key": "k"}
    first = await door.post("/v1/images", content=picture(), headers=headers)
    assert first.status_code == 201
    form = {"file": ("any.jpg", picture())}
    assert replayed(await door.post("/v1/images", files=form, headers=headers), first)
    await door.delete(first.headers["location"])
    assert replayed(await door.post("/v1/images", content=picture(), headers=headers), first)
    assert (await door.get("/v1/images")).json()["items"] == []
    other = await door.post("/v1/images", content=picture((9, 9)), headers=headers)
    assert problem(other) == (422, "idempotency-key-reused")


def noise(side: int) -> bytes:
    """A picture that no encoder makes small."""
    file = io.BytesIO()
    pixels = random.Random(side).randbytes(side * side * 3)
    Image.frombytes("RGB", (side, side), pixels).save(file, "PNG")
    return file.getvalue()


def kept(folder: Path) -> list[int]:
    """The sizes of the answers that are kept as files."""
    return [path.stat().st_size for path in (folder / "answers").rglob("*") if path.is_file()]


@pytest.mark.parametrize("side", [64, 700])
async def test_a_processed_picture_is_answered_again_without_any_work(
    door: Client, tmp_path: Path, side: int
) -> None:
    async def process() -> Answer:
        form = {"file": ("cat.jpg", noise(side))}
        headers = {"Idempotency-Key": "k"}
        return await door.post("/v1/process", params={"ops": "flip/png"}, files=form, headers=headers)

    first = await process()
    assert first.status_code == 200, first.text
    assert size_of(first.content) == ("PNG", (side, side))
    for _ in range(2):
        assert replayed(await process(), first)
    stats = (await door.get("/v1/stats")).json()
    assert stats["totals"]["calls"]["succeeded"] == 1
    assert kept(tmp_path) == [len(first.content)]


async def test_a_process_that_failed_keeps_nothing(door: Client, tmp_path: Path) -> None:
    headers = {"Idempotency-Key": "k"}
    answer = await door.post("/v1/process", content=picture()[:300], headers=headers)
    assert problem(answer) == (422, "image-corrupt")
    assert kept(tmp_path) == []
    assert (await door.post("/v1/process", content=picture(), headers=headers)).status_code == 200


async def test_a_process_without_a_key_keeps_nothing(door: Client, tmp_path: Path) -> None:
    assert (await door.post("/v1/process", content=picture())).status_code == 200
    assert kept(tmp_path) == []


async def test_a_retry_is_made_once(door: Client) -> None:
    first = await submit(door, "first")
    await door.get(first.headers["location"], params={"wait": "5"})
    path, headers = f"{first.headers['location']}/retry", {"Idempotency-Key": "k"}
    retry = await door.post(path, headers=headers)
    assert retry.status_code == 202
    assert replayed(await door.post(path, headers=headers), retry)
    assert len(await jobs(door)) == 2


async def test_what_changes_only_a_state_is_not_done_again(door: Client) -> None:
    headers = {"Idempotency-Key": "pause"}
    paused = await door.post("/v1/queue:pause", headers=headers)
    await door.post("/v1/queue:resume")
    assert replayed(await door.post("/v1/queue:pause", headers=headers), paused)
    assert (await door.get("/v1/stats")).json()["queue"]["paused"] is False
    await door.post("/v1/queue:pause")
    job = (await submit(door)).headers["location"]
    headers = {"Idempotency-Key": "cancel"}
    canceled = await door.post("/v1/jobs:cancel", params={"status": "queued"}, headers=headers)
    assert canceled.json() == {"canceled": 1}
    later = (await submit(door, "later")).headers["location"]
    again = await door.post("/v1/jobs:cancel", params={"status": "queued"}, headers=headers)
    assert replayed(again, canceled)
    assert (await door.get(later)).json()["status"] == "queued"
    assert problem(await door.post("/v1/jobs:cancel", headers=headers)) == (422, "idempotency-key-reused")
    headers = {"Idempotency-Key": "one"}
    one = await door.post(f"{job}/cancel", headers=headers)
    assert replayed(await door.post(f"{job}/cancel", headers=headers), one)


async def test_waiting_is_no_part_of_what_is_meant(door: Client) -> None:
    first = await submit(door)
    headers = {"Idempotency-Key": "k", "Prefer": "wait=5"}
    again = await door.post("/v1/jobs", params={"ops": "png"}, content=picture(), headers=headers)
    assert replayed(again, first)


async def test_two_keys_in_one_request_are_malformed(door: Client) -> None:
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    answer = await door.post("/v1/process", content=picture(), headers=headers)
    assert problem(answer) == (400, "malformed-request")


async def test_a_key_is_nobodys_business_where_nothing_is_made(door: Client) -> None:
    headers = {"Idempotency-Key": "k"}
    first = await submit(door)
    for _ in range(2):
        assert (await door.get("/v1/jobs", headers=headers)).status_code == 200
        assert (await door.delete(first.headers["location"], headers=headers)).status_code == 204
