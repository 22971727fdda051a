"""`imgsvc serve` from the first line to the exit status."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from imgsvc import __version__
from tests.servers import Server, alive, serve, wait_until


def run(
    *arguments: str, settings: Mapping[str, str] | None = None, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """The command line, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "imgsvc", *arguments],
        env={**os.environ, **(settings or {})},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )


def test_it_says_where_it_listens_with_how_many_workers_and_where_its_data_is(server: Server) -> None:
    output = server.log.read_text()
    where = f"http://127.0.0.1:{server.port} (2 workers, data in {server.data})"
    assert output.count(f"imgsvc {__version__} listening on {where}\n") == 1
    assert "Uvicorn" not in output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_status_0_and_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    with serve(tmp_path / "data") as running:
        below = running.descendants()
        running.process.send_signal(number)
        assert running.process.wait(20) == 0
    assert len(below) >= 3
    wait_until(lambda: not any(alive(pid) for pid in below), 10)
    assert "Traceback" not in running.log.read_text()


def test_ctrl_c_in_a_terminal_reaches_everyone_and_ends_it_with_status_0(tmp_path: Path) -> None:
    """A terminal sends SIGINT to the whole group: the workers must leave it to the server."""
    log = (tmp_path / "log").open("w+b")
    process = subprocess.Popen(
        [sys.executable, "-m", "imgsvc", "serve", "--port", "0", "--data-dir", str(tmp_path / "data")],
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        wait_until(lambda: b"listening on" in (tmp_path / "log").read_bytes(), 30)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        log.close()
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_signal_while_it_starts_ends_it_too(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "imgsvc", "serve", "--port", "0", "--data-dir", str(tmp_path / "data")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    wait_until((tmp_path / "data" / "lock").exists, 30)
    process.terminate()
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    assert b"Traceback" not in errors


def test_a_port_that_is_taken_is_said_so_and_nothing_is_touched(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = run("serve", "--port", str(port), "--data-dir", str(tmp_path / "data"))
    assert found.returncode == 1
    assert found.stderr.strip() == (
        f"imgsvc: port {port} of 127.0.0.1 is in use by another program; --port names another one"
    )
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("host", ["203.0.113.7", "no such host"])
def test_an_address_that_is_not_ours_is_said_so(tmp_path: Path, host: str) -> None:
    found = run("serve", "--host", host, "--port", "0", "--data-dir", str(tmp_path / "data"))
    assert found.returncode == 1
    assert host in found.stderr
    assert "Traceback" not in found.stderr


def test_a_bad_setting_is_status_2_and_says_what_is_expected(tmp_path: Path) -> None:
    found = run("serve", settings={"IMGSVC_WORKERS": "many", "IMGSVC_DATA_DIR": str(tmp_path)})
    assert found.returncode == 2
    assert found.stderr.strip() == "imgsvc: IMGSVC_WORKERS='many': expected a whole number, from 1 to 1024"


def test_a_data_directory_that_can_t_be_used_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = run("serve", "--port", "0", "--data-dir", str(tmp_path / "file" / "data"))
    assert found.returncode == 1
    assert "can't use the data directory" in found.stderr
    assert "Traceback" not in found.stderr


def test_a_signal_in_its_first_moments_ends_it_too(tmp_path: Path) -> None:
    """A container's first process is deaf to a signal that it has no handler for."""
    process = subprocess.Popen(
        [sys.executable, "-m", "imgsvc", "serve", "--port", "0", "--data-dir", str(tmp_path / "data")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    wait_until(lambda: _handles(process.pid, signal.SIGTERM), 30)
    process.terminate()
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("IMGSVC_STORAGE", "ftp://x", "file:, memory:"),
        ("IMGSVC_STORAGE", "file://x", "file:///data"),
        ("IMGSVC_STORAGE", "memory:", "file:"),
        ("IMGSVC_JOBS", "oracle:x", "memory:, sqlite:"),
        ("IMGSVC_JOBS", "sqlite:x?patience=1", "sqlite:///"),
        ("IMGSVC_DISPATCH", "inline:", "loky:"),
        ("IMGSVC_DISPATCH", "celery:", "inline:, loky:"),
    ],
)
def test_a_part_that_is_not_there_or_is_not_fit_is_a_setting_that_is_not_allowed(
    tmp_path: Path, name: str, value: str, allowed: str
) -> None:
    settings = {name: value, "IMGSVC_DATA_DIR": str(tmp_path / "data"), "IMGSVC_PORT": "0"}
    found = run("serve", settings=settings)
    assert found.returncode == 2, found.stderr
    (line,) = found.stderr.splitlines()
    assert line.startswith(f"imgsvc: {name}={value!r}: ")
    assert allowed in line
    assert not (tmp_path / "data").exists()


def test_a_database_that_is_none_is_named_with_the_reason_and_the_setting(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("This is no database. " * 500)
    for path, why in ((tmp_path / "notes.txt", "not a database"), (tmp_path / "none" / "x", "no folder")):
        settings = {"IMGSVC_DATA_DIR": str(tmp_path / "data"), "IMGSVC_PORT": "0"}
        found = run("serve", settings=settings | {"IMGSVC_JOBS": f"sqlite://{path}"})
        assert found.returncode == 1
        (line,) = found.stderr.splitlines()
        assert f"the job database {path} can't be opened: " in line
        assert why in line
        assert "IMGSVC_JOBS" in line


@contextmanager
def locked(data: Path) -> Iterator[None]:
    """Another process (for all that the server can tell) writes to its database."""
    path = data / "imgsvc.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


def test_a_start_waits_for_a_database_that_is_locked(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serve(data):
        pass
    patience = {"IMGSVC_JOBS": f"sqlite://{data}/imgsvc.sqlite3?patience=0.1"}
    with ExitStack() as stack:
        stack.enter_context(locked(data))

        def let_go() -> None:
            wait_until(lambda: "the start waits" in (tmp_path / "data.log").read_text())
            stack.close()

        with ThreadPoolExecutor() as other:
            waiting = other.submit(let_go)
            with serve(data, patience) as server:
                assert server.ask("GET", "/readyz").status == 200
            waiting.result()


def test_a_start_does_not_wait_for_ever(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serve(data):
        pass
    settings = {
        "IMGSVC_DATA_DIR": str(data),
        "IMGSVC_PORT": "0",
        "IMGSVC_JOBS": f"sqlite://{data}/imgsvc.sqlite3?patience=0.1",
        "IMGSVC_START_PATIENCE": "0.7",
    }
    with locked(data):
        found = run("serve", settings=settings)
    assert found.returncode == 1
    assert "the start waits" in found.stderr
    assert found.stderr.endswith("imgsvc: the job database is locked by another process\n")
    assert "Traceback" not in found.stderr


def test_the_healthcheck_tells_ready_from_not(server: Server) -> None:
    assert run("healthcheck", settings={"IMGSVC_PORT": str(server.port)}).returncode == 0
    missing = run("healthcheck", "--url", f"http://127.0.0.1:{server.port}/nowhere")
    assert missing.returncode == 1
    assert "404" in missing.stderr
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    gone = run("healthcheck", settings={"IMGSVC_PORT": port})
    assert gone.returncode == 1
    assert "not reachable" in gone.stderr


def test_other_servers_can_run_the_application(tmp_path: Path, photo: Callable[..., bytes]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = (tmp_path / "log").open("w+b")
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "--factory", "imgsvc.asgi:app", "--port", str(port)],
        env={**os.environ, "IMGSVC_DATA_DIR": str(tmp_path / "data"), "IMGSVC_WORKERS": "1"},
        stdout=log,
        stderr=log,
    )
    server = Server(process, port, tmp_path / "data", tmp_path / "log")
    try:
        wait_until(lambda: _answers(server), 30, server.log.read_text)
        answer = server.ask("POST", "/v1/process?ops=resize:20x/png", photo())
        assert answer.status == 200
        assert answer.body.startswith(b"\x89PNG")
        process.terminate()
        process.wait(20)
    finally:
        process.kill()
        process.wait()
        log.close()
    assert "Traceback" not in (tmp_path / "log").read_text()


def _handles(pid: int, number: signal.Signals) -> bool:
    """Has the process a handler for the signal?"""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return bool(int(status["SigCgt"], 16) >> (number - 1) & 1)


def _answers(server: Server) -> bool:
    try:
        return server.ask("GET", "/readyz", timeout=5).status == 200
    except (OSError, http.client.HTTPException):
        return False
