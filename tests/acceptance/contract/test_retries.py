"""What may pass is tried again after a pause; work that takes its workers with it is left alone a while."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.contract.client import Api, Document, check_problem, document, fresh, opened, problem
from tests.servers import wait_until


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server whose jobs wait for so long before another try that a client sees it."""
    data = tmp_path_factory.mktemp("patient") / "data"
    with opened(data, test_operations=1, retry_base=3600, retry_cap=3600, quarantine_after=5) as api:
        yield api


def held(api: Api, job: Document) -> list[Document]:
    return [each for each in api.workers()["quarantine"] if each["image"] == job["image"]["id"]]


def tasks(api: Api) -> int:
    return sum(lane["tasks"] for lane in api.workers()["lanes"])


def test_a_job_that_waits_for_another_try_says_until_when(patient: Api) -> None:
    posted = patient.submit(fresh(), "test-crash:segv", max_attempts=3)
    wait_until(lambda: patient.job(posted["id"])["not_before"] is not None)
    job = patient.job(posted["id"])
    assert (job["status"], job["attempts"], job["error"]) == ("queued", 1, None)
    assert [start["outcome"] for start in job["history"]] == ["crashed"]
    assert job["not_before"] > job["history"][0]["ended_at"]
    assert job["queue"]["position"] == 1
    assert job["queue"]["estimated_wait_ms"] > 0
    # Nobody is held up by it, and it can be canceled.
    assert patient.run(fresh())["status"] == "succeeded"
    canceled = document(patient.post(f"/v1/jobs/{posted['id']}/cancel"))
    assert (canceled["status"], canceled["not_before"]) == ("canceled", None)


def test_one_attempt_means_no_pause(patient: Api) -> None:
    job = patient.run(fresh(), "test-crash:exit", max_attempts=1)
    assert (job["status"], job["attempts"], job["not_before"]) == ("failed", 1, None)


@pytest.mark.parametrize("attempts", ["0", "11", "1.5", "many"])
def test_attempts_have_bounds(house: Api, attempts: str) -> None:
    found = problem(house.raw(fresh(), ops="flip", max_attempts=attempts), 422, "invalid-parameter")
    assert found["errors"][0]["pointer"] == "/max_attempts"


@pytest.mark.parametrize("attempts", [1, 10])
def test_attempts_within_their_bounds_are_taken(house: Api, attempts: int) -> None:
    job = house.run(fresh(), max_attempts=attempts)
    assert (job["status"], job["max_attempts"]) == ("succeeded", attempts)


def test_work_that_lost_two_workers_is_refused_for_a_while(house: Api) -> None:
    picture = fresh()
    job = house.run(picture, "test-crash:segv", max_attempts=10)
    check_problem(job["error"], 422, "worker-crashed")
    assert [start["outcome"] for start in job["history"]] == ["crashed", "crashed"]
    (seen,) = held(house, job)
    assert (seen["specs"], seen["losses"]) == (["test-crash:segv"], 2)
    assert 0 < seen["left_ms"] <= 600_000

    before = tasks(house)
    again = house.submit(picture, "test-crash:segv")
    assert (again["status"], again["attempts"], again["history"]) == ("failed", 0, [])
    check_problem(again["error"], 422, "worker-crashed")
    problem(house.get(f"/v1/jobs/{again['id']}/result"), 422, "worker-crashed")
    retried = document(house.post(f"/v1/jobs/{job['id']}/retry"))
    assert (retried["status"], retried["attempts"]) == ("failed", 0)
    problem(house.process(picture, "test-crash:segv"), 422, "worker-crashed")
    assert tasks(house) == before

    # Another pipeline on the same picture, and the same pipeline on another picture, have done nothing.
    assert house.run(picture, "flip")["status"] == "succeeded"
    assert house.process(picture, "flip").status_code == 200
    assert house.run(fresh(), "test-crash:segv", max_attempts=1)["attempts"] == 1


def test_calls_count_too(house: Api) -> None:
    picture = fresh()
    for _ in range(2):
        problem(house.process(picture, "test-crash:kill"), 422, "worker-crashed")
    before = tasks(house)
    found = problem(house.process(picture, "test-crash:kill"), 422, "worker-crashed")
    assert "2 times in a row" in found["detail"]
    assert house.submit(picture, "test-crash:kill")["status"] == "failed"
    assert tasks(house) == before


def test_a_deadline_and_a_cancel_put_nothing_into_quarantine(house: Api) -> None:
    picture = fresh()
    for _ in range(2):
        job = house.run(picture, "test-sleep:20", timeout=0.1)
        assert job["error"]["code"] == "processing-timeout"
        posted = house.submit(picture, "test-sleep:20")
        house.until_running(posted["id"])
        house.post(f"/v1/jobs/{posted['id']}/cancel")
    assert held(house, job) == []
