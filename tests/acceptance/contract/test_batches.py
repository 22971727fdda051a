"""Batches, from outside: joined by many, canceled, removed, expired, and whole after kill -9."""

from __future__ import annotations

import io
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from tests.acceptance.contract.client import Api, Document, document, fresh, opened, problem
from tests.servers import alive, serve, wait_until

KEYS = {"id", "status", "name", "counts", "failures", "created_at", "links"}
NEVER_WAS = "bat_0192f0c1a2b37c4d8e5f60718293a4b5"


def batch(api: Api, **said: str) -> Document:
    answer = api.post("/v1/batches", json=said)
    assert answer.status_code == 201, answer.text
    found = document(answer)
    assert answer.headers["location"] == f"/v1/batches/{found['id']}"
    assert set(found) == KEYS
    assert found["status"] == "open"
    return found


def now(api: Api, its: Document) -> Document:
    answer = api.get(f"/v1/batches/{its['id']}")
    assert answer.status_code == 200, answer.text
    return document(answer)


def ended(api: Api, its: Document) -> Document:
    """The batch, closed, once its last job has ended."""
    assert api.post(f"/v1/batches/{its['id']}/close").status_code == 200
    wait_until(lambda: now(api, its)["status"] not in {"open", "closed"}, 20, lambda: str(now(api, its)))
    return now(api, its)


def names(answer: httpx2.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as found:
        assert found.testzip() is None
        assert {entry.compress_type for entry in found.infolist()} <= {zipfile.ZIP_STORED}
        return found.namelist()


def test_eight_clients_fill_one_batch_and_say_everything_twice(house: Api) -> None:
    its = batch(house, name="eight")
    pictures = {f"no. {number}": fresh() for number in range(24)}

    def push(client: int) -> list[tuple[str, str]]:
        turn = list(pictures)[client * 3 :] + list(pictures)[: client * 3]
        answers = [house.raw(pictures[r], ops="png", batch=its["id"], reference=r) for r in turn]
        assert {answer.status_code for answer in answers} == {202}
        return [(r, document(answer)["id"]) for r, answer in zip(turn, answers, strict=True)]

    with ThreadPoolExecutor(8) as clients:
        told = {pair for pairs in clients.map(push, range(8)) for pair in pairs}
    assert len(told) == 24, "each reference has one job, whoever asks"
    done = ended(house, its)
    assert done["status"] == "succeeded"
    assert done["counts"] == {
        "total": 24, "queued": 0, "running": 0, "succeeded": 24, "failed": 0, "canceled": 0
    }  # fmt: skip  # a row
    found = names(house.get(f"/v1/batches/{its['id']}/results.zip?names=reference"))
    assert sorted(found) == sorted(f"{reference}.png" for reference in pictures)
    listed = document(house.get("/v1/jobs", params={"batch": its["id"], "reference": "no. 3"}))["items"]
    assert [(job["reference"], job["id"]) for job in listed] == [
        (reference, job) for reference, job in told if reference == "no. 3"
    ]


def test_results_are_in_the_order_in_which_the_jobs_joined(house: Api) -> None:
    its = batch(house)
    for number, seconds in enumerate((0.4, 0, 0.2, 0)):
        house.submit(fresh(), f"test-sleep:{seconds}/png", batch=its["id"], reference=f"{number}")
    problem(house.get(f"/v1/batches/{its['id']}/results.zip"), 409, "job-not-finished")
    ended(house, its)
    assert names(house.get(f"/v1/batches/{its['id']}/results.zip?names=reference")) == [
        "0.png", "1.png", "2.png", "3.png"
    ]  # fmt: skip  # a row
    found = problem(
        house.get(f"/v1/batches/{its['id']}/results.zip?names=nonsense"), 422, "invalid-parameter"
    )
    assert found["errors"][0]["pointer"] == "/names"


def test_a_failed_job_makes_a_failed_batch_and_says_why(house: Api) -> None:
    its = batch(house)
    half = fresh(640, 480)
    job = house.submit(half[: len(half) // 2], "png", batch=its["id"], reference="half")
    house.submit(fresh(), "png", batch=its["id"])
    done = ended(house, its)
    assert (done["status"], done["counts"]["failed"], done["counts"]["succeeded"]) == ("failed", 1, 1)
    (failure,) = done["failures"]
    assert (failure["job"], failure["reference"]) == (job["id"], "half")
    assert failure["error"]["code"] == "image-corrupt"
    assert len(names(house.get(f"/v1/batches/{its['id']}/results.zip"))) == 1


def test_canceling_kills_what_runs(house: Api) -> None:
    its = batch(house)
    jobs = [house.submit(fresh(), "test-spin:20/png", batch=its["id"])["id"] for _ in range(3)]
    house.until_running(jobs[0], "test-spin")
    pid = house.lane_of(jobs[0])["pid"]
    answer = house.post(f"/v1/batches/{its['id']}/cancel")
    assert answer.status_code == 200
    assert document(answer)["status"] == "canceled"
    assert document(answer)["counts"]["canceled"] == 3
    wait_until(lambda: not alive(pid), 5)
    assert {house.job(job)["status"] for job in jobs} == {"canceled"}
    problem(house.raw(fresh(), ops="png", batch=its["id"]), 422, "invalid-parameter")
    problem(house.get(f"/v1/batches/{its['id']}/results.zip"), 409, "job-canceled")


def test_removing_leaves_no_file_behind(house: Api) -> None:
    before = house.files()
    its = batch(house)
    done = house.run(fresh(), "png", batch=its["id"])["id"]
    runs = house.submit(fresh(), "test-spin:20/png", batch=its["id"])["id"]
    house.until_running(runs)
    assert house.delete(f"/v1/batches/{its['id']}").status_code == 204
    assert house.delete(f"/v1/batches/{its['id']}").status_code == 204
    for path in (f"/v1/batches/{its['id']}", f"/v1/jobs/{done}", f"/v1/jobs/{runs}"):
        problem(house.get(path), 410, "result-expired")
    house.until_files(before)
    problem(house.get(f"/v1/batches/{NEVER_WAS}"), 404, "not-found")
    problem(house.delete(f"/v1/batches/{NEVER_WAS}"), 404, "not-found")


def test_a_form_may_be_larger_than_one_image_may_be(narrow: Api) -> None:
    """The limit of 100,000 bytes is for each of them."""
    files = [("file", (f"{number}.jpg", fresh() + bytes(90_000), "image/jpeg")) for number in range(30)]
    files.append(("file", ("large.jpg", fresh() + bytes(100_001), "image/jpeg")))
    answer = narrow.post("/v1/batches", files=files, data={"ops": "png"})
    assert answer.status_code in {201, 202}, answer.text
    done = ended(narrow, document(answer))
    assert (done["status"], done["counts"]["succeeded"]) == ("failed", 30)
    (failure,) = done["failures"]
    assert (failure["filename"], failure["error"]["code"]) == ("large.jpg", "body-too-large")
    assert failure["error"]["limit"] == 100_000


def test_one_key_makes_one_batch(house: Api) -> None:
    headers = {"Idempotency-Key": f"batch-{time.time_ns()}"}
    answers = [house.post("/v1/batches", json={"name": "once"}, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert document(answers[0]) == document(answers[1])
    assert answers[1].headers["idempotent-replayed"] == "true"
    headers = {"Idempotency-Key": f"form-{time.time_ns()}"}
    files = [("file", (f"{number}.jpg", fresh(), "image/jpeg")) for number in range(3)]
    answers = [house.post("/v1/batches", files=files, data={"ops": "png"}, headers=headers) for _ in range(2)]
    assert document(answers[0])["id"] == document(answers[1])["id"]
    files[1] = ("file", ("1.jpg", fresh(), "image/jpeg"))
    other = house.post("/v1/batches", files=files, data={"ops": "png"}, headers=headers)
    problem(other, 422, "idempotency-key-reused")


def test_a_batch_goes_with_its_jobs_and_one_that_nobody_fills_goes_too(hasty: Api) -> None:
    empty, its = batch(hasty), batch(hasty)
    hasty.run(fresh(), "png", batch=its["id"])
    ended(hasty, its)
    for gone in (its, empty):
        path = f"/v1/batches/{gone['id']}"
        wait_until(lambda path=path: hasty.get(path).status_code == 410, 15)  # type: ignore[misc]  # bound at once


@pytest.mark.parametrize("removed", [False, True])
def test_a_batch_survives_kill_9(tmp_path: Path, removed: bool) -> None:
    data = tmp_path / "data"
    with serve(data) as server:
        api = Api(server)
        api.post("/v1/queue:pause")
        its = batch(api, name="kept")
        for number in range(3):
            api.submit(fresh(), "png", batch=its["id"], reference=f"{number}")
        if removed:
            api.delete(f"/v1/batches/{its['id']}")
        below = server.descendants()
        server.kill()
        wait_until(lambda: not any(alive(pid) for pid in below), 10)
        api.http.close()
    with opened(data) as again:
        if removed:
            problem(again.get(f"/v1/batches/{its['id']}"), 410, "result-expired")
            return
        assert now(again, its)["counts"]["queued"] == 3
        first = again.submit(fresh(), "png", batch=its["id"], reference="1")
        assert now(again, its)["counts"]["total"] == 3, first
        again.post("/v1/queue:resume")
        assert ended(again, its)["status"] == "succeeded"
