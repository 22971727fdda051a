"""A cap on the bytes of results, and `imgsvc gc` in the directory of a service that is stopped."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import secrets
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from imgsvc.jobs import image_id, image_key, new_id, result_key
from tests.photos import photo
from tests.servers import Server, serve, wait_until

#: What a cap of one result and a half leaves of several: the last one.
CAP = {"IMGSVC_RESULT_BYTES": "15MB"}
#: Some 13 MB: more than all buffers between a server and a client that does not read.
LARGE = "resize:2400x1800,enlarge/png:0"


def run_job(server: Server, seed: int, ops: str = "thumbnail:16x16/png", **fields: str) -> Any:  # noqa: ANN401  # a document
    """A job that has ended."""
    query = "&".join([f"ops={ops}", *(f"{name}={value}" for name, value in fields.items())])
    job = server.json("POST", f"/v1/jobs?{query}", photo(40, 30, seed=seed))
    done = server.ask("GET", f"/v1/jobs/{job['id']}", headers={"Prefer": "wait=20"}).json()
    assert done["status"] == "succeeded", done["error"]
    return done


def status(server: Server, job: Any) -> int:  # noqa: ANN401  # a document
    return server.ask("GET", f"/v1/jobs/{job['id']}").status


def gc(data: Path, settings: Mapping[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("IMGSVC_")}
    return subprocess.run(
        [sys.executable, "-m", "imgsvc", "gc", *options],
        env=environment | {"IMGSVC_DATA_DIR": str(data)} | dict(settings),
        cwd=data.parent,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )


def collected(data: Path, settings: Mapping[str, str], *options: str) -> dict[str, int]:
    done = gc(data, settings, "--json", *options)
    assert done.returncode == 0, done.stderr
    found: dict[str, int] = json.loads(done.stdout)
    return found


def everything(data: Path) -> set[str]:
    """All files in the rooms of a data directory, and its empty folders."""
    found = set()
    for folder, folders, files in os.walk(data):  # which bears with what goes meanwhile
        place = Path(folder).relative_to(data)
        found |= {str(place / name) for name in files}
        if not folders and not files:
            found.add(str(place))
    return {each for each in found if "/" in each}


def test_results_over_their_cap_make_room_and_a_slow_download_is_read_to_its_end(tmp_path: Path) -> None:
    with serve(tmp_path / "data", CAP) as server:
        first = run_job(server, 1, LARGE)
        size, etag = first["results"][0]["bytes"], first["results"][0]["etag"]
        assert server.json("GET", "/v1/stats")["storage"]["result_bytes"] == size
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        connection.sock = socket.socket()
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        connection.sock.connect(("127.0.0.1", server.port))
        connection.request("GET", first["results"][0]["url"])
        answer = connection.getresponse()
        body = answer.read(1000)

        second = run_job(server, 2, LARGE)
        wait_until(lambda: status(server, first) == 410)
        gone = server.ask("GET", first["results"][0]["url"])
        assert (gone.status, gone.json()["code"]) == (410, "result-expired")
        wait_until(lambda: len(list((server.data / "results").rglob("job_*"))) == 1)
        storage = server.json("GET", "/v1/stats")["storage"]
        assert (storage["result_bytes"], storage["result_limit_bytes"]) == (size, 15_000_000)

        body += answer.read()
        connection.close()
        assert len(body) == size
        assert f'"{hashlib.sha256(body).hexdigest()}"' == etag
        assert server.ask("GET", second["results"][0]["url"]).status == 200


#: What nobody needs, as a crash may leave it.
STRAYS = (
    result_key(new_id("job"), 1, 0),
    f"{result_key(new_id('job'), 2, 0)}.part-0123",
    image_key(image_id("ab" * 32)),
)
STAGED = "staging/0192f0c1a2b37c4d8e5f60718293a4b5/0192f0c1a2b37c4d8e5f60718293a4b6"


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A server's directory and jobs when it is stopped, one of them past its time, and garbage."""
    data = tmp_path_factory.mktemp("stopped") / "data"
    with serve(data) as server:
        jobs = {name: run_job(server, seed) for seed, name in enumerate(("oldest", "expired", "newest"))}
    with closing(sqlite3.connect(data / "imgsvc.sqlite3")) as database, database:
        change = "UPDATE jobs SET expires_at = finished_at WHERE id = ?"
        assert database.execute(change, [jobs["expired"]["id"]]).rowcount == 1
    for key in (*STRAYS, STAGED):
        path = data / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"garbage!")
    (data / "results/zz/zz").mkdir(parents=True)
    return data, jobs


@pytest.fixture
def data(stopped: tuple[Path, dict[str, Any]], tmp_path: Path) -> Path:
    """Such a directory, for one test alone."""
    return shutil.copytree(stopped[0], tmp_path / "data")


@pytest.fixture
def jobs(stopped: tuple[Path, dict[str, Any]]) -> dict[str, Any]:
    """Its jobs by name."""
    return stopped[1]


def weight(*jobs: Any) -> int:  # noqa: ANN401  # documents
    """Bytes of the images and results of some jobs."""
    return sum(job["image"]["bytes"] + job["results"][0]["bytes"] for job in jobs)


def test_gc_removes_what_the_sweep_would_and_a_dry_run_tells_the_same_first(
    data: Path, jobs: dict[str, Any]
) -> None:
    before, settings = everything(data), {"IMGSVC_RESULT_BYTES": "1"}
    told = collected(data, settings, "--dry-run")
    assert everything(data) == before
    assert told == {
        "dry_run": True,
        "expired": 1,
        "crowded": 1,
        "images": 2,
        "receipts": 0,
        "blobs": 4,
        "strays": 3,
        "staged": 1,
        "bytes": weight(jobs["oldest"], jobs["expired"]) + 4 * len(b"garbage!"),
        "failed": 0,
    }
    assert collected(data, settings) == told | {"dry_run": False}
    nothing = dict.fromkeys(told, 0)
    assert collected(data, settings) == nothing
    assert len(everything(data)) == 2, "the newest job's image and result, no folder without a file"
    with serve(data) as server:
        assert [status(server, jobs[name]) for name in ("oldest", "expired", "newest")] == [410, 410, 200]
        assert server.ask("GET", jobs["newest"]["results"][0]["url"]).status == 200
        assert server.ask("GET", jobs["newest"]["links"]["image"] + "/content").status == 200


def test_the_sweep_at_the_start_leaves_what_gc_leaves(data: Path) -> None:
    with serve(data, {"IMGSVC_RESULT_BYTES": "1"}) as server:
        (ours,) = (data / "staging").iterdir()
        wait_until(lambda: len([each for each in everything(data) if ours.name not in each]) == 2)
        assert server.json("GET", "/v1/stats")["jobs"]["succeeded"] == 1
    nothing = collected(data, {"IMGSVC_RESULT_BYTES": "1"})
    assert set(nothing.values()) == {0}


def test_gc_tells_people_what_it_removed(data: Path) -> None:
    dry, done = gc(data, {}, "--dry-run"), gc(data, {})
    assert (dry.returncode, done.returncode) == (0, 0)
    assert dry.stdout.startswith(f"would be removed from {data}:\n")
    assert done.stdout == dry.stdout.replace("would be removed", "removed")
    assert re.search(r"expired +1\n", done.stdout)
    assert re.search(r"no record named +3\n", done.stdout)


def test_gc_removes_the_semaphores_of_a_killed_server_before_what_tells_of_them(data: Path) -> None:
    stem = f"loky-{os.getpid()}-{secrets.token_hex(4)}"
    left = Path(f"/dev/shm/sem.{stem}-2")
    (data / "staging" / "0192f0c1a2b37c4d8e5f60718293a4b7" / stem).mkdir(parents=True)
    left.write_bytes(b"")
    try:
        assert gc(data, {}, "--dry-run").returncode == 0
        assert left.exists()
        assert gc(data, {}).returncode == 0
        assert not left.exists()
    finally:
        left.unlink(missing_ok=True)


def test_gc_leaves_the_directory_of_a_running_server_alone_and_names_it(server: Server) -> None:
    run_job(server, 1)
    before = everything(server.data)
    for options in ((), ("--dry-run",)):
        done = gc(server.data, {"IMGSVC_RETENTION": "1"}, *options)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"pid {server.pid}" in done.stderr
        assert "nothing was removed" in done.stderr
    assert everything(server.data) == before


def test_gc_makes_nothing_where_no_service_has_worked(tmp_path: Path) -> None:
    missing, other = tmp_path / "missing", tmp_path / "other"
    (other / "images").mkdir(parents=True)
    (other / "images/cat.jpg").write_bytes(b"a cat")
    for folder in (missing, other):
        done = gc(folder, {})
        assert done.returncode == 1
        assert f"{folder} is not the data directory of a service" in done.stderr
    assert not missing.exists()
    assert [path.name for path in other.rglob("*")] == ["images", "cat.jpg"]


def test_gc_takes_nothing_for_garbage_when_the_record_is_missing(data: Path, tmp_path: Path) -> None:
    for file in data.glob("imgsvc.sqlite3*"):
        file.rename(tmp_path / file.name)
    before = everything(data)
    done = gc(data, {})
    assert done.returncode == 1
    assert "there is no job database" in done.stderr
    assert everything(data) == before
