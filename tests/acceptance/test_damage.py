"""What is done to the data directory behind the server's back, and what becomes of it."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers import Server, serve

WAIT = {"Prefer": "wait=10"}


def lost(file: Path) -> None:
    file.unlink()


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:100])


def blob(server: Server, picture: bytes) -> Path:
    digest = hashlib.sha256(picture).hexdigest()[:32]
    (found,) = (server.data / "images").rglob(f"{digest}-*")
    return found


@pytest.mark.parametrize("harm", [lost, emptied, cut_short])
def test_a_damaged_picture_is_our_fault_and_made_good_by_the_next_upload(
    server: Server, photo: Callable[..., bytes], harm: Callable[[Path], None]
) -> None:
    picture = photo(64, 48, quality=int(hashlib.sha256(harm.__name__.encode()).hexdigest(), 16) % 50 + 40)
    image = server.ask("POST", "/v1/images", picture).json()["id"]
    order = f'{{"source":{{"image":"{image}"}},"ops":"png"}}'.encode()
    harm(blob(server, picture))
    broken = server.ask("POST", "/v1/jobs", order, WAIT | {"Content-Type": "application/json"}).json()
    assert (broken["status"], broken["error"]["code"]) == ("failed", "internal-error")
    for again in ("/v1/jobs?ops=png", "/v1/images"):
        harm_again = blob(server, picture) if again == "/v1/images" else None
        if harm_again is not None:
            harm(harm_again)
        assert server.ask("POST", again, picture, WAIT).status in {200, 202}
        assert blob(server, picture).read_bytes() == picture
        healed = server.ask("POST", "/v1/jobs", order, WAIT | {"Content-Type": "application/json"}).json()
        assert healed["status"] == "succeeded"


def test_a_result_that_was_cut_short_is_refused_before_it_is_sent(
    server: Server, photo: Callable[..., bytes]
) -> None:
    job = server.ask("POST", "/v1/jobs?ops=png", photo(40, 30), WAIT).json()
    (file,) = (server.data / "results").rglob(f"{job['id']}-*")
    cut_short(file)
    answer = server.ask("GET", f"/v1/jobs/{job['id']}/result")
    assert (answer.status, answer.json()["code"]) == (500, "internal-error")


def test_a_removed_staging_folder_is_made_again(server: Server, photo: Callable[..., bytes]) -> None:
    # At one go: the sweep tidies empty folders away meanwhile.
    (server.data / "staging").rename(server.data.with_name("removed"))
    assert server.ask("POST", "/v1/jobs?ops=png", photo(32, 24), WAIT).json()["status"] == "succeeded"
    assert server.ask("POST", "/v1/process?ops=png", photo(32, 24)).status == 200


def test_a_server_without_its_data_directory_is_not_ready(
    server: Server, photo: Callable[..., bytes]
) -> None:
    away = server.data.with_name("away")
    server.data.rename(away)
    ready = server.ask("GET", "/readyz")
    assert (ready.status, "the data directory is gone" in ready.json()["reasons"]) == (503, True)
    assert server.ask("POST", "/v1/images", photo(20, 20)).status == 503
    away.rename(server.data)
    assert server.ask("GET", "/readyz").status == 200
    assert server.ask("POST", "/v1/images", photo(20, 20)).status == 201


def test_pictures_without_the_database_that_knows_them_are_not_swept_away(
    tmp_path: Path, photo: Callable[..., bytes]
) -> None:
    data = tmp_path / "data"
    with serve(data) as server:
        image = server.json("POST", "/v1/images", photo(50, 40))
    away = tmp_path / "imgsvc.sqlite3"
    (data / "imgsvc.sqlite3").rename(away)
    refused = subprocess.run(
        [sys.executable, "-m", "imgsvc", "serve", "--port", "0", "--data-dir", str(data)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert refused.returncode == 1
    assert "imgsvc.sqlite3 can't be opened: " in refused.stderr
    assert "holds what only it knows" in refused.stderr
    assert not (data / "imgsvc.sqlite3").exists()
    away.rename(data / "imgsvc.sqlite3")
    with serve(data) as server:
        assert server.ask("GET", f"/v1/images/{image['id']}/content").body == photo(50, 40)
