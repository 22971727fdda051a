"""A crowd at the door leaves the service usable: idle connections by the thousand, and floods of calls."""

from __future__ import annotations

import json
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.acceptance.contract.client import document, fresh, opened, problem, read_answer
from tests.servers import wait_until

CROWD = 1000


@pytest.fixture
def _many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < CROWD + 200:
        pytest.skip(f"this machine allows {hard} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, CROWD + 200), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("_many_files")
def test_a_thousand_idle_connections_leave_the_service_usable(tmp_path: Path) -> None:
    with opened(tmp_path / "data", header_timeout=60) as api, ExitStack() as stack:
        idle = [
            stack.enter_context(socket.create_connection(("127.0.0.1", api.server.port), timeout=10))
            for _ in range(CROWD)
        ]
        for connection in idle[::2]:  # half of them have asked before, the others have said nothing yet
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert read_answer(connection)[0] == 200
        api.is_fine()
        assert api.run(fresh())["status"] == "succeeded"
        assert document(api.get("/readyz"))["degraded"] == []
        for connection in idle:
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert {read_answer(connection)[0] for connection in idle} == {200}


def test_the_usual_limit_of_open_files_is_raised_as_far_as_it_goes() -> None:
    code = (
        "import resource\n"
        "_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, min(hard, 2000)))\n"
        "from imgsvc.cli._files import allow_many\n"
        "print(allow_many(), *resource.getrlimit(resource.RLIMIT_NOFILE))\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
    assert len(set(said.split())) == 1


def test_one_upload_more_than_may_be_under_way_is_told_so(tmp_path: Path) -> None:
    with opened(tmp_path / "data", uploads=2, test_operations=1) as api, ExitStack() as stack:
        head = b"POST /v1/images HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n"
        slow = [
            stack.enter_context(socket.create_connection(("127.0.0.1", api.server.port), timeout=10))
            for _ in range(2)
        ]
        for connection in slow:
            connection.sendall(head + b"x")
        wait_until(lambda: bool(document(api.get("/v1/stats"))["uploads"]["active"] == 2))
        with ThreadPoolExecutor(3) as pool:
            job = pool.submit(api.raw, fresh(), ops="flip")
            image = pool.submit(api.post, "/v1/images", content=fresh())
            call = pool.submit(api.process, fresh(), "flip")
        assert problem(job.result(), 503, "queue-full")["limit"] == 2
        problem(image.result(), 503, "queue-full")
        problem(call.result(), 503, "queue-timeout")
        assert document(api.get("/v1/stats"))["uploads"] == {"active": 2, "waiting": 0, "limit": 2}
        slow[0].close()
        api.is_fine()
        assert api.run(fresh())["status"] == "succeeded"


def test_a_flood_of_calls_leaves_jobs_every_fourth_turn(tmp_path: Path) -> None:
    with opened(tmp_path / "data", workers=1, test_operations=1, sync_wait=30) as api:
        api.post("/v1/queue:pause")
        jobs = [api.submit(fresh(), "flip")["id"] for _ in range(10)]
        over, calls = threading.Event(), [0] * 6
        picture = fresh()

        def flood(number: int) -> None:
            while not over.is_set():
                assert api.process(picture, "test-sleep:0.02").status_code == 200
                calls[number] += 1

        floods = [threading.Thread(target=flood, args=(number,)) for number in range(len(calls))]
        for each in floods:
            each.start()
        try:
            wait_until(lambda: all(calls))
            before = sum(calls)
            api.post("/v1/queue:resume")
            assert [api.ended(job)["status"] for job in jobs] == ["succeeded"] * 10
            served = sum(calls) - before
        finally:
            over.set()
            for each in floods:
                each.join()
        # Three calls for each job; and those that ended around the first and the last of them.
        assert served <= 3 * len(jobs) + 12


def test_rejections_are_one_line_a_second(tmp_path: Path) -> None:
    with opened(tmp_path / "data", queue_limit=1) as api:
        api.post("/v1/queue:pause")
        api.submit(fresh(), "flip")
        for _ in range(40):
            problem(api.raw(fresh(), ops="flip"), 503, "queue-full")
    lines = [json.loads(line) for line in (tmp_path / "data.log").read_text().splitlines() if line[:1] == "{"]
    rejected = [line["codes"] for line in lines if line["event"] == "rejected"]
    assert sum(codes["queue-full"] for codes in rejected) == 40
    assert len(rejected) < 20
