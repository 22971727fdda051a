"""Clients that dawdle are cut off, and nobody waits for them."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.acceptance.contract.client import Api, check_problem, fresh, read_all, split


@contextmanager
def connected(api: Api) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", api.server.port), timeout=10) as connection:
        yield connection


def expect_408(received: bytes) -> None:
    status, headers, body = split(received)
    assert status == 408
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"
    check_problem(json.loads(body), 408, "request-timeout")


@pytest.mark.parametrize("sent", [b"GET /livez HTT", b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow"])
def test_headers_that_do_not_come_are_408(hasty: Api, sent: bytes) -> None:
    with connected(hasty) as connection:
        connection.sendall(sent)
        began = time.monotonic()
        expect_408(read_all(connection))
        assert 0.5 < time.monotonic() - began < 15


def test_headers_that_drip_are_408(hasty: Api) -> None:
    with connected(hasty) as connection:
        began = time.monotonic()
        stop = threading.Event()

        def drip() -> None:
            try:
                connection.sendall(b"GET /livez HTTP/1.1\r\n")
                while not stop.wait(0.1):
                    connection.sendall(b"X: y\r\n")
            except OSError:
                pass

        dripping = threading.Thread(target=drip)
        dripping.start()
        received = read_all(connection)
        stop.set()
        dripping.join()
        assert time.monotonic() - began < 15
        if received:
            expect_408(received)


def test_a_connection_that_says_nothing_is_closed(hasty: Api) -> None:
    with connected(hasty) as connection:
        began = time.monotonic()
        received = read_all(connection)
        assert time.monotonic() - began < 15
        if received:
            expect_408(received)


@pytest.mark.parametrize("path", ["/v1/jobs?ops=flip", "/v1/images", "/v1/process"])
@pytest.mark.parametrize(
    ("lines", "sent"),
    [
        ("Content-Length: 50000", b"\xff\xd8" + b"x" * 200),
        ("Transfer-Encoding: chunked", b"100\r\n\xff\xd8" + b"x" * 100),
        (
            "Content-Length: 50000\r\nContent-Type: multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n\xff\xd8'
            + b"y" * 200,
        ),
    ],
)
def test_a_body_that_stalls_is_408(hasty: Api, lines: str, sent: bytes, path: str) -> None:
    with connected(hasty) as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\n{lines}\r\n\r\n".encode() + sent)
        began = time.monotonic()
        received = read_all(connection)
        assert 0.5 < time.monotonic() - began < 15
        expect_408(received)


def test_a_document_that_stalls_is_408(hasty: Api) -> None:
    with connected(hasty) as connection:
        lines = "Content-Type: application/json\r\nContent-Length: 500"
        connection.sendall(f'POST /v1/jobs HTTP/1.1\r\nHost: x\r\n{lines}\r\n\r\n{{"ops":'.encode())
        expect_408(read_all(connection))


def test_a_body_that_drips_is_408(hasty: Api) -> None:
    with connected(hasty) as connection:
        connection.sendall(b"POST /v1/images HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n")
        began = time.monotonic()
        try:
            while time.monotonic() - began < 8:
                connection.sendall(b"x")
                time.sleep(0.05)  # the pace of the attack itself
        except OSError:
            pass
        assert time.monotonic() - began < 20


def test_others_are_served_meanwhile(hasty: Api) -> None:
    slow = [socket.create_connection(("127.0.0.1", hasty.server.port), timeout=10) for _ in range(50)]
    try:
        for connection in slow:
            connection.sendall(b"POST /v1/images HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n\xff")
        began = time.monotonic()
        hasty.is_fine()
        assert time.monotonic() - began < 15
    finally:
        for connection in slow:
            connection.close()


def test_who_goes_away_in_mid_upload_leaves_nothing(hasty: Api) -> None:
    picture = fresh(300, 200)
    staged = {name for name in hasty.files() if name.startswith("staging")}
    for lines in ("", "Content-Type: multipart/form-data; boundary=xyz\r\n"):
        for path in ("/v1/jobs?ops=flip", "/v1/images", "/v1/process"):
            with connected(hasty) as connection:
                head = f"POST {path} HTTP/1.1\r\nHost: x\r\n{lines}Content-Length: {len(picture)}\r\n\r\n"
                connection.sendall(head.encode() + picture[: len(picture) // 2])
    deadline = time.monotonic() + 5
    while {name for name in hasty.files() if name.startswith("staging")} != staged:
        assert time.monotonic() < deadline, hasty.files()
        time.sleep(0.02)
    hasty.is_fine()


def test_a_caller_who_goes_away_frees_the_lane(house: Api) -> None:
    picture = fresh()
    with connected(house) as connection:
        length = f"Content-Length: {len(picture)}"
        head = f"POST /v1/process?ops=test-sleep:20 HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n"
        connection.sendall(head.encode() + picture)
        deadline = time.monotonic() + 10
        while not [lane for lane in house.workers()["lanes"] if lane["state"] == "busy"]:
            assert time.monotonic() < deadline
    while [lane for lane in house.workers()["lanes"] if lane["state"] == "busy"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
