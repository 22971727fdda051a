"""A real server on a folder of sources: no way out of it, whatever is written or happens there."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.photos import photo
from tests.servers import Server, serve, wait_until

OPS = "resize:40x/png"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures, beside others that nobody may see."""
    above = tmp_path_factory.mktemp("sources")
    folder = above / "sources"
    (folder / "a" / "b").mkdir(parents=True)
    (folder / ".private").mkdir()
    (above / "secret").mkdir()
    for path in (
        "sources/a/b/c.jpg",
        "sources/top.jpg",
        "sources/.private/c.jpg",
        "secret.jpg",
        "secret/c.jpg",
    ):
        (above / path).write_bytes(photo(400, 300, quality=90))
    (folder / "out").symlink_to(above / "secret")
    (folder / "out.jpg").symlink_to("../secret.jpg")
    (folder / "in.jpg").symlink_to("a/b/c.jpg")
    os.mkfifo(folder / "pipe.jpg")
    return folder


@pytest.fixture(scope="module")
def house(folder: Path) -> Iterator[Server]:
    with serve(folder.parent / "data", {"IMGSVC_SOURCES_DIR": str(folder)}) as running:
        yield running


def status(server: Server, path: str) -> int:
    return server.ask("GET", f"/r/@{path}/{OPS}", timeout=10).status


@pytest.mark.parametrize("path", ["top.jpg", "a/b/c.jpg", "a%2Fb%2fc.jpg", "%74op.jpg", "in.jpg"])
def test_what_lies_in_the_folder_is_shown(house: Server, path: str) -> None:
    assert status(house, path) == 200


@pytest.mark.parametrize(
    "path",
    [
        "../secret.jpg",
        "..%2Fsecret.jpg",
        "%2e%2e/secret.jpg",
        "%2e%2e%2fsecret.jpg",
        ".%2e/secret.jpg",
        "a/../../secret.jpg",
        "a/..%2f..%2fsecret.jpg",
        "%252e%252e%252fsecret.jpg",
        "..%252fsecret.jpg",
        "..%5csecret.jpg",
        "..\\secret.jpg",
        "..%c0%afsecret.jpg",
        "%c0%ae%c0%ae/secret.jpg",
        "..%00/secret.jpg",
        "top.jpg%00.png",
        "%00",
        "/top.jpg",
        "%2ftop.jpg",
        "//top.jpg",
        "./top.jpg",
        "a/./b/c.jpg",
        "a//b/c.jpg",
        "{above}/secret.jpg",
        "%2f{above}/secret.jpg",
        "file:///{above}/secret.jpg",
        "/proc/self/environ",
        "%2fproc%2fself%2fcwd",
        "~/secret.jpg",
        ".private/c.jpg",
        "%2eprivate/c.jpg",
        "out.jpg",
        "out/c.jpg",
        "pipe.jpg",
        "a",
        "a/b",
        "x" * 3000,
        "a/" * 3000,
    ],
)
def test_there_is_no_way_out(house: Server, folder: Path, path: str) -> None:
    answer = house.ask("GET", f"/r/@{path.format(above=folder.parent)}/{OPS}", timeout=10)
    assert (answer.status, answer.json()["code"]) == (404, "not-found")
    assert str(folder).encode() not in answer.body


def test_links_that_come_and_go_lead_nowhere(house: Server, folder: Path) -> None:
    """What lies inside has another colour than what lies outside: no answer shows that."""
    (folder / "swap").mkdir()
    (folder / "swap" / "c.jpg").write_bytes(photo(64, 48, quality=50))
    inside = house.ask("GET", f"/r/@swap/c.jpg/{OPS}").body
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            (folder / "swap").rename(folder / "between")
            (folder / "out").rename(folder / "swap")
            (folder / "swap").rename(folder / "out")
            (folder / "between").rename(folder / "swap")

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        answers = [house.ask("GET", f"/r/@swap/c.jpg/{OPS}", timeout=20) for _ in range(200)]
    finally:
        stop.set()
        thread.join()
    assert {answer.status for answer in answers} <= {200, 404, 503}
    assert {answer.body for answer in answers if answer.status == 200} <= {inside}


def test_a_file_that_changes_under_a_crowd_is_shown_as_it_was_or_as_it_is(
    house: Server, folder: Path
) -> None:
    """Never as half of both."""
    path, new = folder / "live.jpg", folder / "new"
    versions = [photo(200, 150, quality=quality) for quality in (60, 90)]
    path.write_bytes(versions[0])
    seen: list[tuple[int, str | None]] = []

    def look() -> None:
        for _ in range(40):
            answer = house.ask("GET", f"/r/@live.jpg/{OPS}")
            seen.append((answer.status, answer.headers.get("imgsvc-image")))

    crowd = [threading.Thread(target=look) for _ in range(4)]
    for thread in crowd:
        thread.start()
    turn = 0
    while any(thread.is_alive() for thread in crowd):
        turn += 1
        new.write_bytes(versions[turn % 2])
        new.replace(path)
    for thread in crowd:
        thread.join()
    assert {code for code, _ in seen} <= {200, 503}
    assert len({image for code, image in seen if code == 200}) <= 2
    assert any(code == 200 for code, _ in seen)


def test_what_was_rendered_survives_a_restart_and_the_copies_do_not(tmp_path: Path, folder: Path) -> None:
    data, settings = tmp_path / "data", {"IMGSVC_SOURCES_DIR": str(folder)}
    with serve(data, settings) as server:
        first = server.ask("GET", f"/r/@top.jpg/{OPS}")
        assert [path for path in (data / "staging").rglob("*") if path.stat().st_size > 10_000]
        server.kill()
    with serve(data, settings) as server:
        assert not [path for path in (data / "staging").rglob("*") if path.stat().st_size > 10_000]
        # Asking for the image, which nobody has stored, does not remove what was made of it.
        assert server.ask("GET", f"/r/{first.headers['imgsvc-image']}/{OPS}").status == 404
        again = server.ask("GET", f"/r/@top.jpg/{OPS}")
        assert again.body == first.body
        assert again.headers["server-timing"].startswith('cache;desc="hit"')


def test_a_folder_that_goes_and_comes_back_is_degraded_meanwhile(tmp_path: Path) -> None:
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(photo(40, 30))
    with serve(tmp_path / "data", {"IMGSVC_SOURCES_DIR": str(folder)}) as server:
        assert status(server, "a.jpg") == 200
        folder.rename(tmp_path / "away")
        assert server.json("GET", "/readyz")["degraded"] == ["the folder of sources can't be read"]
        answer = server.ask("GET", f"/r/@a.jpg/{OPS}")
        assert (answer.status, answer.json()["code"]) == (503, "storage-unavailable")
        (tmp_path / "away").rename(folder)
        wait_until(lambda: server.json("GET", "/readyz")["degraded"] == [])
        assert status(server, "a.jpg") == 200


def refused(settings: dict[str, str]) -> str:
    """What a server says that refuses to start with these settings."""
    found = subprocess.run(
        [sys.executable, "-m", "imgsvc", "serve", "--port", "0"],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert found.returncode == 2
    return found.stderr


@pytest.mark.parametrize(
    ("sources", "told"),
    [
        ("nowhere", "expected a folder that is there"),
        ("file", "expected a folder that is there"),
        ("", "IMGSVC_DATA_DIR"),
        ("data", "IMGSVC_DATA_DIR"),
        ("data/images", "IMGSVC_DATA_DIR"),
    ],
)
def test_a_start_refuses_what_is_no_folder_of_pictures(tmp_path: Path, sources: str, told: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "data" / "images").mkdir(parents=True)
    settings = {"IMGSVC_SOURCES_DIR": str(tmp_path / sources), "IMGSVC_DATA_DIR": str(tmp_path / "data")}
    said = refused(settings)
    assert "IMGSVC_SOURCES_DIR=" in said
    assert told in said
    assert list((tmp_path / "data").iterdir()) == [tmp_path / "data" / "images"]


def test_a_start_refuses_a_folder_in_or_around_a_storage_elsewhere(tmp_path: Path) -> None:
    for sources in ("store", "store/images", "."):
        (tmp_path / sources).mkdir(parents=True, exist_ok=True)
        settings = {
            "IMGSVC_SOURCES_DIR": str(tmp_path / sources),
            "IMGSVC_DATA_DIR": str(tmp_path.with_name(f"{tmp_path.name}-data")),
            "IMGSVC_STORAGE": f"file://{tmp_path}/store",
        }
        told = refused(settings)
        assert "IMGSVC_STORAGE" in told
