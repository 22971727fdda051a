"""Asking for a job: long polls, conditions, unknown ids."""

from __future__ import annotations

import time

import pytest

from tests.acceptance.contract.client import NEVER_WAS, Api, document, fresh, problem


def test_an_unchanged_job_is_304(house: Api) -> None:
    job = house.run(fresh())
    answer = house.get(f"/v1/jobs/{job['id']}")
    etag = answer.headers["etag"]
    again = house.get(f"/v1/jobs/{job['id']}", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == etag
    assert house.get(f"/v1/jobs/{job['id']}", headers={"If-None-Match": '"other"'}).status_code == 200
    assert house.head(f"/v1/jobs/{job['id']}").headers["etag"] == etag


def test_another_state_is_another_etag(house: Api) -> None:
    posted = house.submit(fresh(), "test-sleep:0.5")
    before = house.get(f"/v1/jobs/{posted['id']}").headers["etag"]
    house.ended(posted["id"])
    after = house.get(f"/v1/jobs/{posted['id']}", headers={"If-None-Match": before})
    assert after.status_code == 200
    assert after.headers["etag"] != before


def test_a_long_poll_ends_with_the_job(house: Api) -> None:
    posted = house.submit(fresh(), "test-sleep:1.0")
    began = time.monotonic()
    answer = house.get(f"/v1/jobs/{posted['id']}", headers={"Prefer": "wait=20"})
    assert document(answer)["status"] == "succeeded"
    assert 0.3 < time.monotonic() - began < 15
    assert answer.headers["preference-applied"] == "wait=20"


def test_a_long_poll_ends_in_time_with_the_job_as_it_is(house: Api) -> None:
    posted = house.submit(fresh(), "test-sleep:4")
    began = time.monotonic()
    answer = house.get(f"/v1/jobs/{posted['id']}", headers={"Prefer": "wait=1"})
    assert answer.status_code == 200
    assert document(answer)["status"] in {"queued", "running"}
    assert 0.9 < time.monotonic() - began < 15
    house.post(f"/v1/jobs/{posted['id']}/cancel")


def test_a_wait_in_the_query_is_a_long_poll_too(house: Api) -> None:
    posted = house.submit(fresh(), "test-sleep:0.5")
    answer = house.get(f"/v1/jobs/{posted['id']}", params={"wait": "10"})
    assert document(answer)["status"] == "succeeded"
    found = problem(house.get(f"/v1/jobs/{posted['id']}", params={"wait": "31"}), 422, "invalid-parameter")
    assert "30" in str(found["errors"][0]["allowed"])


def test_a_long_poll_sees_a_cancel(house: Api) -> None:
    posted = house.submit(fresh(), "test-sleep:20")
    house.until_running(posted["id"])
    canceled = house.post(f"/v1/jobs/{posted['id']}/cancel")
    assert canceled.status_code == 200
    assert house.ended(posted["id"])["status"] == "canceled"


def test_a_poll_of_an_unfinished_job_says_when_to_come_back(house: Api) -> None:
    posted = house.submit(fresh(), "test-sleep:1")
    answer = house.get(f"/v1/jobs/{posted['id']}")
    assert int(answer.headers["retry-after"]) >= 0
    house.ended(posted["id"])
    assert "retry-after" not in house.get(f"/v1/jobs/{posted['id']}").headers


@pytest.mark.parametrize(
    "identity",
    [
        NEVER_WAS,
        "job_",
        "job_x",
        "img_" + "0" * 32,
        "x" * 3000,
        "%00",
        "%2e%2e",
        "job_%0d%0a",
        NEVER_WAS.upper(),
        "♥",
    ],
)
def test_unknown_ids_are_not_found_never_pending(house: Api, identity: str) -> None:
    problem(house.get(f"/v1/jobs/{identity}"), 404, "not-found")
    for verb in ("cancel", "retry"):
        problem(house.post(f"/v1/jobs/{identity}/{verb}"), 404, "not-found")
    problem(house.delete(f"/v1/jobs/{identity}"), 404, "not-found")


def test_answers_about_jobs_are_not_stored_by_anybody(house: Api) -> None:
    job = house.run(fresh())
    for path in (f"/v1/jobs/{job['id']}", "/v1/jobs"):
        control = house.get(path).headers["cache-control"]
        assert "no-store" in control or "no-cache" in control
