"""Too much at once: as many are let in as there are places, and the line is served in order."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from pathlib import Path

from benchmarks.press import bodies, files, press
from benchmarks.queue import all_jobs, fill, overtaken, violations
from benchmarks.service import Client
from imgsvc.jobs import Priority
from tests.acceptance.contract.client import document, fresh, opened
from tests.servers import wait_until


def test_of_many_uploads_at_once_as_many_are_accepted_as_there_are_places(tmp_path: Path) -> None:
    with opened(tmp_path / "data", queue_limit=5) as api:

        def refused_bodies() -> dict[str, int]:
            found: dict[str, int] = document(api.get("/v1/stats"))["totals"]["refused_bodies"]
            return found

        def ended(count: int) -> bool:  # a body is counted when its connection has gone
            return refused_bodies()["count"] == count

        for turn, chunked in enumerate([False, True], 1):
            api.post("/v1/queue:pause")
            answers = press(api.server.port, bodies(20, 1_500_000), chunked=chunked)
            accepted = [json.loads(answer.body)["id"] for answer in answers if answer.status == 202]
            refused = [answer for answer in answers if answer.status != 202]
            assert len(accepted) == 5
            assert {(each.status, json.loads(each.body)["code"]) for each in refused} == {(503, "queue-full")}
            assert all(1 <= int(each.headers["retry-after"]) <= 300 for each in refused)
            assert (files(tmp_path / "data/staging"), files(tmp_path / "data/images")) == (0, 5 * turn)
            api.post("/v1/queue:resume")
            assert [api.ended(each)["status"] for each in accepted] == ["succeeded"] * 5
            wait_until(partial(ended, 15 * turn))
            assert refused_bodies()["largest"] <= 256 * 1024
        assert files(tmp_path / "data/staging") == 0


def test_bytes_of_bodies_that_come_in_count_too(tmp_path: Path) -> None:
    with opened(tmp_path / "data", queue_bytes=4_000_000) as api:
        api.post("/v1/queue:pause")
        answers = press(api.server.port, bodies(8, 1_500_000))
        assert Counter(answer.status for answer in answers) == {202: 2, 503: 6}
        answers = press(api.server.port, bodies(2, 1_000_000), chunked=True)
        assert Counter(answer.status for answer in answers) == {202: 1, 503: 1}
        assert document(api.get("/v1/stats"))["queue"]["bytes"] == 4_000_000
        assert (files(tmp_path / "data/staging"), files(tmp_path / "data/images")) == (0, 3)


def test_a_line_of_mixed_priorities_is_served_in_order(tmp_path: Path) -> None:
    with opened(tmp_path / "data", priority_ageing=0.3) as api:
        api.post("/v1/queue:pause")
        ids = fill(api.server.port, 120, fresh(), seconds=1.2, seed=1)
        queued = api.get("/v1/jobs", params={"status": "queued", "limit": "200"}).json()["items"]
        assert {job["id"] for job in queued} == set(ids)
        line = sorted(queued, key=lambda job: job["queue"]["position"])
        assert [job["queue"]["position"] for job in line] == list(range(1, 121))
        depths = document(api.get("/v1/stats"))["queue"]["by_priority"]
        assert depths == {each: sum(job["priority"] == each for job in queued) for each in Priority}
        api.post("/v1/queue:resume")
        for its in ids:
            api.ended(its)
        with Client(api.server.port) as client:
            jobs = all_jobs(client)
        assert violations(jobs, 0.3) == 0
        beyond, latest = overtaken(jobs, 0.3)
        assert beyond == 0
        assert 0 < latest <= 0.6
        started = {job.id: job.started for job in jobs}
        times = [started[job["id"]] for job in line]
        assert times == sorted(times)
