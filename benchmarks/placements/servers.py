"""The servers of the comparison: each a real process on loopback, started again at once when it dies."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.placements import apps
from benchmarks.placements.places import Placement
from benchmarks.placements.work import ANSWER_S
from benchmarks.running import ready, tree

PATIENCE_S = 30.0


class Server:
    """A server and its supervisor."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path, port: int) -> None:
        self.port = port
        #: How many times it died.
        self.deaths = 0
        self._command, self._environment, self._log = command, environment, log
        self._stopping = False
        self._process = self._start()
        self._supervisor = threading.Thread(target=self._supervise)
        self._supervisor.start()

    def processes(self) -> list[int]:
        """The server and everything below it."""
        return tree(self._process.pid)

    def wait_until_ready(self) -> None:
        """Raises RuntimeError with the end of its log when it does not become ready."""
        deadline = time.monotonic() + PATIENCE_S
        while not ready(self.port):
            if time.monotonic() > deadline:
                raise RuntimeError(f"the server did not become ready:\n{self._log.read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """SIGTERM; whatever is left of its session after that is killed."""
        self._stopping = True
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:  # it waits for a task that can't be stopped
            self._process.kill()
        self._supervisor.join()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as output:
            return subprocess.Popen(
                self._command, env=self._environment, stdout=output, stderr=output, start_new_session=True
            )

    def _supervise(self) -> None:
        while True:
            self._process.wait()
            with contextlib.suppress(ProcessLookupError):  # the processes of a pool outlive their server
                os.killpg(self._process.pid, signal.SIGKILL)
            if self._stopping:
                return
            self.deaths += 1
            self._process = self._start()


@contextlib.contextmanager
def serving(placement: Placement, folder: Path, slow: int) -> Iterator[Server]:
    """The server of a placement, ready; `slow` is the port of the server that its jobs wait for."""
    port = _free_port()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("IMGSVC_")}
    if placement.ours:
        command = ["-m", "imgsvc", "serve"]
        environment |= {
            "IMGSVC_DATA_DIR": str(folder / "data"),
            "IMGSVC_PORT": str(port),
            "IMGSVC_DISK_RESERVE": "0",
            "IMGSVC_TEST_OPERATIONS": "1",
        }
    else:
        command = ["-m", "uvicorn", "--factory", "benchmarks.placements.apps:app", "--port", str(port)]
        command += ["--no-access-log"]
        environment |= {apps.PLACEMENT: placement.name, apps.PORT: str(slow), apps.FOLDER: str(folder)}
    server = Server([sys.executable, *command], environment, folder / "log", port)
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.stop()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@contextlib.contextmanager
def slow_server() -> Iterator[int]:
    """The server that jobs wait for: answers every request after 100 ms. Its port."""
    process = subprocess.Popen([sys.executable, "-c", _SLOW], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


_SLOW = f"""
import asyncio

async def answer(reader, writer):
    await reader.readuntil(b"\\r\\n\\r\\n")
    await asyncio.sleep({ANSWER_S})
    writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nok")
    await writer.drain()
    writer.close()

async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""
