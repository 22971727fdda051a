"""A bug of ours costs one request and leaves one line of the log that finds it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.servers import Server, alive, semaphores, serve, wait_until


def lines(server: Server) -> list[dict[str, Any]]:
    """The log; every line but the one for people is JSON."""
    written = server.log.read_text().splitlines()
    return [json.loads(line) for line in written if not line.startswith("imgsvc ")]


def test_a_bug_is_one_line_with_its_id_its_step_and_its_traceback(
    tmp_path: Path, photo: Callable[..., bytes]
) -> None:
    with serve(tmp_path / "data", {"IMGSVC_TEST_OPERATIONS": "1"}) as server:
        called = server.ask("POST", "/v1/process?ops=flip/test-bug", photo(40, 30), {"X-Request-ID": "mine"})
        ordered = server.ask("POST", "/v1/jobs?ops=test-bug", photo(40, 30), {"Prefer": "wait=20"}).json()
        told = [line for line in lines(server) if line["level"] == "error"]
    assert (called.status, called.json()["code"]) == (500, "internal-error")
    assert (ordered["status"], ordered["error"]["code"]) == ("failed", "internal-error")
    for answer in (called.body.decode(), json.dumps(ordered["error"])):
        assert "LookupError" not in answer
        assert "asked for" not in answer
    of_call, of_job = told
    assert of_call["request_id"] == "mine"
    assert of_job["job"] == ordered["id"]
    for line in told:
        assert line["step"] == "default: test-bug"
        assert line["exception"].startswith("Traceback")
        assert line["exception"].endswith("LookupError: test-bug was asked for")


def test_the_death_of_the_trackers_is_told_in_lines_and_harms_nobody(
    tmp_path: Path, photo: Callable[..., bytes]
) -> None:
    with serve(tmp_path / "data") as server:
        wait_until(lambda: all_are_up(server))
        trackers = [pid for pid in server.descendants() if b"resource_tracker" in command(pid)]
        assert trackers
        for pid in trackers:
            os.kill(pid, signal.SIGKILL)
        # One that is still dying takes the names of the next process, and its successor is asked for them.
        wait_until(lambda: not any(alive(pid) for pid in trackers))
        os.kill(workers(server)[1]["pid"], signal.SIGKILL)
        wait_until(lambda: workers(server)[1]["restarts"] == 1 and workers(server)[1]["state"] == "idle")
        assert server.ask("POST", "/v1/process?ops=flip", photo(40, 30)).status == 200
        assert server.stop() == 0
    assert not [line for line in lines(server) if line["level"] == "error"]


def workers(server: Server) -> list[dict[str, Any]]:
    """The desk and the lanes."""
    found = server.json("GET", "/v1/workers")
    return [found["desk"], *found["lanes"]]


def all_are_up(server: Server) -> bool:
    """Do desk, lanes and the spare process wait for work? One that starts has names with the trackers."""
    known = workers(server)
    copies = [pid for pid in server.descendants() if b"_lanes.copies" in command(pid)]
    # They are copies of the template, which is there too.
    return (
        all(worker["state"] == "idle" for worker in known)
        and len(copies) == len(known) + 2
        and not semaphores(server.data)
    )


def command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
