"""A real server in a process of its own: started on a free port, ended by its pid."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ADDRESS = re.compile(rb"listening on http://127\.0\.0\.1:(\d+)")


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401  # what a server says may be anything
        return json.loads(self.body)


@dataclass
class Server:
    """`imgsvc serve`, ready; its output is in `log`."""

    process: subprocess.Popen[bytes]
    port: int
    data: Path
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        timeout: float = 30,
    ) -> Answer:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, dict(headers or {}))
            with connection.getresponse() as answer:
                return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def json(self, method: str, path: str, body: bytes | None = None) -> Any:  # noqa: ANN401  # as `Answer.json`
        """The document of a request that must succeed."""
        answer = self.ask(method, path, body)
        assert answer.status < 300, (answer.status, answer.body)
        return answer.json()

    def descendants(self) -> list[int]:
        """The pids of every process below the server's."""
        return _below(self.pid)

    def kill(self) -> None:
        """SIGKILL: the server itself gets no say."""
        self.process.kill()
        self.process.wait(10)

    def stop(self, patience: float = 30) -> int:
        """SIGTERM, and the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


@contextmanager
def serve(data: Path, settings: Mapping[str, str] | None = None, *, patience: float = 30) -> Iterator[Server]:
    """A server on `data`, ready to work; whatever is left of it at the end is ended."""
    log = data.parent / f"{data.name}.log"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("IMGSVC_")}
    environment |= {
        "IMGSVC_DATA_DIR": str(data),
        "IMGSVC_PORT": "0",
        "IMGSVC_WORKERS": "2",
        "IMGSVC_DISK_RESERVE": "0",
    } | dict(settings or {})
    with log.open("ab") as output:
        start = output.tell()
        command = [sys.executable, "-m", "imgsvc", "serve"]
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, cwd=data.parent)
    try:
        port = _port(process, log, start, patience)
        server = Server(process, port, data, log)
        wait_until(lambda: _ready(server), patience, lambda: f"not ready:\n{log.read_text()[-3000:]}")
        yield server
        server.stop()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(10)


def wait_until(
    condition: Callable[[], bool], patience: float = 30, explain: Callable[[], str] = lambda: "in vain"
) -> None:
    """Returns when the condition holds; fails with an explanation when it does not in time."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, explain()
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Is there such a process, other than one that has died already and waits to be buried?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except (FileNotFoundError, ProcessLookupError):
        return False


def semaphores(data: Path) -> list[Path]:
    """The first of those that the servers of a data directory have, by their exact names."""
    stems = [path.name for path in (data / "staging").glob("*/loky-*")]
    named = [Path(f"/dev/shm/sem.{stem}-{number}") for stem in stems for number in range(30)]
    return [path for path in named if path.exists()]


def _port(process: subprocess.Popen[bytes], log: Path, start: int, patience: float) -> int:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and process.poll() is None:
        if found := _ADDRESS.search(log.read_bytes()[start:]):
            return int(found[1])
        time.sleep(0.01)
    raise AssertionError(f"the server did not listen:\n{log.read_text()[-3000:]}")


def _ready(server: Server) -> bool:
    try:
        return server.ask("GET", "/readyz", timeout=5).status == 200
    except OSError:
        return False


def _below(pid: int) -> list[int]:
    children: list[int] = []
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            children += [int(child) for child in (thread / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return children + [below for child in children for below in _below(child)]
