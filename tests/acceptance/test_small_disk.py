"""Renders on a disk that is smaller than the caches may be."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.rendering import counts, render, stored
from tests.photos import photo
from tests.servers import serve, wait_until

MIB = 2**20
SIZE, RESERVE = 24 * MIB, 4 * MIB


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can mount a small disk")
    try:
        yield folder
    finally:
        # The trackers, which end after the server, are in the folder that it was started in.
        wait_until(lambda: subprocess.run(["umount", str(folder)], check=False).returncode == 0)


@pytest.mark.parametrize("reserve", [RESERVE, 0], ids=["with a reserve", "to the brim"])
def test_older_pictures_make_room_for_new_ones(disk: Path, reserve: int) -> None:
    with serve(disk / "data", {"IMGSVC_DISK_RESERVE": str(reserve)}) as server:
        image = stored(server, photo(1200, 900))
        answers = [render(server, image, f"resize:{width}x/png:0") for width in range(600, 640)]
        assert [answer.status for answer in answers] == [200] * 40  # more than 30 MiB of them
        assert counts(server)["evictions"] > 0
        assert render(server, image, "resize:639x/png:0").headers["server-timing"] == 'cache;desc="hit"'
        # Uploads find their reserve, too.
        assert server.ask("POST", "/v1/images", photo(seed=1)).status == 201
