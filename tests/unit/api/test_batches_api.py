"""Batches over HTTP, on parts that live in memory."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image

from imgsvc.api import ApiOptions, schemas
from tests.unit.api.served import api, picture, problem, running

pytestmark = pytest.mark.anyio

NEVER_WAS = "bat_0192f0c1a2b37c4d8e5f60718293a4b5"

Json = dict[str, Any]


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with running(api(tmp_path)) as client:
        yield client


async def opened(door: httpx2.AsyncClient, **said: str) -> Json:
    answer = await door.post("/v1/batches", json=said)
    assert answer.status_code == 201, answer.text
    return shape(answer)


def shape(answer: httpx2.Response) -> Json:
    """The batch of an answer, held to its shape."""
    found: Json = answer.json()
    schemas.BatchShape.model_validate(found)
    return found


async def join(door: httpx2.AsyncClient, batch: Json, **query: str) -> httpx2.Response:
    body = query.pop("body", None)
    return await door.post(
        "/v1/jobs",
        params={"ops": "resize:8x8/png", "batch": batch["id"]} | query,
        content=body.encode() if body else picture(),
    )


async def ended(door: httpx2.AsyncClient, batch: Json) -> Json:
    """The batch once its last job has ended."""
    async with asyncio.timeout(20):
        while True:
            found = shape(await door.get(batch["links"]["self"]))
            if not found["counts"]["queued"] + found["counts"]["running"]:
                return found
            await asyncio.sleep(0.01)


async def archive(door: httpx2.AsyncClient, batch: Json, **query: str) -> zipfile.ZipFile:
    answer = await door.get(batch["links"]["results"], params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    return zipfile.ZipFile(io.BytesIO(answer.content))


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def form(*files: tuple[str, bytes]) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [("file", (name, data, "image/jpeg")) for name, data in files]


# -- open, fill, close -----------------------------------------------------------------------------


async def test_a_batch_is_opened_filled_closed_and_fetched(door: httpx2.AsyncClient) -> None:
    answer = await door.post("/v1/batches", json={"name": "holidays"})
    batch = shape(answer)
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v1/batches/{batch['id']}" == batch["links"]["self"]
    assert (batch["status"], batch["name"], batch["failures"]) == ("open", "holidays", [])
    assert batch["counts"] == dict.fromkeys(
        ("total", "queued", "running", "succeeded", "failed", "canceled"), 0
    )
    for number in range(3):
        job = (await join(door, batch, reference=f"no. {number}")).json()
        assert (job["batch"], job["reference"]) == (batch["id"], f"no. {number}")
    assert shape(await door.post(f"{batch['links']['self']}/close"))["counts"]["total"] == 3
    done = await ended(door, batch)
    assert (done["status"], done["counts"]["succeeded"]) == ("succeeded", 3)
    found = await archive(door, batch, names="reference")
    assert found.namelist() == ["no. 0.png", "no. 1.png", "no. 2.png"]
    for entry in found.infolist():
        assert entry.compress_type == zipfile.ZIP_STORED
        assert entry.external_attr >> 16 == 0o100644
        assert Image.open(io.BytesIO(found.read(entry))).size == (8, 6)


@pytest.mark.parametrize(
    "said", [{"params": {"name": "x"}}, {"content": b'{"name":"x"}'}, {"json": {"name": "x"}}]
)
async def test_a_batch_may_be_opened_in_several_ways(door: httpx2.AsyncClient, said: Json) -> None:
    answer = await door.post("/v1/batches", **said)
    assert answer.status_code == 201, answer.text
    assert answer.json()["name"] == "x"


async def test_a_batch_needs_nothing(door: httpx2.AsyncClient) -> None:
    assert (await door.post("/v1/batches")).json()["name"] is None
    assert (await door.post("/v1/batches", json={})).json()["name"] is None


@pytest.mark.parametrize(
    ("said", "refusal"),
    [
        ({"json": {"nmae": "x"}}, (422, "invalid-parameter")),
        ({"json": {"priority": "urgent"}}, (422, "invalid-parameter")),
        ({"json": {"name": "x" * 256}}, (422, "invalid-parameter")),
        ({"json": {"name": 3}}, (422, "invalid-parameter")),
        ({"json": {"retention": -1}}, (422, "invalid-parameter")),
        ({"json": ["x"]}, (400, "malformed-request")),
        ({"content": b"name"}, (400, "malformed-request")),
        ({"params": {"name": "x"}, "json": {"name": "y"}}, (400, "malformed-request")),
    ],
)
async def test_a_bad_opening_is_refused(
    door: httpx2.AsyncClient, said: Json, refusal: tuple[int, str]
) -> None:
    assert problem(await door.post("/v1/batches", **said)) == refusal
    assert (await door.get("/v1/batches")).json()["items"] == []


async def test_its_jobs_have_its_priority_unless_they_say_their_own(door: httpx2.AsyncClient) -> None:
    batch = await opened(door, priority="low", retention="90s")
    assert (await join(door, batch)).json()["priority"] == "low"
    assert (await join(door, batch, priority="high")).json()["priority"] == "high"
    assert (await door.post("/v1/jobs?ops=png", content=picture())).json()["priority"] == "normal"


async def test_forms_and_json_join_too(door: httpx2.AsyncClient) -> None:
    batch = await opened(door)
    said = {"batch": batch["id"], "ops": "png"}
    first = await door.post("/v1/jobs", data=said | {"reference": "form"}, files=form(("a.jpg", picture())))
    image = first.json()["image"]["id"]
    second = await door.post("/v1/jobs", json=said | {"reference": "json", "source": {"image": image}})
    assert [answer.status_code for answer in (first, second)] == [202, 202]
    again = [
        await door.post("/v1/jobs", data=said | {"reference": "json"}, files=form(("b.jpg", picture()))),
        await door.post("/v1/jobs", json=said | {"reference": "form", "source": {"image": image}}),
    ]
    assert [answer.json()["id"] for answer in again] == [second.json()["id"], first.json()["id"]]
    assert (await ended(door, batch))["counts"]["total"] == 2


# -- a reference is unique -------------------------------------------------------------------------


async def test_a_repeated_reference_is_answered_with_the_first_job(door: httpx2.AsyncClient) -> None:
    batch = await opened(door)
    first = await join(door, batch, reference="one")
    again = await join(door, batch, reference="one", body="whatever", ops="blur")
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert again.headers["location"] == first.headers["location"]
    assert (await ended(door, batch))["counts"]["total"] == 1
    await door.post(f"{batch['links']['self']}/close")
    assert (await join(door, batch, reference="one")).json()["id"] == first.json()["id"]
    waited = await door.post(
        f"/v1/jobs?ops=png&batch={batch['id']}&reference=one", content=picture(), headers={"Prefer": "wait=9"}
    )
    assert (waited.status_code, waited.json()["status"]) == (200, "succeeded")


async def test_a_repeat_that_waits_to_be_asked_for_its_body_is_not_asked(door: httpx2.AsyncClient) -> None:
    batch = await opened(door)
    await join(door, batch, reference="one")

    asked = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal asked
        asked += 1
        yield picture()

    answer = await door.post(
        f"/v1/jobs?ops=png&batch={batch['id']}&reference=one",
        content=body(),
        headers={"Expect": "100-continue"},
    )
    assert (answer.status_code, asked) == (202, 0)


async def test_eight_clients_with_one_reference_make_one_job_and_one_blob(
    door: httpx2.AsyncClient, tmp_path: Path
) -> None:
    batch = await opened(door)
    answers = await asyncio.gather(*[join(door, batch, reference="one") for _ in range(8)])
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert (await ended(door, batch))["counts"]["total"] == 1
    assert len(files_in(tmp_path / "images")) == 1


# -- what can't join -------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["close", "cancel"])
async def test_nothing_joins_a_batch_that_is_not_open(door: httpx2.AsyncClient, how: str) -> None:
    batch = await opened(door)
    await door.post(f"{batch['links']['self']}/{how}")
    answer = await join(door, batch)
    assert problem(answer) == (422, "invalid-parameter")
    assert answer.json()["errors"][0]["pointer"] == "/batch"
    said = {"batch": batch["id"], "ops": "png"}
    assert problem(await door.post("/v1/jobs", data=said, files=form(("a.jpg", picture())))) == (
        422,
        "invalid-parameter",
    )
    assert shape(await door.get(batch["links"]["self"]))["counts"]["total"] == 0


async def test_an_unknown_batch_is_not_found_and_a_removed_one_gone(door: httpx2.AsyncClient) -> None:
    batch = await opened(door)
    assert (await door.delete(batch["links"]["self"])).status_code == 204
    for known, expected in ((NEVER_WAS, (404, "not-found")), (batch["id"], (410, "result-expired"))):
        path = f"/v1/batches/{known}"
        for answer in (
            await door.get(path),
            await door.get(f"{path}/results.zip"),
            await door.post(f"{path}/close"),
            await door.post(f"{path}/cancel"),
            await door.post(f"/v1/jobs?ops=png&batch={known}", content=picture()),
            await door.post("/v1/jobs", data={"ops": "png", "batch": known}, files=form(("a", picture()))),
        ):
            assert problem(answer) == expected
    assert (await door.delete(batch["links"]["self"])).status_code == 204
    assert problem(await door.delete(f"/v1/batches/{NEVER_WAS}")) == (404, "not-found")
    assert problem(await door.get("/v1/batches/nonsense")) == (404, "not-found")


async def test_a_full_batch_is_refused(tmp_path: Path) -> None:
    async with running(api(tmp_path, batch_jobs=2)) as door:
        batch = await opened(door)
        for _ in range(2):
            assert (await join(door, batch)).status_code == 202
        answer = await join(door, batch)
        assert problem(answer) == (422, "invalid-parameter")
        assert (answer.json()["limit"], answer.json()["actual"]) == (2, 2)


# -- many files in one form ------------------------------------------------------------------------


async def test_a_form_opens_fills_and_closes_a_batch(door: httpx2.AsyncClient) -> None:
    files = form(*[(f"{number}.jpg", picture((60 + number, 40))) for number in range(12)])
    answer = await door.post("/v1/batches", files=files, data={"ops": "resize:8x8/png", "name": "all"})
    batch = shape(answer)
    assert (answer.status_code, answer.headers["location"]) == (202, batch["links"]["self"])
    assert (batch["name"], batch["counts"]["total"]) == ("all", 12)
    assert batch["status"] in {"closed", "succeeded"}
    assert (await ended(door, batch))["status"] == "succeeded"
    assert (await archive(door, batch)).namelist() == [f"{number}.png" for number in range(12)]


async def test_a_bad_file_makes_a_failed_job_and_no_failed_batch(tmp_path: Path) -> None:
    async with running(api(tmp_path, ApiOptions(max_body=4000), max_body=4000)) as door:
        files = form(
            ("good.jpg", picture()),
            ("note.txt", b"no picture"),
            ("empty.jpg", b""),
            ("huge.jpg", b"x" * 5000),
            ("short.jpg", picture()[:40]),
            ("good too.jpg", picture((20, 20))),
        )
        answer = await door.post("/v1/batches", files=files, data={"ops": "png"})
        assert answer.status_code == 202, answer.text
        batch = await ended(door, shape(answer))
        assert (batch["status"], batch["counts"]["succeeded"], batch["counts"]["failed"]) == ("failed", 2, 4)
        assert [(found["filename"], found["error"]["code"]) for found in batch["failures"]] == [
            ("note.txt", "unsupported-media-type"),
            ("empty.jpg", "empty-file"),
            ("huge.jpg", "body-too-large"),
            ("short.jpg", "image-corrupt"),
        ]
        job = (await door.get(f"/v1/jobs/{batch['failures'][2]['job']}")).json()
        schemas.JobShape.model_validate(job)
        assert (job["status"], job["attempts"], job["batch"]) == ("failed", 0, batch["id"])
        assert (job["image"]["bytes"], job["image"]["width"]) == (5000, None)
        assert problem(await door.get(f"/v1/jobs/{job['id']}/result")) == (413, "body-too-large")
        assert problem(await door.get(job["links"]["image"])) == (404, "not-found")
        listed = (await door.get(batch["links"]["failed"])).json()["items"]
        assert len(listed) == 4
        assert (await archive(door, batch)).namelist() == ["good.png", "good too.png"]


async def test_fields_may_follow_the_files(door: httpx2.AsyncClient) -> None:
    body = b"".join(
        b'--x\r\ncontent-disposition: form-data; name="file"; filename="%d.jpg"\r\n\r\n%s\r\n'
        % (number, picture((30 + number, 20)))
        for number in range(2)
    )
    body += b'--x\r\ncontent-disposition: form-data; name="ops"\r\n\r\npng\r\n--x--\r\n'
    answer = await door.post(
        "/v1/batches", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    assert answer.status_code == 202, answer.text
    assert (await ended(door, answer.json()))["counts"]["succeeded"] == 2


@pytest.mark.parametrize(
    ("files", "data", "refusal"),
    [
        ([("a.jpg", picture())], {}, (400, "malformed-request")),
        ([("a.jpg", picture())], {"ops": "nope"}, (422, "invalid-operation")),
        ([("a.jpg", picture())], {"ops": "png", "reference": "x"}, (422, "invalid-parameter")),
        ([("a.jpg", picture())], {"ops": "png", "batch": NEVER_WAS}, (422, "invalid-parameter")),
        ([("a.jpg", picture())] * 4, {"ops": "png"}, (422, "too-many-files")),
        ([("", b"")], {"ops": "png"}, (422, "missing-file")),
    ],
)
async def test_a_bad_form_makes_no_batch(
    tmp_path: Path, files: list[tuple[str, bytes]], data: dict[str, str], refusal: tuple[int, str]
) -> None:
    async with running(api(tmp_path, ApiOptions(batch_files=3))) as door:
        raw = b"".join(
            b'--x\r\ncontent-disposition: form-data; name="file"; filename="%s"\r\n\r\n%s\r\n'
            % (name.encode(), content)
            for name, content in files
        )
        raw = (
            b"".join(
                f'--x\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
                for name, value in data.items()
            )
            + raw
            + b"--x--\r\n"
        )
        answer = await door.post(
            "/v1/batches", content=raw, headers={"Content-Type": "multipart/form-data; boundary=x"}
        )
        assert problem(answer) == refusal
        assert (await door.get("/v1/batches")).json()["items"] == []
        assert files_in(tmp_path / "staging") == []


async def test_as_many_files_as_are_allowed_are_taken(tmp_path: Path) -> None:
    async with running(api(tmp_path, ApiOptions(batch_files=3))) as door:
        files = form(*[("a.jpg", picture())] * 3)
        answer = await door.post("/v1/batches", files=files, data={"ops": "png"})
        assert answer.status_code == 202
        batch = await ended(door, answer.json())
        assert (await archive(door, batch)).namelist() == ["a.png", "a-2.png", "a-3.png"]


async def test_a_form_that_the_queue_has_no_room_for_makes_no_batch(tmp_path: Path) -> None:
    async with running(api(tmp_path, queue_limit=3)) as door:
        await door.post("/v1/queue:pause")
        await door.post("/v1/jobs?ops=png", content=picture())
        files = form(*[("a.jpg", picture())] * 3)
        answer = await door.post("/v1/batches", files=files, data={"ops": "png"})
        assert problem(answer) == (503, "queue-full")
        assert (await door.get("/v1/batches")).json()["items"] == []
        answer = await door.post("/v1/batches", files=files[:2], data={"ops": "png"})
        assert answer.status_code == 202, answer.text
        asked = 0

        async def body() -> AsyncIterator[bytes]:
            nonlocal asked
            asked += 1
            yield b"--x"

        answer = await door.post(
            "/v1/batches", content=body(), headers={"Content-Type": "multipart/form-data; boundary=x"}
        )
        assert problem(answer) == (503, "queue-full")
        assert asked == 0, "a full queue is told of before anything is read"


async def test_a_form_that_grows_past_the_bytes_of_the_queue_is_refused(tmp_path: Path) -> None:
    async with running(api(tmp_path, queue_bytes=2 * len(picture()) + 10)) as door:
        await door.post("/v1/queue:pause")
        parts = [
            b'--x\r\ncontent-disposition: form-data; name="ops"\r\n\r\npng\r\n',
            *[
                b'--x\r\ncontent-disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n%s\r\n'
                % picture()
            ]
            * 3,
            b"--x--\r\n",
        ]

        async def body(parts: list[bytes]) -> AsyncIterator[bytes]:
            for part in parts:
                yield part

        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        answer = await door.post("/v1/batches", content=body(parts), headers=headers)
        assert problem(answer) == (503, "queue-full")
        assert files_in(tmp_path / "staging") == []
        answer = await door.post("/v1/batches", content=body(parts[:1] + parts[2:]), headers=headers)
        assert answer.status_code == 202, answer.text


# -- the end ---------------------------------------------------------------------------------------


async def test_results_are_there_at_the_end_and_not_before(door: httpx2.AsyncClient) -> None:
    batch = await opened(door)
    await join(door, batch)
    await ended(door, batch)
    answer = await door.get(batch["links"]["results"])
    assert problem(answer) == (409, "job-not-finished")
    assert "open" in answer.json()["detail"]
    await door.post("/v1/queue:pause")
    await join(door, batch)
    await door.post(f"{batch['links']['self']}/close")
    answer = await door.get(batch["links"]["results"])
    assert problem(answer) == (409, "job-not-finished")
    assert int(answer.headers["retry-after"]) >= 1
    await door.post("/v1/queue:resume")
    await ended(door, batch)
    assert len((await archive(door, batch)).namelist()) == 2
    head = await door.head(batch["links"]["results"])
    assert (head.status_code, head.headers["content-type"], head.content) == (200, "application/zip", b"")
    assert "content-length" not in head.headers


async def test_canceling_ends_a_batch_and_all_of_its_jobs(door: httpx2.AsyncClient) -> None:
    await door.post("/v1/queue:pause")
    batch, other = await opened(door), await opened(door)
    for each in (batch, batch, other):
        await join(door, each)
    canceled = shape(await door.post(f"{batch['links']['self']}/cancel"))
    assert (canceled["status"], canceled["counts"]["canceled"]) == ("canceled", 2)
    assert shape(await door.get(other["links"]["self"]))["counts"]["queued"] == 1
    assert shape(await door.post(f"{batch['links']['self']}/cancel")) == canceled
    assert problem(await door.get(batch["links"]["results"])) == (409, "job-canceled")


async def test_what_was_made_before_a_cancellation_can_be_fetched(door: httpx2.AsyncClient) -> None:
    batch = await opened(door)
    await join(door, batch)
    await ended(door, batch)
    await door.post("/v1/queue:pause")
    await join(door, batch)
    canceled = shape(await door.post(f"{batch['links']['self']}/cancel"))
    assert canceled["status"] == "canceled"
    assert len((await archive(door, batch)).namelist()) == 1


async def test_removing_a_batch_removes_its_jobs_and_their_files(
    door: httpx2.AsyncClient, tmp_path: Path
) -> None:
    batch = await opened(door)
    job = (await join(door, batch)).json()
    await ended(door, batch)
    assert len(files_in(tmp_path / "results")) == 1
    await door.post("/v1/queue:pause")
    waiting = (await join(door, batch)).json()
    assert (await door.delete(batch["links"]["self"])).status_code == 204
    for gone in (job, waiting):
        assert problem(await door.get(gone["links"]["self"])) == (410, "result-expired")
    assert files_in(tmp_path / "images") == files_in(tmp_path / "results") == []
    assert (await door.get(f"/v1/jobs?batch={batch['id']}")).json()["items"] == []


async def test_another_try_takes_the_place_of_what_was_canceled(door: httpx2.AsyncClient) -> None:
    batch = await opened(door)
    await door.post("/v1/queue:pause")
    jobs = [(await join(door, batch, reference=f"no. {number}")).json() for number in range(3)]
    await door.post(f"{jobs[1]['links']['self']}/cancel")
    await door.post(f"{batch['links']['self']}/close")
    again = (await door.post(f"{jobs[1]['links']['self']}/retry")).json()
    assert (again["batch"], again["reference"], again["retry_of"]) == (batch["id"], "no. 1", jobs[1]["id"])
    assert (await door.get(jobs[1]["links"]["self"])).json()["batch"] is None
    await door.post("/v1/queue:resume")
    done = await ended(door, batch)
    assert (done["status"], done["counts"]["succeeded"], done["counts"]["total"]) == ("succeeded", 3, 3)
    assert (await archive(door, batch, names="reference")).namelist() == [f"no. {n}.png" for n in range(3)]


async def test_what_has_succeeded_keeps_its_place(door: httpx2.AsyncClient) -> None:
    batch = await opened(door)
    job = (await join(door, batch, reference="one")).json()
    await ended(door, batch)
    again = (await door.post(f"/v1/jobs/{job['id']}/retry")).json()
    assert (again["batch"], again["reference"], again["retry_of"]) == (None, "one", job["id"])
    assert shape(await door.get(batch["links"]["self"]))["counts"]["total"] == 1


# -- waiting ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["last job", "close", "cancel", "delete"])
async def test_who_waits_for_a_batch_is_woken_by_its_end(door: httpx2.AsyncClient, how: str) -> None:
    batch = await opened(door)
    path = batch["links"]["self"]
    if how == "last job":
        await door.post("/v1/queue:pause")
        await join(door, batch)
        await door.post(f"{path}/close")
    waiting = asyncio.create_task(door.get(path, headers={"Prefer": "wait=30"}))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    if how == "last job":
        await door.post("/v1/queue:resume")
    elif how == "delete":
        await door.delete(path)
    else:
        await door.post(f"{path}/{how}")
    async with asyncio.timeout(10):
        answer = await waiting
    if how == "delete":
        assert problem(answer) == (410, "result-expired")
        return
    assert shape(answer)["status"] == ("canceled" if how == "cancel" else "succeeded")
    assert answer.headers["preference-applied"] == "wait=30"


async def test_a_wait_that_is_over_answers_what_is(door: httpx2.AsyncClient) -> None:
    batch = await opened(door)
    answer = await door.get(f"{batch['links']['self']}?wait=0.05")
    assert shape(answer)["status"] == "open"
    assert problem(await door.get(f"{batch['links']['self']}?wait=99")) == (422, "invalid-parameter")
    archived = await door.get(f"{batch['links']['results']}?wait=0.05")
    assert problem(archived) == (409, "job-not-finished")


async def test_an_archive_can_be_waited_for(door: httpx2.AsyncClient) -> None:
    batch = await opened(door)
    await join(door, batch)
    await door.post(f"{batch['links']['self']}/close")
    assert len((await archive(door, batch, wait="20")).namelist()) == 1


# -- looking ---------------------------------------------------------------------------------------


async def test_batches_are_listed_with_a_cursor(door: httpx2.AsyncClient) -> None:
    made = [(await opened(door))["id"] for _ in range(3)]
    first = await door.get("/v1/batches?limit=2")
    schemas.BatchListShape.model_validate(first.json())
    assert [batch["id"] for batch in first.json()["items"]] == [made[2], made[1]]
    assert 'rel="next"' in first.headers["link"]
    second = (await door.get(f"/v1/batches?limit=2&cursor={first.json()['next_cursor']}")).json()
    assert ([batch["id"] for batch in second["items"]], second["next_cursor"]) == ([made[0]], None)
    assert problem(await door.get("/v1/batches?cursor=x")) == (422, "invalid-parameter")
    assert problem(await door.get("/v1/batches?limit=201")) == (422, "invalid-parameter")


async def test_a_batch_that_has_not_changed_is_not_sent_again(door: httpx2.AsyncClient) -> None:
    batch = await opened(door)
    answer = await door.get(batch["links"]["self"])
    assert int(answer.headers["retry-after"]) >= 1
    headers = {"If-None-Match": answer.headers["etag"]}
    assert (await door.get(batch["links"]["self"], headers=headers)).status_code == 304
    await join(door, batch)
    assert (await door.get(batch["links"]["self"], headers=headers)).status_code == 200


async def test_failures_are_bounded_and_the_rest_is_listed(door: httpx2.AsyncClient) -> None:
    files = form(*[(f"{number}.txt", b"no picture %d" % number) for number in range(103)])
    batch = shape(await door.post("/v1/batches", files=files, data={"ops": "png"}))
    assert batch["counts"]["failed"] == 103
    assert [found["filename"] for found in batch["failures"]] == [f"{number}.txt" for number in range(100)]
    (listed,) = (await door.get("/v1/batches")).json()["items"]
    assert len(listed["failures"]) == 10
    page = (await door.get(f"{batch['links']['failed']}&limit=200")).json()
    assert len(page["items"]) == 103


async def test_the_stats_name_the_batches_with_most_queued_jobs(door: httpx2.AsyncClient) -> None:
    await door.post("/v1/queue:pause")
    batch, other = await opened(door, name="few"), await opened(door, name="more")
    for each in (batch, other, other):
        await join(door, each)
    stats = (await door.get("/v1/stats")).json()
    schemas.StatsShape.model_validate(stats)
    assert stats["queue"]["top_batches"] == [
        {"id": other["id"], "name": "more", "queued": 2, "running": 0},
        {"id": batch["id"], "name": "few", "queued": 1, "running": 0},
    ]
