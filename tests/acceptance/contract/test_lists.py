"""Lists: filters and cursors, newest first."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from tests.acceptance.contract.client import Api, Document, document, fresh, problem


def listed(house: Api, path: str = "/v1/jobs", **query: object) -> Document:
    answer = house.get(path, params={key: str(value) for key, value in query.items()})
    assert answer.status_code == 200, answer.text
    found = document(answer)
    assert set(found) == {"items", "next_cursor"}
    return found


def walk(house: Api, path: str = "/v1/jobs", **query: object) -> list[str]:
    seen: list[str] = []
    page = listed(house, path, **query)
    while True:
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            return seen
        page = listed(house, path, cursor=page["next_cursor"], **query)


def many(house: Api, count: int, reference: str) -> list[str]:
    return [house.submit(fresh(), reference=reference)["id"] for _ in range(count)]


def test_the_newest_comes_first_and_documents_are_whole(house: Api) -> None:
    reference = uuid4().hex
    made = many(house, 3, reference)
    for each in made:
        house.ended(each)
    found = listed(house, reference=reference)
    assert [item["id"] for item in found["items"]] == made[::-1]
    assert found["next_cursor"] is None
    assert found["items"][0] == house.job(made[-1])


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_a_walk_meets_every_job_once(house: Api, limit: int) -> None:
    reference = uuid4().hex
    made = many(house, 7, reference)
    assert walk(house, reference=reference, limit=limit) == made[::-1]


def test_a_walk_is_not_disturbed_by_what_comes_and_goes(house: Api) -> None:
    reference = uuid4().hex
    made = many(house, 6, reference)
    for each in made:
        house.ended(each)
    page = listed(house, reference=reference, limit=2)
    seen = [item["id"] for item in page["items"]]
    many(house, 3, reference)
    for gone in (made[5], made[4], made[3]):  # what was seen, the cursor's own, and the next
        assert house.delete(f"/v1/jobs/{gone}").status_code == 204
    while page["next_cursor"] is not None:
        page = listed(house, reference=reference, limit=2, cursor=page["next_cursor"])
        seen += [item["id"] for item in page["items"]]
    assert seen == [made[5], made[4], made[2], made[1], made[0]]


def test_status_filters(house: Api) -> None:
    reference = uuid4().hex
    good = house.run(fresh(), reference=reference)["id"]
    bad = house.run(fresh(400, 300)[:6000], reference=reference)["id"]
    gone = house.submit(fresh(), "test-sleep:20", reference=reference)["id"]
    house.post(f"/v1/jobs/{gone}/cancel")
    house.ended(gone)
    for status, identity in (("succeeded", good), ("failed", bad), ("canceled", gone)):
        assert [item["id"] for item in listed(house, status=status, reference=reference)["items"]] == [
            identity
        ]
    assert listed(house, status="queued", reference=reference)["items"] == []
    assert listed(house, status="succeeded", limit=1)["items"][0]["status"] == "succeeded"


def test_nothing_matches_an_unknown_reference_or_batch(house: Api) -> None:
    assert listed(house, reference=uuid4().hex) == {"items": [], "next_cursor": None}
    assert listed(house, batch="bat_0192f0c1a2b37c4d8e5f60718293a4b5") == {"items": [], "next_cursor": None}


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/images"])
@pytest.mark.parametrize("limit", ["0", "-1", "many", "1.5", "99999999999999999999"])
def test_a_bad_limit_is_refused_with_what_is_allowed(house: Api, path: str, limit: str) -> None:
    found = problem(house.get(path, params={"limit": limit}), 422, "invalid-parameter")
    assert found["errors"][0]["allowed"]


@pytest.mark.parametrize("status", ["done", "SUCCEEDED", "queued,nonsense"])
def test_a_bad_status_is_refused_with_what_is_allowed(house: Api, status: str) -> None:
    found = problem(house.get("/v1/jobs", params={"status": status}), 422, "invalid-parameter")
    allowed = json.dumps(found["errors"][0]["allowed"])
    assert all(name in allowed for name in ("queued", "running", "succeeded", "failed", "canceled"))


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/images"])
@pytest.mark.parametrize("cursor", ["nonsense", "AAAA", "job_x", "'; DROP TABLE jobs; --", "é", "=" * 2000])
def test_a_bad_cursor_is_refused(house: Api, path: str, cursor: str) -> None:
    answer = house.get(path, params={"cursor": cursor})
    problem(answer, 422, "invalid-parameter")


def test_a_blank_filter_is_none(house: Api) -> None:
    blank = dict.fromkeys(("status", "batch", "reference", "limit", "cursor"), "")
    assert listed(house, **blank)["items"] == listed(house)["items"]


def test_images_are_listed_the_same_way(house: Api) -> None:
    made = [document(house.raw(fresh(), path="/v1/images"))["id"] for _ in range(5)]
    seen = walk(house, "/v1/images", limit=2)
    assert len(seen) == len(set(seen))
    assert [each for each in seen if each in made] == made[::-1]
    assert set(made) <= set(seen)
