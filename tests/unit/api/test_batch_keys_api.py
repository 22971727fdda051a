"""`Idempotency-Key` on batches: opened once, filled once, and joined once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from tests.unit.api.served import api, picture, problem, running

pytestmark = pytest.mark.anyio

Client = httpx2.AsyncClient
Answer = httpx2.Response

KEY = {"Idempotency-Key": "k"}
CATS, DOGS = picture(colour="red"), picture(colour="blue")


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Client]:
    async with running(api(tmp_path)) as client:
        yield client


def replayed(answer: Answer, first: Answer) -> bool:
    assert (answer.status_code, answer.content) == (first.status_code, first.content), answer.text
    return "idempotent-replayed" in answer.headers and "idempotent-replayed" not in first.headers


async def batches(door: Client) -> list[str]:
    return [batch["id"] for batch in (await door.get("/v1/batches")).json()["items"]]


async def fill(door: Client, *files: tuple[str, bytes], **fields: str) -> Answer:
    parts = [("file", file) for file in files]
    return await door.post("/v1/batches", files=parts, data={"ops": "png"} | fields, headers=KEY)


async def test_a_batch_is_opened_once(door: Client) -> None:
    first = await door.post("/v1/batches", json={"name": "holidays"}, headers=KEY)
    assert first.status_code == 201
    again = await door.post("/v1/batches", params={"name": "holidays"}, headers=KEY)
    assert replayed(again, first)
    other = await door.post("/v1/batches", json={"name": "work"}, headers=KEY)
    assert problem(other) == (422, "idempotency-key-reused")
    assert await batches(door) == [first.json()["id"]]


async def test_a_form_makes_one_batch(door: Client, tmp_path: Path) -> None:
    files = ("cat.jpg", CATS), ("dog.jpg", DOGS), ("broken.jpg", b"no picture"), ("empty.jpg", b"")
    first = await fill(door, *files)
    assert first.status_code == 202, first.text
    assert first.json()["counts"]["total"] == 4
    assert replayed(await fill(door, *files), first)
    for others in ((files[1], files[0], *files[2:]), files[:3], (*files[:3], ("empty.jpg", b"x"))):
        assert problem(await fill(door, *others)) == (422, "idempotency-key-reused")
    assert problem(await fill(door, *files, ops="webp")) == (422, "idempotency-key-reused")
    assert await batches(door) == [first.json()["id"]]
    assert len((await door.get("/v1/jobs")).json()["items"]) == 4
    assert [path for path in (tmp_path / "staging").rglob("*") if path.is_file()] == []  # a test


async def test_a_job_joins_once_by_its_key_as_by_its_reference(door: Client) -> None:
    batch = (await door.post("/v1/batches", json={})).json()

    async def join(key: str, reference: str | None, image: bytes = CATS) -> Answer:
        query = {"ops": "png", "batch": batch["id"]} | ({"reference": reference} if reference else {})
        return await door.post("/v1/jobs", params=query, content=image, headers={"Idempotency-Key": key})

    first = await join("a", None)
    assert replayed(await join("a", None), first)
    referred = await join("b", "r")
    again = await join("c", "r")
    assert again.json()["id"] == referred.json()["id"]
    assert "idempotent-replayed" not in again.headers
    assert replayed(await join("c", "r"), again)
    assert problem(await join("c", "r", DOGS)) == (422, "idempotency-key-reused")
    assert (await door.get(batch["links"]["self"])).json()["counts"]["total"] == 2


@pytest.mark.parametrize("deed", ["close", "cancel"])
async def test_what_is_done_to_a_batch_is_answered_again(door: Client, deed: str) -> None:
    batch = (await door.post("/v1/batches", json={})).json()
    path = f"{batch['links']['self']}/{deed}"
    first = await door.post(path, headers=KEY)
    assert first.status_code == 200
    await door.delete(batch["links"]["self"])
    assert replayed(await door.post(path, headers=KEY), first)
    assert problem(await door.post(path)) == (410, "result-expired")
