"""What docs/batches.md shows works as it is shown, also when its loops are killed and run again."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.photos import photo
from tests.servers import Server, serve, wait_until

PAGE = (Path(__file__).parents[2] / "docs" / "batches.md").read_text()
OPEN, LOOPS, FETCH, FORM = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
FILES = 200

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is missing: apt-get install curl")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(tmp_path_factory.mktemp("batches") / "data") as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    original = photo(64, 48)
    for number in range(FILES):
        # What follows the end of a JPEG is nobody's business: every file is another one.
        (tmp_path / "photos" / f"{number:03}, it's a \"q\\\\.jpg").write_bytes(original + b"%d" % number)
    return tmp_path


def shell(block: str, server: Server, folder: Path) -> str:
    found = subprocess.run(
        ["sh", "-euc", addressed(block, server)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


def addressed(block: str, server: Server) -> str:
    return block.replace("localhost:8000", f"127.0.0.1:{server.port}")


def batch_of(server: Server, folder: Path) -> Any:  # noqa: ANN401  # as `Server.json`
    return server.json("GET", f"/v1/batches/{(folder / 'batch.id').read_text().strip()}")


def kill_when(joined: int, server: Server, folder: Path) -> None:
    """Run the loops, and kill them and all that they have started when so many jobs have joined."""
    loops = subprocess.Popen(
        ["sh", "-euc", addressed(LOOPS, server)],
        cwd=folder,
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: batch_of(server, folder)["counts"]["total"] >= joined)
    finally:
        os.killpg(loops.pid, signal.SIGKILL)
        loops.wait(10)


def test_loops_that_are_killed_and_run_again_do_everything_once(house: Server, folder: Path) -> None:
    shell(OPEN, house, folder)
    kill_when(FILES // 3, house, folder)
    assert batch_of(house, folder)["counts"]["total"] < FILES
    shell(OPEN + LOOPS, house, folder)
    assert batch_of(house, folder)["counts"]["total"] == FILES
    shell(LOOPS + FETCH, house, folder)
    batch = batch_of(house, folder)
    assert batch["status"] == "succeeded"
    assert (batch["counts"]["total"], batch["counts"]["succeeded"]) == (FILES, FILES)
    with zipfile.ZipFile(folder / "results.zip") as found:
        assert found.testzip() is None
        assert sorted(found.namelist()) == [
            f"photos_{number:03}, it's a _q__.webp" for number in range(FILES)
        ]
        assert Image.open(io.BytesIO(found.read(found.namelist()[0]))).format == "WEBP"


def test_a_form_with_many_files_is_a_batch(house: Server, folder: Path) -> None:
    (folder / "photos" / "000.txt").write_text("no picture")
    assert '"total":50' in shell(FORM, house, folder)
    wait_until(lambda: newest(house)["status"] == "failed")
    assert newest(house)["counts"]["succeeded"] == 49
    assert [found["filename"] for found in newest(house)["failures"]] == ["000.txt"]


def newest(server: Server) -> Any:  # noqa: ANN401  # as `Server.json`
    return server.json("GET", "/v1/batches?limit=1")["items"][0]
