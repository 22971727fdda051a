"""The server under trial: started, killed and started again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.acceptance.chaos import wire
from tests.servers import Server, alive

_ADDRESS = re.compile(rb"listening on http://127\.0\.0\.1:(\d+)")
#: Seconds for one start, and for a clean stop.
_START_S, _STOP_S = 40.0, 40.0
#: Seconds by which clocks of files may differ from ours.
_SLACK = 0.1


@dataclass
class Starts:
    """How the server's starts went."""

    #: Seconds from the first try to `/readyz` 200; the first start of all is not among them.
    ready_s: list[float] = field(default_factory=list)
    #: Tries that ended with an exit status: the disk was full or the database locked.
    refused: list[str] = field(default_factory=list)


class House:
    """One server at a time on one data directory; clients ask it for the present port."""

    def __init__(self, data: Path, log: Path, settings: Mapping[str, str]) -> None:
        self.data = data
        self.log = log
        self.starts = Starts()
        self.kills: list[float] = []
        self.stops: list[float] = []
        #: Exit statuses of clean stops that were not 0.
        self.unclean: list[int] = []
        #: Every server that there was: its pid, and when it was started.
        self.servers: list[tuple[int, float]] = []
        #: When the present server was ready.
        self.ready_at = 0.0
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._server: Server | None = None
        self._up = threading.Event()

    @property
    def server(self) -> Server | None:
        """The server, while it is ready."""
        return self._server if self._up.is_set() else None

    def port(self, patience: float = 60.0) -> int | None:
        """Where the server listens, as soon as it is ready; None when it does not come."""
        return self._server.port if self._up.wait(patience) and self._server is not None else None

    def start(self, *, first: bool = False) -> None:
        """Start the server, again and again until it is ready."""
        began = time.monotonic()
        while not self._try():
            if time.monotonic() - began > 3 * _START_S:
                raise RuntimeError(f"the server does not start: {self.starts.refused[-1:]}")
            time.sleep(0.2)
        if not first:
            self.starts.ready_s.append(time.monotonic() - began)

    def begin(self) -> None:
        """Start it without waiting: for whoever kills it while it starts."""
        self._spawn()

    def kill(self) -> None:
        """SIGKILL, wherever it is in its life."""
        if self._process is not None and self._process.poll() is None:
            self._up.clear()
            self._process.kill()
            self.kills.append(time.time())
            self._process.wait(10)

    def stop(self) -> int:
        """SIGTERM, and its exit status; clients may go on asking meanwhile."""
        assert self._process is not None
        self.stops.append(time.time())
        self._process.send_signal(signal.SIGTERM)
        try:
            status = self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            status = -signal.SIGKILL
        self._up.clear()
        if status:
            self.unclean.append(status)
        return status

    def terminate(self) -> None:
        """SIGTERM without waiting."""
        assert self._process is not None
        self.stops.append(time.time())
        self._process.send_signal(signal.SIGTERM)

    def left(self) -> list[int]:
        """Processes of dead servers that are still there."""
        mine = {*self._server.descendants(), self._server.pid} if self.server and self._server else set()
        return [pid for pid in self._strays() - mine if alive(pid)]

    def made(self, pid: int, at: float) -> bool:
        """Was this the pid of a server at this time? Numbers are used again, by strangers too."""
        begun = [(pid, since) for pid, since in self.servers if since <= at + _SLACK]
        return bool(begun) and begun[-1][0] == pid

    def _strays(self) -> set[int]:
        """Every process that was started for this data directory, however it has come loose."""
        mark = f"IMGSVC_DATA_DIR={self.data}".encode()
        found = set()
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit() and int(folder.name) != os.getpid():
                try:
                    if mark in (folder / "environ").read_bytes().split(b"\0"):
                        found.add(int(folder.name))
                except OSError:  # gone, or not ours to look at
                    continue
        return found

    def _try(self) -> bool:
        process, begins = self._spawn()
        deadline = time.monotonic() + _START_S
        while process.poll() is None and time.monotonic() < deadline:
            found = _ADDRESS.search(self.log.read_bytes()[begins:])
            if found and self._ready(int(found[1])):
                self._server = Server(process, int(found[1]), self.data, self.log)
                self.ready_at = time.monotonic()
                self._up.set()
                return True
            time.sleep(0.01)
        if process.poll() is None:
            process.kill()
            process.wait(10)
        said = self.log.read_bytes()[begins:].decode(errors="replace").strip().splitlines()
        self.starts.refused.append(f"status {process.returncode}: {said[-1] if said else 'not a word'}")
        return False

    def _spawn(self) -> tuple[subprocess.Popen[bytes], int]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("IMGSVC_")}
        environment = (
            inherited | {"IMGSVC_DATA_DIR": str(self.data), "IMGSVC_PORT": "0"} | dict(self._settings)
        )
        with self.log.open("ab") as output:
            begins = output.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "imgsvc", "serve"], env=environment, stdout=output, stderr=output
            )
        self.servers.append((self._process.pid, time.time()))
        return self._process, begins

    @staticmethod
    def _ready(port: int) -> bool:
        try:
            return wire.ask(port, "GET", "/readyz").status == 200
        except wire.Lost:
            return False
