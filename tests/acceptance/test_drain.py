"""SIGTERM: nothing new, what runs ends or goes back to the queue, status 0."""

from __future__ import annotations

import http.client
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Answer, Server, serve, wait_until

Photo = Callable[..., bytes]


@contextmanager
def draining(folder: Path, **settings: str) -> Iterator[Server]:
    """A server with operations that take their time."""
    made = {"IMGSVC_TEST_OPERATIONS": "1", "IMGSVC_WORKERS": "1"}
    made |= {f"IMGSVC_{name}": value for name, value in settings.items()}
    with serve(folder / "data", made) as running:
        yield running


class Connection:
    """One connection that stays open over several requests."""

    def __init__(self, server: Server) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        self._http.connect()

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        assert self._http.sock is not None, "the server has closed the connection"
        self._http.request(method, path, body, dict(headers or {}))
        answer = self._http.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())

    def close(self) -> None:
        self._http.close()


def submit(server: Server, ops: str, photo: bytes) -> str:
    job: dict[str, Any] = server.json("POST", f"/v1/jobs?ops={ops}", photo)
    return str(job["id"])


def status(server: Server, job: str) -> str:
    return str(server.json("GET", f"/v1/jobs/{job}")["status"])


def test_what_runs_is_finished_and_its_result_is_there_after_the_next_start(
    tmp_path: Path, photo: Photo
) -> None:
    with draining(tmp_path) as server:
        running = submit(server, "test-sleep:1/resize:20x/png", photo())
        waiting = submit(server, "resize:30x/png", photo())
        wait_until(lambda: status(server, running) == "running")
        assert server.stop() == 0
    with draining(tmp_path) as server:
        document = server.json("GET", f"/v1/jobs/{running}")
        assert (document["status"], document["attempts"]) == ("succeeded", 1)
        wait_until(lambda: status(server, waiting) == "succeeded")
        assert server.json("GET", f"/v1/jobs/{waiting}")["attempts"] == 1


def test_what_takes_longer_than_the_grace_period_goes_back_to_the_queue_at_no_cost(
    tmp_path: Path, photo: Photo
) -> None:
    with draining(tmp_path, SHUTDOWN_GRACE="300ms", MAX_ATTEMPTS="1") as server:
        job = submit(server, "test-sleep:4/png", photo())
        wait_until(lambda: status(server, job) == "running")
        assert server.stop() == 0
    with draining(tmp_path, MAX_ATTEMPTS="1") as server:
        wait_until(lambda: status(server, job) == "succeeded")
        outcomes = [attempt["outcome"] for attempt in server.json("GET", f"/v1/jobs/{job}")["history"]]
        assert outcomes == ["drained", "succeeded"]


def test_open_connections_are_told_draining_and_may_still_read(tmp_path: Path, photo: Photo) -> None:
    with draining(tmp_path) as server:
        done = submit(server, "resize:20x/png", photo())
        wait_until(lambda: status(server, done) == "succeeded")
        running = submit(server, "test-sleep:2/png", photo())
        wait_until(lambda: status(server, running) == "running")
        open_ = Connection(server)
        assert open_.ask("GET", "/livez").status == 200
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: open_.ask("GET", "/readyz").status == 503)
        for path in ("/v1/jobs?ops=png", "/v1/process?ops=png"):
            refused = open_.ask("POST", path, photo())
            assert (refused.status, json.loads(refused.body)["code"]) == (503, "draining")
            assert int(refused.headers["retry-after"]) >= 1
            if refused.headers.get("connection") == "close":
                open_.close()
                open_ = Connection(server)
        assert open_.ask("GET", f"/v1/jobs/{done}/result").status == 200
        assert open_.ask("GET", "/livez").status == 200
        assert server.process.wait(20) == 0
        open_.close()


def test_a_client_that_waits_for_a_call_gets_its_picture(tmp_path: Path, photo: Photo) -> None:
    answers: list[Answer] = []
    with draining(tmp_path) as server:
        ask = threading.Thread(
            target=lambda: answers.append(
                server.ask("POST", "/v1/process?ops=test-sleep:1/resize:20x/png", photo())
            )
        )
        ask.start()
        wait_until(lambda: server.json("GET", "/v1/workers")["lanes"][0]["state"] == "busy")
        assert server.stop() == 0
        ask.join(10)
    (answer,) = answers
    assert answer.status == 200
    assert answer.body.startswith(b"\x89PNG")


def test_a_client_that_waits_for_a_job_is_not_kept_waiting(tmp_path: Path, photo: Photo) -> None:
    answers: list[Answer] = []
    with draining(tmp_path, SHUTDOWN_GRACE="1") as server:
        job = submit(server, "test-sleep:30/png", photo())
        ask = threading.Thread(
            target=lambda: answers.append(
                server.ask("GET", f"/v1/jobs/{job}", headers={"Prefer": "wait=30"}, timeout=40)
            )
        )
        ask.start()
        wait_until(lambda: status(server, job) == "running")
        assert server.stop(10) == 0
        ask.join(10)
    (answer,) = answers
    assert answer.status in {200, 503}


def test_a_second_signal_does_not_wait(tmp_path: Path, photo: Photo) -> None:
    with draining(tmp_path, SHUTDOWN_GRACE="1h", JOB_TIMEOUT="60") as server:
        job = submit(server, "test-spin:50/png", photo())
        wait_until(lambda: status(server, job) == "running")
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: server.ask("GET", "/readyz").status == 503)
        assert server.process.poll() is None
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(10) == 0
        assert time.monotonic() - began < 8
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize("reads", [1_000])
def test_a_slow_download_may_end_within_the_grace_period(tmp_path: Path, photo: Photo, reads: int) -> None:
    with draining(tmp_path, SHUTDOWN_GRACE="10") as server:
        # Noise does not compress: more bytes than the sockets' buffers hold.
        source = photo(2000, 1500, format="PNG")
        image = server.json("POST", "/v1/images", source)
        client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        client.request("GET", f"/v1/images/{image['id']}/content")
        answer = client.getresponse()
        first = answer.read(reads)
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: '"draining"' in server.log.read_text())
        assert first + answer.read() == source
        assert server.process.wait(20) == 0
        client.close()
