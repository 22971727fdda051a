"""The waiting line: paused, full, canceled in bulk, and kept over restarts."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.contract.client import Api, document, fresh, opened, problem
from tests.servers import wait_until


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server with room for four jobs, standing still."""
    with opened(
        tmp_path_factory.mktemp("line") / "data", queue_limit=4, sync_wait=1, test_operations=1
    ) as api:
        assert api.post("/v1/queue:pause").status_code in {200, 204}
        yield api


@pytest.fixture(autouse=True)
def _an_empty_line(line: Api) -> Iterator[None]:
    yield
    assert line.post("/v1/jobs:cancel", params={"status": "queued"}).status_code == 200


def test_a_waiting_job_knows_its_place(line: Api) -> None:
    made = [line.submit(fresh(), "flip") for _ in range(3)]
    jobs = [line.job(job["id"]) for job in made]
    assert [job["queue"]["position"] for job in jobs] == [1, 2, 3]
    for job in jobs:
        assert job["status"] == "queued"
        assert job["queue"]["estimated_wait_ms"] is None or job["queue"]["estimated_wait_ms"] >= 0
        assert (job["attempts"], job["history"], job["results"]) == (0, [], [])
        assert (job["started_at"], job["finished_at"], job["expires_at"]) == (None, None, None)
        assert job["progress"]["done"] == 0
        assert job["progress"]["current"] is None
    assert line.submit(fresh(), "flip", priority="high")["queue"]["position"] == 1


def test_a_full_line_says_when_to_come_back_and_reads_go_on(line: Api) -> None:
    made = [line.submit(fresh(), "flip") for _ in range(4)]
    with_four = line.files()
    found = problem(line.raw(fresh(), ops="flip"), 503, "queue-full")
    assert found.get("limit") in {4, None}
    problem(line.form(fresh(), ops="flip"), 503, "queue-full")
    assert line.files() == with_four
    assert line.job(made[0]["id"])["status"] == "queued"
    ready = line.get("/readyz")
    assert ready.status_code == 200
    assert "queue" in str(document(ready)["degraded"])
    line.post(f"/v1/jobs/{made[0]['id']}/cancel")
    line.submit(fresh(), "flip")
    line.post("/v1/jobs:cancel", params={"status": "queued"})
    for job in line.get("/v1/jobs").json()["items"]:
        line.delete(f"/v1/jobs/{job['id']}")
    line.until_files(set())


def test_a_queued_job_is_canceled_at_once(line: Api) -> None:
    posted = line.submit(fresh(), "flip")
    answer = line.post(f"/v1/jobs/{posted['id']}/cancel")
    job = document(answer)
    assert (answer.status_code, job["status"], job["attempts"]) == (200, "canceled", 0)
    assert job["finished_at"] is not None
    assert job["queue"]["position"] is None
    problem(line.get(f"/v1/jobs/{job['id']}/result"), 409, "job-canceled")
    assert line.get(f"/v1/jobs/{job['id']}", headers={"Prefer": "wait=5"}).json() == job


def test_all_that_wait_are_canceled_in_bulk(line: Api) -> None:
    made = [line.submit(fresh(), "flip")["id"] for _ in range(3)]
    answer = line.post("/v1/jobs:cancel", params={"status": "queued"})
    assert answer.status_code == 200
    assert 3 in document(answer).values()
    assert {line.job(each)["status"] for each in made} == {"canceled"}


@pytest.mark.parametrize(
    ("batch", "status", "code"),
    [("", 422, "invalid-parameter"), ("bat_" + "0" * 32, 404, "not-found"), ("x", 404, "not-found")],
)
def test_a_batch_that_is_none_cancels_nothing(line: Api, batch: str, status: int, code: str) -> None:
    posted = line.submit(fresh(), "flip")
    answer = line.post("/v1/jobs:cancel", params={"status": "queued", "batch": batch})
    problem(answer, status, code)
    assert line.job(posted["id"])["status"] == "queued"


def test_a_reference_beside_a_blank_batch_is_a_mistake(line: Api) -> None:
    for answer in (
        line.form(fresh(), ops="flip", batch="", reference="a.jpg"),
        line.form(fresh(), ops="flip", reference="a.jpg", batch=" "),
        line.raw(fresh(), ops="flip", batch="", reference="a.jpg"),
    ):
        assert [fault["pointer"] for fault in problem(answer, 422, "invalid-parameter")["errors"]] == [
            "/batch"
        ]
    assert document(line.form(fresh(), ops="flip", batch=""))["batch"] is None
    assert document(line.form(fresh(), ops="flip", reference="a.jpg"))["batch"] is None


def test_a_form_of_more_files_than_may_ever_wait_is_refused_for_good(line: Api) -> None:
    files = [("file", (f"{number}.jpg", fresh())) for number in range(5)]
    found = problem(line.http.post("/v1/batches", files=files, data={"ops": "flip"}), 422, "too-many-files")
    assert found["limit"] == 4
    line.submit(fresh(), "flip")
    refused = line.http.post("/v1/batches", files=files[:4], data={"ops": "flip"})
    assert problem(refused, 503, "queue-full")["limit"] == 4
    assert line.http.post("/v1/batches", files=files[:3], data={"ops": "flip"}).status_code == 202


def test_a_deleted_job_leaves_the_line(line: Api) -> None:
    first, second = line.submit(fresh(), "flip"), line.submit(fresh(), "flip")
    assert line.delete(f"/v1/jobs/{first['id']}").status_code == 204
    assert line.job(second["id"])["queue"]["position"] == 1


def test_an_image_that_waits_to_be_read_is_in_use(line: Api) -> None:
    posted = line.submit(fresh(), "flip")
    problem(line.delete(posted["links"]["image"]), 409, "image-in-use")
    line.post(f"/v1/jobs/{posted['id']}/cancel")
    assert line.delete(posted["links"]["image"]).status_code == 204


def test_what_has_not_ended_cannot_be_retried(line: Api) -> None:
    posted = line.submit(fresh(), "flip")
    answer = line.post(f"/v1/jobs/{posted['id']}/retry")
    assert answer.status_code == 409
    problem(answer, 409, "job-not-finished")


def test_the_line_is_counted(line: Api) -> None:
    line.submit(fresh(), "flip")
    stats = document(line.get("/v1/stats"))
    assert stats["queue"]["depth"] == 1
    assert stats["queue"]["paused"] is True
    assert stats["queue"]["bytes"] > 0


def test_a_call_that_gets_no_lane_is_told_so(line: Api) -> None:
    assert line.process(fresh(), "flip").status_code == 200  # calls are not in the line that stands still
    line.post("/v1/queue:resume")
    busy = [line.submit(fresh(), "test-sleep:9")["id"] for _ in range(2)]
    for each in busy:
        line.until_running(each)
    began = time.monotonic()
    problem(line.process(fresh(), "flip"), 503, "queue-timeout")
    assert 0.8 < time.monotonic() - began < 8
    for each in busy:
        line.delete(f"/v1/jobs/{each}")
    wait_until(lambda: line.process(fresh(), "flip").status_code == 200, 10)
    line.post("/v1/queue:pause")


def test_a_pause_and_what_waits_outlive_a_restart(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with opened(data) as api:
        api.post("/v1/queue:pause")
        made = [api.submit(fresh(), "resize:20x/png")["id"] for _ in range(3)]
    with opened(data) as api:
        assert [api.job(each)["queue"]["position"] for each in made] == [1, 2, 3]
        assert api.post("/v1/queue:pause").status_code in {200, 204}
        assert api.post("/v1/queue:resume").status_code in {200, 204}
        assert [api.ended(each)["status"] for each in made] == ["succeeded"] * 3
        assert [api.job(each)["attempts"] for each in made] == [1, 1, 1]
    with opened(data) as api:
        assert document(api.get("/v1/stats"))["queue"]["paused"] is False
        for each in made:
            assert api.get(f"/v1/jobs/{each}/result").status_code == 200
        cursor = api.get("/v1/jobs", params={"limit": "2"}).json()["next_cursor"]
        assert re.search(r"\w", cursor)
