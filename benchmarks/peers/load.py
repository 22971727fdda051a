"""Clients that ask a server for one picture after the other, and what that was like."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from benchmarks.peers.services import Service
from benchmarks.percentiles import percentile
from benchmarks.running import cpu_seconds, sampled, tree

_SAMPLE_S = 0.25
#: A server rests when its processes use less of a CPU than this.
_REST, _LOOK_S = 0.15, 0.1


class WrongAnswer(RuntimeError):
    """Something else than the picture that was asked for."""


@dataclass(frozen=True)
class Visit:
    """One load on one server."""

    per_second: float
    p50_ms: float
    p99_ms: float
    #: Of all its processes for one picture, until the last one was there; None: not known.
    cpu_ms: float | None
    #: Proportional set size of all its processes, the most of some samples.
    peak_bytes: int | None
    failed: int


class Client:
    """One keep-alive connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def get(self, path: str, format: str) -> bytes:
        """The picture; raises WrongAnswer for anything else."""
        self._connection.request("GET", path)
        answer = self._connection.getresponse()
        content = answer.read()
        kind = answer.headers.get_content_type()
        if answer.status != http.HTTPStatus.OK or kind != f"image/{format}":
            raise WrongAnswer(f"{path}: {answer.status} {kind} {content[:200]!r}")
        return content

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


@dataclass
class _Clients:
    """What several threads share: the paths that are left, and what was found."""

    paths: Iterator[str]
    deadline: float
    latencies: list[float] = field(default_factory=list)
    failed: int = 0
    begun: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, port: int, format: str) -> None:
        """One client: asks until there is no path left, or no time."""
        client = Client(port)
        while path := self._next():
            began = time.perf_counter()
            try:
                client.get(path, format)
            except (OSError, http.client.HTTPException, WrongAnswer):
                client.close()
                self.failed += 1
            else:
                self.latencies.append((time.perf_counter() - began) * 1000)
        client.close()

    def _next(self) -> str | None:
        """A path that nobody has been given yet; the first one even where there is no time any more."""
        with self._lock:
            if self.begun and time.perf_counter() >= self.deadline:
                return None
            self.begun = True
            return next(self.paths, None)


def visit(service: Service, paths: Iterable[str], format: str, clients: int, seconds: float) -> Visit:
    """So many clients ask for these, each path once, for `seconds` at most; answers are waited for."""
    with sampled(lambda: tree(service.pid) if service.pid else [], _SAMPLE_S) as peak:
        began, before = time.perf_counter(), _cpu(service)
        shared = _Clients(iter(paths), began + seconds)
        with ThreadPoolExecutor(clients) as pool:
            for client in [pool.submit(shared.run, service.port, format) for _ in range(clients)]:
                client.result()
        took, spent = time.perf_counter() - began, _cpu(service) - before
    done = len(shared.latencies)
    return Visit(
        per_second=done / took,
        p50_ms=percentile(shared.latencies, 50),
        p99_ms=percentile(shared.latencies, 99),
        cpu_ms=spent * 1000 / (done + shared.failed) if service.pid else None,
        peak_bytes=max(peak) if service.pid else None,
        failed=shared.failed,
    )


def rest(service: Service, patience: float = 5.0) -> float:
    """Wait for what the server does when nobody is waiting, for so many seconds at most: its CPU seconds."""
    began = used = _cpu(service)
    deadline = time.monotonic() + patience
    while service.pid is not None and time.monotonic() < deadline:
        time.sleep(_LOOK_S)
        used, before = _cpu(service), used
        if used - before < _REST * _LOOK_S:
            break
    return used - began


def _cpu(service: Service) -> float:
    return cpu_seconds(tree(service.pid)) if service.pid else 0.0
