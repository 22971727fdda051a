"""Starting, draining, dying and starting again: a promise outlives the process that gave it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.acceptance.contract.client import Api, check_problem, document, fresh, opened, problem, read_answer
from tests.servers import alive, serve, wait_until


def test_a_drain_lets_work_finish_and_says_so_on_open_connections(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with opened(data, test_operations=1, workers=1) as api:
        running = api.submit(fresh(), "test-sleep:2/png")["id"]
        waiting = api.submit(fresh(), "png")["id"]
        api.until_running(running)
        with socket.create_connection(("127.0.0.1", api.server.port), timeout=10) as connection:
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert read_answer(connection)[0] == 200
            os.kill(api.server.pid, signal.SIGTERM)

            def refused() -> bool:
                picture = fresh()
                head = f"POST /v1/images HTTP/1.1\r\nHost: x\r\nContent-Length: {len(picture)}\r\n\r\n"
                connection.sendall(head.encode() + picture)
                status, headers, body = read_answer(connection)
                if status < 300:
                    return False
                check_problem(json.loads(body), 503, "draining")
                assert int(headers["retry-after"]) >= 1
                return True

            wait_until(refused, 5)
        assert api.server.process.wait(15) == 0
    with opened(data) as api:
        first, second = api.ended(running), api.ended(waiting)
        assert (first["status"], second["status"]) == ("succeeded", "succeeded")
        assert first["attempts"] == 1
        assert second["attempts"] == 1
        assert api.get(f"/v1/jobs/{running}/result").status_code == 200


def test_work_that_outlasts_the_grace_goes_back_and_costs_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with opened(data, test_operations=1, shutdown_grace=0.5) as api:
        posted = api.submit(fresh(), "test-sleep:3/png", max_attempts=1)["id"]
        api.until_running(posted)
        began = time.monotonic()
        os.kill(api.server.pid, signal.SIGTERM)
        assert api.server.process.wait(15) == 0
        assert time.monotonic() - began < 8
    with opened(data, test_operations=1) as api:
        job = api.ended(posted)
        assert (job["status"], job["error"]) == ("succeeded", None)


def test_nothing_that_was_promised_is_lost_by_kill_9(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serve(data, {"IMGSVC_TEST_OPERATIONS": "1"}) as server:
        api = Api(server)
        ended = api.run(fresh(), "png")
        made = [api.submit(fresh(), "test-sleep:3/png")["id"]]
        made += [api.submit(fresh(), "test-sleep:0.2/png")["id"] for _ in range(9)]
        gone = api.submit(fresh(), "flip")["id"]
        api.delete(f"/v1/jobs/{gone}")
        image = document(api.raw(fresh(), path="/v1/images"))["id"]
        api.until_running(made[0])
        below = server.descendants()
        server.kill()
        wait_until(lambda: not any(alive(pid) for pid in below), 10)
        api.http.close()
    with opened(data, test_operations=1) as api:
        for each in made:
            job = api.ended(each)
            assert job["status"] == "succeeded", job["error"]
            assert api.get(f"/v1/jobs/{each}/result").status_code == 200
        assert api.job(ended["id"]) == ended
        problem(api.get(f"/v1/jobs/{gone}"), 410, "result-expired")
        assert api.delete(f"/v1/jobs/{gone}").status_code == 204
        assert api.get(f"/v1/images/{image}/content").status_code == 200
        for each in [*made, ended["id"]]:
            api.delete(f"/v1/jobs/{each}")
        api.delete(f"/v1/images/{image}")
        api.until_files(set())


def test_a_data_directory_belongs_to_one_server(house: Api) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("IMGSVC_")}
    environment |= {"IMGSVC_DATA_DIR": str(house.server.data), "IMGSVC_PORT": "0"}
    second = subprocess.run(
        [sys.executable, "-m", "imgsvc", "serve"],
        env=environment,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert second.returncode == 1
    said = (second.stdout + second.stderr).decode()
    assert str(house.server.pid) in said
    assert "Traceback" not in said
    house.is_fine()


def test_without_room_on_the_disk_nothing_new_is_taken_but_all_else_works(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with opened(data) as api:
        kept, other = api.run(fresh(), "png"), api.run(fresh(), "png")
    with opened(data, disk_reserve="900TiB") as api:
        before = api.files()
        for path in ("/v1/jobs?ops=flip", "/v1/images", "/v1/process?ops=flip"):
            problem(api.post(path, content=fresh()), 507, "insufficient-storage")
        problem(api.form(fresh(), ops="flip"), 507, "insufficient-storage")
        source = {"source": {"image": kept["image"]["id"]}, "ops": "flip"}
        problem(api.post("/v1/jobs", json=source), 507, "insufficient-storage")
        assert api.files() == before
        ready = api.get("/readyz")
        assert ready.status_code == 200
        assert document(ready)["degraded"]
        assert api.job(kept["id"]) == kept
        assert api.get(f"/v1/jobs/{kept['id']}/result").status_code == 200
        assert api.get(kept["links"]["image"] + "/content").status_code == 200
        assert api.delete(f"/v1/jobs/{other['id']}").status_code == 204
        wait_until(lambda: len(api.files()) == len(before) - 2, 10)


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "99999"), ("MAX_BODY", "much"), ("WORKERS", "-1"), ("JOB_TIMEOUT", "soon"), ("NONSENSE", "1")],
)
def test_a_bad_setting_is_refused_by_name(tmp_path: Path, name: str, value: str) -> None:
    environment = {key: each for key, each in os.environ.items() if not key.startswith("IMGSVC_")}
    environment |= {"IMGSVC_DATA_DIR": str(tmp_path / "data"), "IMGSVC_PORT": "0", f"IMGSVC_{name}": value}
    run = subprocess.run(
        [sys.executable, "-m", "imgsvc", "serve"],
        env=environment,
        capture_output=True,
        timeout=30,
        check=False,
    )
    said = (run.stdout + run.stderr).decode()
    assert run.returncode != 0
    assert f"IMGSVC_{name}" in said
    assert "Traceback" not in said
