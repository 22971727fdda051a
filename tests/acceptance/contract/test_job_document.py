"""One document: every field of a job that has ended, and of one that waits or runs."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from tests.acceptance.contract.client import Api, Document, document, fresh, sha256
from tests.photos import photo

FIELDS = {
    *("id", "status", "priority", "reference", "batch", "retry_of", "attempts", "max_attempts", "timeout_ms"),
    *("not_before", "created_at", "started_at", "finished_at", "expires_at", "image", "outputs", "results"),
    *("queue", "progress", "timings", "history", "warnings", "error", "links"),
}
TIMINGS = {
    *("upload_ms", "queue_ms", "run_ms", "total_ms", "cpu_ms", "peak_memory_bytes", "memory_method", "steps"),
    "worker",
}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

PICTURE = photo(640, 480, seed=77)


@pytest.fixture(scope="module")
def two(house: Api) -> Document:
    """A job with two outputs, ended."""
    answer = house.form(
        PICTURE,
        outputs='{"thumb":"thumbnail:100x100/webp:70","grey":"resize:320x/grayscale"}',
        priority="high",
        reference="order 12",
    )
    assert answer.status_code == 202, answer.text
    return house.ended(document(answer)["id"])


@pytest.fixture(scope="module")
def one(house: Api) -> Document:
    """A job with one output, ended."""
    return house.run(PICTURE, "resize:300x200,fit=cover/grayscale/webp")


def moment(text: str) -> datetime:
    assert MOMENT.fullmatch(text), text
    return datetime.fromisoformat(text)


def test_every_field_is_there(two: Document) -> None:
    assert set(two) >= FIELDS
    assert set(two["timings"]) >= TIMINGS
    assert two["status"] == "succeeded", two["error"]


def test_the_id_is_a_prefixed_uuid_of_version_7(two: Document) -> None:
    assert two["id"].startswith("job_")
    assert UUID(two["id"].removeprefix("job_")).version == 7


def test_what_was_asked_is_repeated(two: Document) -> None:
    assert (two["priority"], two["reference"], two["batch"], two["retry_of"]) == (
        "high",
        "order 12",
        None,
        None,
    )
    assert two["timeout_ms"] == 30_000
    assert two["max_attempts"] == 3
    assert two["not_before"] is None
    assert two["outputs"] == [
        {"name": "thumb", "spec": "thumbnail:100x100/webp:70"},
        {"name": "grey", "spec": "resize:320x/grayscale"},
    ]


def test_moments_are_utc_with_milliseconds_and_in_order(two: Document) -> None:
    created, started, finished, expires = (
        moment(two[name]) for name in ("created_at", "started_at", "finished_at", "expires_at")
    )
    assert created <= started <= finished < expires
    assert abs(expires - finished - timedelta(days=7)) < timedelta(seconds=2)


def test_the_image_is_described_as_it_came(two: Document, house: Api) -> None:
    image = two["image"]
    assert image["id"] == "img_" + sha256(PICTURE)[:32]
    assert image["filename"] == "cat.jpg"
    assert image["content_type"] == "image/jpeg"
    assert (image["bytes"], image["sha256"]) == (len(PICTURE), sha256(PICTURE))
    assert (image["width"], image["height"]) == (640, 480)


def test_results_are_what_is_served(two: Document, house: Api) -> None:
    assert [result["name"] for result in two["results"]] == ["thumb", "grey"]
    assert [result["content_type"] for result in two["results"]] == ["image/webp", "image/jpeg"]
    assert [(result["width"], result["height"]) for result in two["results"]] == [(100, 75), (320, 240)]
    for result in two["results"]:
        served = house.get(result["url"])
        assert served.status_code == 200
        assert len(served.content) == result["bytes"]
        assert served.headers["etag"] == result["etag"]
        assert served.headers["content-type"] == result["content_type"]
        assert result["url"] == f"/v1/jobs/{two['id']}/results/{result['name']}"
        assert re.fullmatch(r'"[^"]+"', result["etag"])


def test_the_only_result_has_the_short_address(one: Document) -> None:
    assert one["outputs"] == [{"name": "default", "spec": "resize:300x200,fit=cover/grayscale/webp"}]
    assert one["results"][0]["name"] == "default"
    assert one["results"][0]["url"] == f"/v1/jobs/{one['id']}/result"


def test_an_ended_job_is_in_no_queue(one: Document) -> None:
    assert one["queue"] == {"position": None, "estimated_wait_ms": None}


def test_progress_is_complete_at_the_end(one: Document) -> None:
    assert one["progress"]["done"] == one["progress"]["total"] > 0
    assert one["progress"]["current"] is None


def test_timings_add_up(two: Document) -> None:
    timings = two["timings"]
    for name in ("upload_ms", "queue_ms", "run_ms", "total_ms", "cpu_ms"):
        assert isinstance(timings[name], (int, float))
        assert timings[name] >= 0
    parts = timings["upload_ms"] + timings["queue_ms"] + timings["run_ms"]
    assert timings["total_ms"] >= round(parts, 2)
    assert timings["run_ms"] >= sum(step["wall_ms"] for step in timings["steps"]) - 0.5
    assert timings["cpu_ms"] > 0
    assert timings["cpu_ms"] >= sum(step["cpu_ms"] for step in timings["steps"]) - 0.1
    wall = (moment(two["finished_at"]) - moment(two["created_at"])).total_seconds() * 1000
    assert timings["queue_ms"] + timings["run_ms"] <= wall + 50


def test_memory_is_measured_and_the_method_named(two: Document) -> None:
    assert 2**20 < two["timings"]["peak_memory_bytes"] < 2**31
    assert re.fullmatch(r"[a-z0-9_-]+", two["timings"]["memory_method"])


def test_steps_are_in_order_with_sizes(one: Document) -> None:
    steps = one["timings"]["steps"]
    shown = [(step["output"], step["op"]) for step in steps if step["op"] not in {"store", "load", "upright"}]
    assert shown == [
        (None, "decode"),
        ("default", "resize"),
        ("default", "grayscale"),
        ("default", "encode"),
    ]
    for step in steps:
        assert set(step) >= {"output", "op", "wall_ms", "cpu_ms", "in", "out"}
        assert step["wall_ms"] >= 0
        assert step["cpu_ms"] > 0
    by_name = {step["op"]: step for step in steps}
    assert by_name["decode"]["in"] is None
    width, height = by_name["decode"]["out"]
    assert 300 <= width <= 640
    assert 200 <= height <= 480
    assert by_name["resize"]["in"] == [width, height]
    for name in ("grayscale", "encode"):
        assert by_name[name]["in"] == by_name[name]["out"] == [300, 200]


def test_two_outputs_cost_one_decode(two: Document) -> None:
    steps = two["timings"]["steps"]
    assert [step["output"] for step in steps if step["op"] == "decode"] == [None]
    assert [step["output"] for step in steps if step["op"] == "encode"] == ["thumb", "grey"]


def test_the_worker_is_one_of_the_lanes(one: Document, house: Api) -> None:
    worker = one["timings"]["worker"]
    lanes = {lane["lane"]: lane["pid"] for lane in house.workers()["lanes"]}
    assert worker["lane"] in lanes
    assert worker["pid"] > 1


def test_history_tells_of_the_one_attempt(one: Document) -> None:
    assert one["attempts"] == 1
    (attempt,) = one["history"]
    assert (attempt["attempt"], attempt["outcome"]) == (1, "succeeded")
    assert attempt["lane"] == one["timings"]["worker"]["lane"]
    assert moment(attempt["started_at"]) <= moment(attempt["ended_at"])


def test_nothing_is_wrong(one: Document) -> None:
    assert one["error"] is None
    assert one["warnings"] == []


def test_every_link_leads_somewhere(one: Document, two: Document, house: Api) -> None:
    for found in (one, two):
        assert {"self", "result", "image"} <= set(found["links"])
        for name, link in found["links"].items():
            if link is not None:
                assert house.get(link).status_code == 200, (name, link)
    assert one["links"]["self"] == f"/v1/jobs/{one['id']}"
    assert one["links"]["result"] == f"/v1/jobs/{one['id']}/result"
    assert one["links"]["image"] == f"/v1/images/{one['image']['id']}"


def test_a_running_job_says_what_it_is_doing(house: Api) -> None:
    posted = house.submit(fresh(), "test-sleep:1.2/grayscale")
    running = house.until_running(posted["id"], "test-sleep")
    assert running["attempts"] == 1
    assert running["started_at"] is not None
    assert (running["finished_at"], running["expires_at"]) == (None, None)
    assert running["queue"] == {"position": None, "estimated_wait_ms": None}
    assert running["progress"]["done"] < running["progress"]["total"]
    assert running["results"] == []
    assert set(running) >= FIELDS
    ended = house.ended(posted["id"])
    assert ended["status"] == "succeeded"
    assert ended["timings"]["run_ms"] >= 1200
    assert ended["timings"]["total_ms"] >= ended["timings"]["run_ms"]


def test_the_accepted_document_is_the_same_document(house: Api) -> None:
    posted = house.submit(fresh())
    assert set(posted) >= FIELDS
    assert posted["status"] in {"queued", "running", "succeeded"}
    assert house.ended(posted["id"])["created_at"] == posted["created_at"]
