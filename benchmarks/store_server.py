"""Two real servers on databases of different sizes: how soon they are ready, and how soon they answer."""

from __future__ import annotations

import http.client
import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.running import server

#: What is asked for, by the name in the table.
_ASKED = {
    "GET /v1/jobs": "/v1/jobs",
    "GET /v1/jobs?status=failed": "/v1/jobs?status=failed",
    "GET /v1/jobs?reference=shop&status=running": "/v1/jobs?reference=shop&status=running",
    "GET /v1/images": "/v1/images",
    "GET /v1/stats": "/v1/stats",
    "GET /readyz": "/readyz",
}
_TIMES = 200


def started(folders: Sequence[Path], times: int) -> dict[str, list[float]]:
    """Median seconds from the start of a server to its first 200 of `/readyz`, in turn."""
    taken: list[list[float]] = [[] for _ in folders]
    for _ in range(times):
        for place, folder in enumerate(folders):
            began = time.perf_counter()
            with server(_settings(folder)):
                taken[place].append(time.perf_counter() - began)
    return {"from the start of a server to ready": [statistics.median(each) for each in taken]}


def asked(folders: Sequence[Path]) -> dict[str, list[float]]:
    """Median seconds for an answer, asked of the servers in turn."""
    with ExitStack() as stack:
        ports = [stack.enter_context(server(_settings(folder))).port for folder in folders]
        clients = [http.client.HTTPConnection("127.0.0.1", port, timeout=30) for port in ports]
        found = {}
        for name, path in _ASKED.items():
            taken: list[list[float]] = [[] for _ in clients]
            for _ in range(_TIMES):
                for place, client in enumerate(clients):
                    taken[place].append(_timed(client, path))
            found[name] = [statistics.median(each) for each in taken]
        for client in clients:
            client.close()
        return found


def _settings(folder: Path) -> dict[str, str]:
    return {"IMGSVC_DATA_DIR": str(folder), "IMGSVC_WORKERS": "1", "IMGSVC_DISK_RESERVE": "0"}


def _timed(client: http.client.HTTPConnection, path: str) -> float:
    began = time.perf_counter()
    client.request("GET", path)
    answer = client.getresponse()
    answer.read()
    taken = time.perf_counter() - began
    if answer.status != http.HTTPStatus.OK:
        raise RuntimeError(f"{path} answered {answer.status}")
    return taken
