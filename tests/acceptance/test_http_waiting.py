"""Clients that wait, and clients that do not: long polls, slow clients, work that goes with its client."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.photos import photo
from tests.servers import Answer, Server, serve, wait_until

PHOTO = photo(160, 120)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one lane, so that who waits is seen to wait."""
    settings = {"IMGSVC_TEST_OPERATIONS": "1", "IMGSVC_WORKERS": "1", "IMGSVC_SYNC_WAIT": "1"}
    with serve(tmp_path_factory.mktemp("waiting") / "data", settings) as server:
        yield server
    assert "Traceback" not in server.log.read_text()


def lane(server: Server) -> dict[str, object]:
    (found,) = server.json("GET", "/v1/workers")["lanes"]
    assert isinstance(found, dict)
    return found


def until(server: Server, state: str) -> None:
    wait_until(lambda: lane(server)["state"] == state, 15, lambda: str(lane(server)))


def test_a_client_that_goes_away_takes_its_work_with_it(house: Server) -> None:
    with socket.create_connection(("127.0.0.1", house.port), timeout=10) as connection:
        head = (
            f"POST /v1/process?ops=test-sleep:25 HTTP/1.1\r\nHost: h\r\nContent-Length: {len(PHOTO)}\r\n\r\n"
        )
        connection.sendall(head.encode() + PHOTO)
        until(house, "busy")
    until(house, "idle")
    assert house.ask("POST", "/v1/process?ops=thumbnail:8x8", PHOTO).status == 200


def test_a_job_outlives_the_client_that_waited_for_it(house: Server) -> None:
    with socket.create_connection(("127.0.0.1", house.port), timeout=10) as connection:
        head = (
            "POST /v1/jobs?ops=test-sleep:1/png HTTP/1.1\r\nHost: h\r\nPrefer: wait=20\r\n"
            f"Content-Length: {len(PHOTO)}\r\n\r\n"
        )
        connection.sendall(head.encode() + PHOTO)
        until(house, "busy")
    (job,) = house.json("GET", "/v1/jobs?limit=1")["items"]
    result = house.ask("GET", f"/v1/jobs/{job['id']}/result?wait=20")
    assert (result.status, result.headers["content-type"]) == (200, "image/png")


def test_a_long_poll_ends_with_the_job(house: Server) -> None:
    job = house.json("POST", "/v1/jobs?ops=test-sleep:0.5/png", PHOTO)
    began = time.monotonic()
    answer = house.ask("GET", job["links"]["self"], headers={"Prefer": "wait=20"})
    assert answer.json()["status"] == "succeeded"
    assert time.monotonic() - began < 10
    assert answer.headers["preference-applied"] == "wait=20"


def test_a_long_poll_that_is_too_short_says_how_far_it_is(house: Server) -> None:
    job = house.json("POST", "/v1/jobs?ops=test-sleep:2/png", PHOTO)
    until(house, "busy")
    answer = house.ask("GET", job["links"]["self"], headers={"Prefer": "wait=0.2"})
    shown = answer.json()
    assert shown["status"] == "running"
    assert shown["progress"]["current"] == "test-sleep"
    assert (shown["progress"]["done"], shown["progress"]["total"]) == (1, 3)
    assert int(answer.headers["retry-after"]) >= 1
    assert house.ask("POST", f"{job['links']['self']}/cancel").json()["status"] == "canceled"
    until(house, "idle")


def test_without_a_free_lane_a_call_is_told_to_come_back(house: Server) -> None:
    job = house.json("POST", "/v1/jobs?ops=test-sleep:20/png", PHOTO)
    until(house, "busy")
    answer = house.ask("POST", "/v1/process?ops=png", PHOTO)
    assert (answer.status, answer.json()["code"]) == (503, "queue-timeout")
    assert 1 <= int(answer.headers["retry-after"]) <= 300
    assert house.ask("DELETE", job["links"]["self"]).status == 204
    until(house, "idle")


def test_slow_clients_do_not_delay_others(house: Server) -> None:
    connections = [socket.create_connection(("127.0.0.1", house.port), timeout=10) for _ in range(50)]
    for connection in connections:
        connection.sendall(
            b"POST /v1/process?ops=png HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nslow"
        )
    began = time.monotonic()
    assert house.ask("POST", "/v1/process?ops=thumbnail:8x8/png", PHOTO).status == 200
    assert time.monotonic() - began < 15
    for connection in connections:
        connection.close()


def test_many_at_once_are_all_answered(house: Server) -> None:
    answers: list[Answer] = []

    def work() -> None:
        answers.extend(house.ask("POST", "/v1/jobs?ops=thumbnail:16x16/png", PHOTO) for _ in range(5))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [answer.status for answer in answers] == [202] * 40
    for answer in answers:
        result = house.ask("GET", answer.json()["links"]["result"] + "?wait=20")
        assert result.status == 200
