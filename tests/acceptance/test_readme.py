"""What the README shows works as it is shown."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from imgsvc import plugins
from tests.servers import Server, serve

README = (Path(__file__).parents[2] / "README.md").read_text()
BLOCKS: list[str] = re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is missing: apt-get install curl")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(tmp_path_factory.mktemp("readme") / "data") as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, photo: Callable[..., bytes]) -> Path:
    (tmp_path / "photo.jpg").write_bytes(photo(2000, 1500, quality=90))
    return tmp_path


def shell(block: str, server: Server, folder: Path) -> str:
    found = subprocess.run(
        ["sh", "-euc", block.replace("localhost:8000", f"127.0.0.1:{server.port}")],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


def block_with(text: str) -> str:
    (found,) = (block for block in BLOCKS if text in block)
    return found


@pytest.mark.parametrize("block", BLOCKS)
def test_every_line_runs(block: str, house: Server, folder: Path) -> None:
    output = shell(block, house, folder)
    assert "/problems/" not in output


def test_a_picture_in_a_picture_out(house: Server, folder: Path) -> None:
    shell(block_with("/v1/process"), house, folder)
    with Image.open(folder / "thumb.webp") as made:
        assert (made.format, made.size) == ("WEBP", (300, 200))


def test_a_job_that_is_waited_for_is_finished(house: Server, folder: Path) -> None:
    output = shell(block_with("-F ops=thumbnail"), house, folder)
    assert '"status":"succeeded"' in output
    assert '"filename":"photo.jpg"' in output


def test_several_results_come_one_by_one_and_together(house: Server, folder: Path) -> None:
    shell(block_with('"wide"'), house, folder)
    with Image.open(folder / "wide.jpg") as wide:
        assert (wide.format, wide.size) == ("JPEG", (1600, 1200))
    with zipfile.ZipFile(folder / "results.zip") as archive:
        assert len(archive.namelist()) == 2
        for name in archive.namelist():
            with Image.open(io.BytesIO(archive.read(name))) as made:
                made.load()


def test_a_picture_for_every_screen_comes_with_its_html(house: Server, folder: Path) -> None:
    output = shell(block_with('"widths"'), house, folder)
    (picture,) = json.loads(output)["pictures"]
    assert picture["html"].startswith("<picture><source type=")
    assert [source["type"] for source in picture["sources"]] == ["image/avif", "image/webp", "image/jpeg"]


def test_a_stored_picture_is_worked_on_later(house: Server, folder: Path) -> None:
    output = shell(block_with("/v1/images"), house, folder)
    assert '"status":"succeeded"' in output
    assert '"spec":"resize:1600x/blur' in output
    with Image.open(folder / "page.jpg") as page:
        assert (page.format, page.width) == ("JPEG", 800)


def test_what_has_a_key_is_done_once(house: Server, folder: Path) -> None:
    first, second = [shell(block_with("Idempotency-Key"), house, folder) for _ in range(2)]
    assert first == second
    assert '"spec":"grayscale/webp"' in first


def test_explaining_a_pipeline_gives_what_is_shown(house: Server, folder: Path) -> None:
    output = shell(block_with(":explain"), house, folder)
    shown = README[README.index('{"spec":"resize') :].split("\n")[0].rstrip(",")
    assert output.startswith(shown)


def test_every_operation_is_in_the_table() -> None:
    table = README[README.index("## Operations") : README.index("## The API")]
    for name in (*plugins.names("imgsvc.operations"), *plugins.names("imgsvc.formats")):
        if not name.startswith("test"):
            assert f"`{name.replace('_', '-')}`" in table, name
