"""Work that does not end, dies or eats memory costs exactly itself."""

from __future__ import annotations

import io
import json
import time

import pytest
from PIL import Image

from tests.acceptance.contract.client import Api, check_problem, document, fresh, problem
from tests.servers import wait_until


def restarts(api: Api) -> int:
    return sum(lane["restarts"] for lane in api.workers()["lanes"])


@pytest.mark.parametrize("ops", ["test-sleep:20", "test-spin:20"])
def test_a_job_that_does_not_end_is_ended(hasty: Api, ops: str) -> None:
    began = time.monotonic()
    job = hasty.run(fresh(), f"flip/{ops}")
    assert time.monotonic() - began < 15
    assert job["status"] == "failed"
    check_problem(job["error"], 422, "processing-timeout")
    assert ops.partition(":")[0] in job["error"]["detail"]
    assert (job["attempts"], len(job["history"]), job["results"]) == (1, 1, [])
    assert job["timeout_ms"] == 1000
    problem(hasty.get(f"/v1/jobs/{job['id']}/result"), 422, "processing-timeout")
    hasty.is_fine()


def test_a_call_that_does_not_end_is_ended(hasty: Api) -> None:
    began = time.monotonic()
    found = problem(hasty.process(fresh(), "test-spin:20"), 422, "processing-timeout")
    assert time.monotonic() - began < 15
    assert "test-spin" in found["detail"]
    hasty.is_fine()


def test_a_job_may_ask_for_less_time(house: Api) -> None:
    job = house.run(fresh(), "test-sleep:20", timeout=1)
    assert job["error"]["code"] == "processing-timeout"
    assert job["timeout_ms"] == 1000


@pytest.mark.parametrize("how", ["segv", "kill", "exit"])
def test_a_worker_that_dies_is_tried_again_and_told(hasty: Api, how: str) -> None:
    job = hasty.run(fresh(), f"test-crash:{how}")
    assert job["status"] == "failed"
    check_problem(job["error"], 422, "worker-crashed")
    assert job["attempts"] == len(job["history"]) >= 2
    assert [entry["attempt"] for entry in job["history"]] == list(range(1, job["attempts"] + 1))
    assert all(entry["outcome"] != "succeeded" for entry in job["history"])
    assert all(entry["ended_at"] for entry in job["history"])
    hasty.is_fine()
    last = [lane["last_restart"] for lane in hasty.workers()["lanes"] if lane["last_restart"]]
    assert last
    assert all(each["reason"] and each["at"] for each in last)


def test_one_try_is_one_try(hasty: Api) -> None:
    job = hasty.run(fresh(), "test-crash:kill", max_attempts=1)
    assert (job["error"]["code"], job["attempts"]) == ("worker-crashed", 1)


def test_a_neighbour_notices_nothing(house: Api) -> None:
    neighbour = house.submit(fresh(), "test-sleep:1.5/png")
    house.until_running(neighbour["id"], "test-sleep")
    assert house.run(fresh(), "test-crash:segv")["status"] == "failed"
    ended = house.ended(neighbour["id"])
    assert (ended["status"], ended["attempts"]) == ("succeeded", 1)


@pytest.mark.parametrize("size", [600 * 2**20, 10**12])
def test_memory_has_a_ceiling_and_the_lane_lives(hasty: Api, size: int) -> None:
    before = restarts(hasty)
    job = hasty.run(fresh(), f"test-memory:{size}")
    assert job["status"] == "failed"
    check_problem(job["error"], 422, "image-too-large-for-memory")
    assert job["attempts"] == 1
    assert restarts(hasty) == before
    hasty.is_fine()


def test_memory_below_the_ceiling_is_there(hasty: Api) -> None:
    job = hasty.run(fresh(), f"test-memory:{100 * 2**20}/png")
    assert job["status"] == "succeeded"
    assert job["timings"]["peak_memory_bytes"] > 100 * 2**20


def test_what_can_not_fit_is_refused_before_it_starts(hasty: Api) -> None:
    file = io.BytesIO()
    Image.new("RGB", (4000, 4000), (9, 99, 200)).save(file, "PNG")
    before = sum(lane["tasks"] for lane in hasty.workers()["lanes"])
    found = problem(hasty.raw(file.getvalue(), ops="avif"), 422, "image-too-large-for-memory")
    assert found["actual"] > found["limit"] == 512 * 2**20
    assert sum(lane["tasks"] for lane in hasty.workers()["lanes"]) == before
    problem(hasty.process(file.getvalue(), "avif"), 422, "image-too-large-for-memory")
    assert hasty.process(file.getvalue(), "crop:8x8/png").status_code == 200


def test_several_outputs_are_all_or_nothing_and_the_guilty_is_named(hasty: Api) -> None:
    before = hasty.files()
    job = hasty.outputs(fresh(), {"fine": "flip/png", "guilty": "test-memory:900000000", "other": "flop"})
    assert (job["status"], job["results"]) == ("failed", [])
    assert "guilty" in json.dumps(job["error"])
    assert "fine" not in json.dumps(job["error"])
    assert len(hasty.files() - before) <= 1  # the image
    assert "results" not in {name.partition("/")[0] for name in hasty.files() - before}
    problem(hasty.get(f"/v1/jobs/{job['id']}/results/fine"), 422, "image-too-large-for-memory")


def test_a_killed_output_is_named_too(hasty: Api) -> None:
    job = hasty.outputs(fresh(), {"fine": "flip/png", "guilty": "test-sleep:9"})
    assert (job["status"], job["results"]) == ("failed", [])
    assert job["error"]["code"] == "processing-timeout"
    assert "guilty" in json.dumps(job["error"])


def test_calls_wait_so_long_and_no_longer_for_a_lane(hasty: Api) -> None:
    busy = [hasty.submit(fresh(), "test-sleep:0.9") for _ in range(6)]
    hasty.until_running(busy[0]["id"])
    hasty.until_running(busy[1]["id"])
    # A call goes before the jobs that wait: it gets the next lane.
    assert hasty.process(fresh(), "flip").status_code == 200
    for job in busy:
        hasty.delete(f"/v1/jobs/{job['id']}")


def test_nothing_is_kept_longer_than_promised(hasty: Api) -> None:
    job = hasty.run(fresh(), "flip")
    image = job["image"]["id"]
    assert document(hasty.get(f"/v1/images/{image}"))["id"] == image
    age = hasty.get(job["results"][0]["url"]).headers["cache-control"].rpartition("=")[2]
    assert int(age) <= 4
    wait_until(lambda: hasty.get(f"/v1/jobs/{job['id']}").status_code != 200, 10)
    problem(hasty.get(f"/v1/jobs/{job['id']}"), 410, "result-expired")
    problem(hasty.get(f"/v1/jobs/{job['id']}/result"), 410, "result-expired")
    wait_until(lambda: hasty.get(f"/v1/images/{image}").status_code in {404, 410}, 10)
    traces = (image[4:], job["id"][4:])
    wait_until(lambda: not any(trace in name for name in hasty.files() for trace in traces), 10)
    assert hasty.delete(f"/v1/jobs/{job['id']}").status_code == 204
