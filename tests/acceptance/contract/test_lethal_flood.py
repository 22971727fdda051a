"""Lethal work among harmless work costs the harmless nothing but time (benchmarks/lethal.py measures it)."""

from __future__ import annotations

from collections import Counter

from tests.acceptance.contract.client import Api, fresh
from tests.servers import alive, wait_until

LETHAL: tuple[tuple[str, dict[str, float], str], ...] = (
    ("test-crash:segv", {}, "worker-crashed"),
    ("test-spin:3600", {"timeout": 0.3}, "processing-timeout"),
    ("test-memory:1000000000000", {}, "image-too-large-for-memory"),
)


def test_the_harmless_succeed_at_their_first_start(house: Api) -> None:
    lethal: dict[str, str] = {}
    harmless: list[str] = []
    for number in range(30):
        if number % 10 == 4:
            ops, options, code = LETHAL[number // 10]
            lethal[house.submit(fresh(), ops, **options)["id"]] = code
        else:
            harmless.append(house.submit(fresh(), "test-sleep:0.05/png")["id"])
    ends = Counter((job["status"], job["attempts"]) for job in map(house.ended, harmless))
    assert ends == {("succeeded", 1): len(harmless)}
    assert {each: house.ended(each)["error"]["code"] for each in lethal} == lethal
    house.is_fine()


def test_the_next_job_runs_where_one_was_canceled(house: Api) -> None:
    endless = [house.submit(fresh(), "test-spin:20")["id"] for _ in range(2)]
    for each in endless:
        house.until_running(each, "test-spin")
    pid = house.lane_of(endless[0])["pid"]
    waiting = house.submit(fresh(), "test-sleep:0/png")["id"]
    assert house.job(waiting)["status"] == "queued"
    house.post(f"/v1/jobs/{endless[0]}/cancel")
    wait_until(lambda: not alive(pid), 5)
    assert house.ended(waiting)["status"] == "succeeded"
    assert house.job(endless[1])["status"] == "running"
    house.delete(f"/v1/jobs/{endless[1]}")
