"""Cancel, retry and delete: what happens to jobs and to their bytes."""

from __future__ import annotations

import pytest

from tests.acceptance.contract.client import Api, document, fresh, problem
from tests.servers import alive, wait_until


def test_canceling_a_running_job_frees_its_lane(house: Api) -> None:
    posted = house.submit(fresh(), "test-spin:25")
    house.until_running(posted["id"])
    pid = house.lane_of(posted["id"])["pid"]
    answer = house.post(f"/v1/jobs/{posted['id']}/cancel")
    assert answer.status_code == 200
    assert document(answer)["status"] in {"canceled", "running"}
    ended = house.ended(posted["id"], 5)
    assert ended["status"] == "canceled"
    assert ended["error"] is None or ended["error"]["code"] == "job-canceled"
    wait_until(lambda: not alive(pid), 5)
    problem(house.get(f"/v1/jobs/{posted['id']}/result"), 409, "job-canceled")
    problem(house.get(f"/v1/jobs/{posted['id']}/results.zip"), 409, "job-canceled")
    house.is_fine()


def test_canceling_what_has_ended_changes_nothing(house: Api) -> None:
    job = house.run(fresh())
    answer = house.post(f"/v1/jobs/{job['id']}/cancel")
    assert (answer.status_code, document(answer)) == (200, job)
    assert house.get(job["results"][0]["url"]).status_code == 200


def test_canceling_twice_is_the_same(house: Api) -> None:
    posted = house.submit(fresh(), "test-sleep:20")
    for _ in range(2):
        assert house.post(f"/v1/jobs/{posted['id']}/cancel").status_code == 200
    assert house.ended(posted["id"])["status"] == "canceled"


def test_a_retry_is_a_new_job_of_the_same_kind(house: Api) -> None:
    answer = house.form(
        fresh(), name="Ä.jpg", outputs='{"a":"flip","b":"thumbnail:9x9/png"}', reference="r", priority="low"
    )
    first = house.ended(document(answer)["id"])
    answer = house.post(f"/v1/jobs/{first['id']}/retry")
    assert answer.status_code == 202
    again = document(answer)
    assert answer.headers["location"] == f"/v1/jobs/{again['id']}"
    assert int(answer.headers["retry-after"]) >= 0
    assert again["id"] != first["id"]
    assert again["retry_of"] == first["id"]
    again = house.ended(again["id"])
    assert again["status"] == "succeeded"
    for field in ("outputs", "image", "priority", "reference", "timeout_ms", "max_attempts"):
        assert again[field] == first[field], field
    assert house.job(first["id"]) == first


def test_a_failed_and_a_canceled_job_can_be_tried_again(house: Api) -> None:
    failed = house.run(fresh(400, 300)[:6000])
    again = document(house.post(f"/v1/jobs/{failed['id']}/retry"))
    assert house.ended(again["id"])["error"]["code"] == "image-corrupt"
    canceled = house.submit(fresh(), "test-sleep:0.3")
    house.post(f"/v1/jobs/{canceled['id']}/cancel")
    house.ended(canceled["id"])
    again = document(house.post(f"/v1/jobs/{canceled['id']}/retry"))
    assert house.ended(again["id"])["status"] == "succeeded"


def test_deleting_removes_the_job_and_its_bytes_and_is_remembered(house: Api) -> None:
    before = house.files()
    job = house.outputs(fresh(), {"a": "flip", "b": "png"})
    assert len(house.files() - before) == 3
    for _ in range(2):
        answer = house.delete(f"/v1/jobs/{job['id']}")
        assert (answer.status_code, answer.content) == (204, b"")
    problem(house.get(f"/v1/jobs/{job['id']}"), 410, "result-expired")
    for tail in ("/result", "/results/a", "/results/never", "/results.zip"):
        problem(house.get(f"/v1/jobs/{job['id']}{tail}"), 410, "result-expired")
    problem(house.post(f"/v1/jobs/{job['id']}/cancel"), 410, "result-expired")
    problem(house.post(f"/v1/jobs/{job['id']}/retry"), 410, "result-expired")
    assert house.head(f"/v1/jobs/{job['id']}").status_code == 410
    assert job["id"] not in house.get("/v1/jobs", params={"limit": "50"}).text
    house.until_files(before)


@pytest.mark.parametrize("ops", ["test-sleep:20", "test-spin:20"])
def test_deleting_a_running_job_ends_it(house: Api, ops: str) -> None:
    before = house.files()
    posted = house.submit(fresh(), ops)
    house.until_running(posted["id"])
    pid = house.lane_of(posted["id"])["pid"]
    assert house.delete(f"/v1/jobs/{posted['id']}").status_code == 204
    wait_until(lambda: not alive(pid), 5)
    problem(house.get(f"/v1/jobs/{posted['id']}"), 410, "result-expired")
    house.until_files(before)
    house.is_fine()


def test_an_image_that_other_jobs_have_outlives_one(house: Api) -> None:
    picture = fresh()
    first, second = house.run(picture), house.run(picture, "flip")
    assert first["image"]["id"] == second["image"]["id"]
    assert house.delete(f"/v1/jobs/{first['id']}").status_code == 204
    assert house.get(second["links"]["image"]).status_code == 200
    assert house.get(second["results"][0]["url"]).status_code == 200
    again = document(house.post(f"/v1/jobs/{second['id']}/retry"))
    assert house.ended(again["id"])["status"] == "succeeded"


def test_a_stored_image_outlives_its_jobs(house: Api) -> None:
    picture = fresh()
    stored = document(house.raw(picture, path="/v1/images"))["id"]
    job = house.run(picture)
    house.delete(f"/v1/jobs/{job['id']}")
    assert house.get(f"/v1/images/{stored}/content").content == picture


def test_bulk_cancel_without_a_filter_is_not_a_mistake_that_costs_everything(house: Api) -> None:
    answer = house.post("/v1/jobs:cancel", params={"status": "succeeded"})
    problem(answer, 422, "invalid-parameter")
    answer = house.post("/v1/jobs:cancel", params={"status": "nonsense"})
    problem(answer, 422, "invalid-parameter")
