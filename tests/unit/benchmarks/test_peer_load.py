"""Clients that ask a server for one picture after the other."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.peers.load import Client, WrongAnswer, visit
from benchmarks.peers.services import OUR_TEMPLATE, Service


class _Answers(BaseHTTPRequestHandler):
    """A picture for every path; `/text` is none and `/broken` fails."""

    protocol_version = "HTTP/1.1"
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(500 if self.path == "/broken" else 200)
        self.send_header("Content-Type", "text/plain" if self.path == "/text" else "image/jpeg")
        self.send_header("Content-Length", "7")
        self.end_headers()
        self.wfile.write(b"picture")

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def service(asked: list[str]) -> Iterator[Service]:
    handler = type("Answers", (_Answers,), {"asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Service("it", server.server_port, OUR_TEMPLATE)
        server.shutdown()
        thread.join()


def test_each_path_is_asked_for_once_by_all_clients_together(service: Service, asked: list[str]) -> None:
    paths = [f"/{number}" for number in range(20)]
    found = visit(service, paths, "jpeg", 4, 30.0)
    assert sorted(asked) == sorted(paths)
    assert found.failed == 0
    assert 0 < found.p50_ms <= found.p99_ms


def test_a_load_ends_with_its_time(service: Service) -> None:
    assert visit(service, itertools.repeat("/same"), "jpeg", 2, 0.05).per_second > 0


def test_a_machine_that_is_too_slow_for_the_time_asks_once_all_the_same(
    service: Service, asked: list[str]
) -> None:
    assert visit(service, itertools.repeat("/same"), "jpeg", 2, 0.0).per_second > 0
    assert asked == ["/same"]


def test_what_is_not_the_picture_has_failed_and_does_not_count(service: Service) -> None:
    found = visit(service, ["/broken", "/text", "/good"], "jpeg", 1, 30.0)
    assert found.failed == 2
    assert found.per_second > 0
    assert visit(service, ["/good"], "webp", 1, 30.0).failed == 1


def test_a_single_answer_that_is_not_the_picture_is_an_error_with_its_text(service: Service) -> None:
    client = Client(service.port)
    with pytest.raises(WrongAnswer, match=r"/broken: 500 image/jpeg b'picture'"):
        client.get("/broken", "jpeg")
    client.close()


def test_cpu_and_memory_are_known_only_with_the_process(service: Service) -> None:
    found = visit(service, ["/good"], "jpeg", 1, 30.0)
    assert (found.cpu_ms, found.peak_bytes) == (None, None)
    known = Service("it", service.port, OUR_TEMPLATE, os.getpid())
    assert (visit(known, ["/good"], "jpeg", 1, 30.0).peak_bytes or 0) > 1_000_000
