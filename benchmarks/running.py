"""A real server for the benchmarks, started on a free port and watched through /proc, ended by pid."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Running:
    """A server that answers on `port`; `pid` is its API process."""

    pid: int
    port: int
    log: Path

    def cpu_seconds(self) -> float:
        """User and system time of the API process so far, without its children."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def resident(self) -> dict[int, int]:
        """Resident bytes of the API process and of every process below it."""
        return {pid: rss for pid in tree(self.pid) if (rss := _resident(pid)) is not None}


def tree(pid: int) -> list[int]:
    """A process and every one below it, as far as they are still there."""
    found: list[int] = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                found += [int(child) for child in (task / "children").read_text().split()]
    return [pid, *(below for child in found for below in tree(child))]


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of these processes so far, with what their children took that have ended."""
    total = 0
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:15]))
    return total / TICK


def proportional(pid: int) -> int:
    """Proportional set size in bytes: memory that is shared counts in parts; 0 for a process that is gone."""
    try:
        found = re.search(r"^Pss:\s*(\d+) kB$", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(found[1]) * 1024 if found else 0


@contextlib.contextmanager
def sampled(processes: Callable[[], Iterable[int]], every: float) -> Iterator[list[int]]:
    """Looks at the proportional memory of some processes, in bytes, every so many seconds."""
    samples: list[int] = []
    over = threading.Event()

    def sample() -> None:
        while True:
            samples.append(sum(map(proportional, processes())))
            if over.wait(every):
                return

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        over.set()
        thread.join()


def _resident(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (FileNotFoundError, ProcessLookupError):
        return None


@contextlib.contextmanager
def server(settings: Mapping[str, str] | None = None, *, patience: float = 30.0) -> Iterator[Running]:
    """`imgsvc serve` in a data directory of its own, ready to work; ended with SIGTERM and removed.

    Raises RuntimeError with the end of its log when it does not become ready within `patience` seconds.
    """
    with tempfile.TemporaryDirectory(prefix="imgsvc-bench-") as folder:
        log = Path(folder, "log")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("IMGSVC_")}
        environment |= {"IMGSVC_DATA_DIR": f"{folder}/data", "IMGSVC_PORT": "0"} | dict(settings or {})
        with log.open("wb") as output:
            command = [sys.executable, "-m", "imgsvc", "serve"]
            process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)  # ours
        try:
            yield Running(process.pid, _wait_until_ready(process, log, patience), log)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path, patience: float) -> int:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and process.poll() is None:
        found = re.search(rb"http://127\.0\.0\.1:(\d+)", log.read_bytes())
        if found and ready(int(found[1])):
            return int(found[1])
        time.sleep(0.02)
    process.kill()
    raise RuntimeError(f"the server did not become ready:\n{log.read_text()[-2000:]}")


def ready(port: int) -> bool:
    """Does the server on this port say that it can work?"""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()
