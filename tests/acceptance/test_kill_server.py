"""A server that is killed breaks no promise and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from imgsvc import jobstore
from tests.servers import Server, alive, semaphores, serve, wait_until

JOBS = 50
OPS = quote("test-sleep:0.05/thumbnail:64x64")
SETTINGS = {"IMGSVC_TEST_OPERATIONS": "1"}

Photo = Callable[..., bytes]


def submit(server: Server, photo: Photo) -> list[str]:
    bodies = [photo(seed=seed) for seed in range(5)]
    return [
        server.json("POST", f"/v1/jobs?ops={OPS}", bodies[number % len(bodies)])["id"]
        for number in range(JOBS)
    ]


def states(server: Server, jobs: list[str]) -> list[str]:
    return [server.json("GET", f"/v1/jobs/{job}")["status"] for job in jobs]


def begin_an_upload(server: Server) -> socket.socket:
    """A client that has sent a part of its body, of which some is on the disk already."""
    client = socket.create_connection(("127.0.0.1", server.port))
    head = f"POST /v1/jobs?ops={OPS} HTTP/1.1\r\nHost: test\r\nContent-Length: 8000000\r\n\r\n"
    client.sendall(head.encode() + b"\xff\xd8\xff" + b"x" * 5_000_000)
    wait_until(lambda: bool(files(server.data / "staging")))
    return client


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def blobs(data: Path) -> list[str]:
    return [str(path.relative_to(data)) for room in ("images", "results") for path in files(data / room)]


def unnamed(data: Path) -> set[str]:
    """The blobs that no record names."""

    async def look() -> frozenset[str]:
        store = jobstore.connect(f"sqlite://{data}/imgsvc.sqlite3")
        await store.open()
        try:
            return await store.known_keys(blobs(data))
        finally:
            await store.close()

    return set(blobs(data)) - asyncio.run(look())


def test_a_server_killed_with_fifty_jobs_in_its_queue_does_them_all_after_a_restart(
    tmp_path: Path, photo: Photo
) -> None:
    data = tmp_path / "data"
    with serve(data, SETTINGS) as server:
        jobs = submit(server, photo)
        with begin_an_upload(server):
            wait_until(lambda: states(server, jobs[:5]).count("succeeded") >= 3)
            processes = [server.pid, *server.descendants()]
            server.kill()
        assert len(processes) >= 3
    wait_until(lambda: not any(alive(pid) for pid in processes), patience=5)

    with serve(data, SETTINGS) as server:
        wait_until(lambda: states(server, jobs) == ["succeeded"] * JOBS)
        documents = [server.json("GET", f"/v1/jobs/{job}") for job in jobs]
        lost = [document for document in documents if document["attempts"] > 1]
        # At most what ran on the two lanes was lost, and it was lost with the server, not by its own doing.
        assert 1 <= len(lost) <= 2
        assert all([start["outcome"] for start in d["history"]] == ["lost", "succeeded"] for d in lost)
        for document in documents:
            assert server.ask("GET", document["results"][0]["url"]).status == 200

    assert unnamed(data) == set()
    assert len(blobs(data)) == JOBS + 5
    assert files(data / "staging") == []


def succeeded(server: Server, jobs: list[str]) -> int:
    return states(server, jobs).count("succeeded")


def test_a_server_killed_again_and_again_gets_there_in_the_end(tmp_path: Path, photo: Photo) -> None:
    data = tmp_path / "data"
    with serve(data, SETTINGS) as first:
        jobs = submit(first, photo)
        wait_until(lambda: succeeded(first, jobs) >= 1)
        first.kill()
    with serve(data, SETTINGS) as second:
        before = succeeded(second, jobs)
        wait_until(lambda: succeeded(second, jobs) > before)
        second.kill()
    with serve(data, SETTINGS) as third:
        wait_until(lambda: succeeded(third, jobs) == JOBS)
    assert unnamed(data) == set()


def test_a_server_killed_with_all_its_processes_leaves_no_semaphore_after_a_restart(tmp_path: Path) -> None:
    data = tmp_path / "data"
    command = [sys.executable, "-m", "imgsvc", "serve"]
    environment = os.environ | {"IMGSVC_DATA_DIR": str(data), "IMGSVC_PORT": "0", "IMGSVC_WORKERS": "2"}
    with (tmp_path / "first.log").open("wb") as log:
        killed = subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, cwd=tmp_path, start_new_session=True
        )
        try:
            # In the midst of its start: later there is no name any more.
            wait_until(lambda: bool(semaphores(data)))
        finally:
            os.killpg(killed.pid, signal.SIGKILL)
            killed.wait(10)
    left = semaphores(data)
    assert left
    with serve(data) as server:
        wait_until(lambda: server.json("GET", "/v1/workers")["desk"]["state"] == "idle")
        wait_until(lambda: not semaphores(data))
        assert not any(path.exists() for path in left)
        assert "semlock" not in server.log.read_text()
