"""The command line as a user meets it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from PIL import Image

from imgsvc import __version__

Photo = Callable[..., bytes]


@pytest.fixture
def folder(tmp_path: Path, photo: Photo) -> Path:
    """A folder with some pictures and something else."""
    (tmp_path / "a.jpg").write_bytes(photo(400, 300))
    (tmp_path / "b.png").write_bytes(photo(300, 400, format="PNG", mode="RGBA"))
    (tmp_path / "notes.jpg").write_bytes(b"nothing but text")
    return tmp_path


def run(
    folder: Path, *arguments: str, settings: Mapping[str, str] | None = None, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "imgsvc", *arguments],
        cwd=folder,
        env={**os.environ, **(settings or {})},
        input=stdin,
        capture_output=True,
        timeout=40,
        check=False,
    )


def size(path: Path) -> tuple[str | None, tuple[int, int]]:
    with Image.open(path) as image:
        return image.format, image.size


def test_the_version_is_told(tmp_path: Path) -> None:
    assert run(tmp_path, "--version").stdout.decode() == f"imgsvc {__version__}\n"


def test_help_lists_every_command_with_examples(tmp_path: Path) -> None:
    for arguments in ((), ("--help",), ("-h",)):
        found = run(tmp_path, *arguments)
        assert found.returncode == 0
        for word in (b"serve", b"process", b"healthcheck", b"config", b"gc", b"info", b"Examples:"):
            assert word in found.stdout


@pytest.mark.parametrize("arguments", [("sevre",), ("serve", "--prot", "1"), ("process",)])
def test_misuse_is_status_2_without_a_traceback(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    found = run(tmp_path, *arguments)
    assert found.returncode == 2
    assert b"Usage:" in found.stderr
    assert b"Traceback" not in found.stderr


def test_quick_commands_import_nothing_heavy(tmp_path: Path) -> None:
    program = (
        "import sys; sys.argv = ['imgsvc', '--version']\n"
        "from imgsvc.cli import main\n"
        "try: main()\n"
        "except SystemExit: print(sorted({n.partition('.')[0] for n in sys.modules}))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    for heavy in ("pydantic", "fastapi", "PIL", "uvicorn", "structlog", "loky"):
        assert f"'{heavy}'" not in found.stdout


def test_every_setting_is_shown_with_where_it_comes_from(tmp_path: Path) -> None:
    found = run(tmp_path, "config", "show", settings={"IMGSVC_WORKERS": "3"})
    rows = [line.split() for line in found.stdout.decode().splitlines()]
    assert ["IMGSVC_WORKERS", "3", "environment"] in rows
    assert ["IMGSVC_MAX_BODY", "64MiB", "default"] in rows


def test_settings_are_shown_as_json(tmp_path: Path) -> None:
    shown = json.loads(run(tmp_path, "config", "show", "--json").stdout)
    assert shown["IMGSVC_PORT"] == {"value": 8000, "source": "default"}
    assert shown["IMGSVC_INPUT_FORMATS"]["value"] == ["jpeg", "png", "webp", "gif", "avif"]


def test_a_bad_setting_is_status_2(tmp_path: Path) -> None:
    found = run(tmp_path, "config", "show", settings={"IMGSVC_PROT": "1"})
    assert found.returncode == 2
    assert b"IMGSVC_PROT: there is no such setting; did you mean IMGSVC_PORT" in found.stderr


def test_one_picture_becomes_one_file(folder: Path) -> None:
    found = run(folder, "process", "a.jpg", "-p", "resize:200x150,fit=cover/grayscale/webp", "-o", "o.webp")
    assert found.returncode == 0
    assert size(folder / "o.webp") == ("WEBP", (200, 150))
    assert found.stdout == b""
    assert b"a.jpg 400x300" in found.stderr
    assert b"-> o.webp 200x150" in found.stderr


def test_parts_of_a_pipeline_are_joined_and_a_bar_is_a_slash(folder: Path) -> None:
    found = run(folder, "process", "a.jpg", "-p", "resize:40x|grayscale", "-p", "png", "-o", "o.png")
    assert found.returncode == 0
    with Image.open(folder / "o.png") as made:
        assert (made.mode, made.size) == ("L", (40, 30))


@pytest.mark.parametrize(
    ("name", "format"), [("o.png", "PNG"), ("o.jpeg", "JPEG"), ("o.avif", "AVIF"), ("o", "JPEG")]
)
def test_the_outputs_name_decides_where_the_pipeline_does_not(folder: Path, name: str, format: str) -> None:
    assert run(folder, "process", "a.jpg", "-p", "resize:40x", "-o", name).returncode == 0
    assert size(folder / name) == (format, (40, 30))


def test_several_pictures_go_into_a_folder_and_a_bad_one_does_not_stop_them(folder: Path) -> None:
    found = run(folder, "process", "a.jpg", "notes.jpg", "b.png", "-p", "thumbnail:50x50/webp", "-o", "out")
    assert found.returncode == 1
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["a.webp", "b.webp"]
    assert b"notes.jpg: the file is not an image of a supported format" in found.stderr
    assert b"Traceback" not in found.stderr


def test_nothing_is_overwritten_unless_forced(folder: Path) -> None:
    (folder / "o.png").write_bytes(b"precious")
    found = run(folder, "process", "a.jpg", "-o", "o.png")
    assert found.returncode == 1
    assert (folder / "o.png").read_bytes() == b"precious"
    assert b"--force" in found.stderr
    assert run(folder, "process", "a.jpg", "-o", "o.png", "--force").returncode == 0
    assert size(folder / "o.png")[0] == "PNG"


@pytest.mark.parametrize(
    ("output", "place", "reason"),
    [
        ("missing/o.png", "missing/o.png", "No such file or directory"),
        ("notes.jpg/o.png", "notes.jpg/o.png", "Not a directory"),
        ("notes.jpg/more/", "notes.jpg/more/a.png", "Not a directory"),
    ],
)
def test_a_place_that_can_not_be_written_is_named(folder: Path, output: str, place: str, reason: str) -> None:
    found = run(folder, "process", "a.jpg", "-p", "resize:40x/png", "-o", output)
    assert found.returncode == 1
    assert found.stderr.decode() == f"imgsvc: a.jpg: can't write {place}: {reason}\n"
    assert run(folder, "process", "gone.jpg", "-o", output).stderr == (
        b"imgsvc: gone.jpg: No such file or directory\n"
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_a_full_disk_behind_standard_output_is_named(folder: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        found = subprocess.run(
            [sys.executable, "-m", "imgsvc", "process", "a.jpg", "-p", "png", "-o", "-"],
            cwd=folder,
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=30,
            check=False,
        )
    assert b"imgsvc: a.jpg: can't write to standard output: No space left on device" in found.stderr
    assert found.returncode != 0


def test_what_the_result_does_not_show_is_told(folder: Path) -> None:
    frames = [Image.new("RGB", (40, 30), color) for color in ("red", "green", "blue")]
    frames[0].save(folder / "moving.gif", save_all=True, append_images=frames[1:], duration=50)
    warning = "shows the first of 3 frames; the format has no animation"
    found = run(folder, "process", "moving.gif", "-o", "o.png")
    assert found.returncode == 0
    assert f"imgsvc: moving.gif: {warning}\n" in found.stderr.decode()
    (told,) = json.loads(run(folder, "process", "moving.gif", "-o", "p.png", "--json").stdout)
    assert told["warnings"] == [warning]
    assert run(folder, "process", "moving.gif", "-o", "q.png", "-q").stderr == b""


def test_a_folder_may_have_a_dot_in_its_name(folder: Path) -> None:
    (folder / "there.webp").mkdir()
    for output in ("there.webp", "made.webp/", "version1.2"):
        assert run(folder, "process", "a.jpg", "b.png", "-p", "thumbnail:40x", "-o", output).returncode == 0
        assert sorted(path.name for path in (folder / output).iterdir()) == ["a.jpg", "b.png"]


def test_an_output_of_the_pipelines_own_format_or_of_no_known_one_is_written(folder: Path) -> None:
    for name in ("o.jpg", "o.JPEG", "o.tmp", "o"):
        assert run(folder, "process", "b.png", "-p", "thumbnail:40x/jpg", "-o", name).returncode == 0
        assert size(folder / name)[0] == "JPEG"


def test_two_pictures_never_become_the_same_file(folder: Path, photo: Photo) -> None:
    (folder / "other").mkdir()
    (folder / "other" / "a.jpg").write_bytes(photo(40, 30, seed=2))
    found = run(folder, "process", "a.jpg", "other/a.jpg", "-p", "png", "-o", "out", "--force")
    assert found.returncode == 1
    assert size(folder / "out" / "a.png") == ("PNG", (400, 300))


def test_standard_input_and_output(folder: Path) -> None:
    found = run(
        folder, "process", "-", "-p", "resize:40x/png", "-o", "-", stdin=(folder / "a.jpg").read_bytes()
    )
    assert found.returncode == 0
    with Image.open(io.BytesIO(found.stdout)) as made:
        assert (made.format, made.size) == ("PNG", (40, 30))


def test_what_was_done_as_json(folder: Path) -> None:
    found = run(folder, "process", "a.jpg", "notes.jpg", "-p", "resize:40x/png", "-o", "out", "--json")
    good, bad = json.loads(found.stdout)
    assert (good["input"], good["output"], good["width"], good["error"]) == ("a.jpg", "out/a.png", 40, None)
    assert [step["op"] for step in good["steps"]] == ["decode", "resize", "encode"]
    assert bad["output"] is None
    assert "not an image" in bad["error"]
    assert found.returncode == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("a.jpg", "-p", "rezise:3x", "-o", "o.png"), b"did you mean 'resize'?"),
        (("a.jpg", "-p", "blur:200", "-o", "o.png"), b"allowed is 0.3 to 100"),
        (("a.jpg", "-o", "o.bmp"), b"no format is called bmp"),
        (("a.jpg", "-p", "auto", "-o", "o/"), b"auto chooses by what a browser accepts"),
        (("a.jpg", "b.png", "-o", "-"), b"only one image"),
        (("a.jpg", "b.png", "-o", "notes.jpg"), b"notes.jpg is not a folder, and there are 2 images"),
        (("a.jpg", "-o", "notes.jpg/"), b"notes.jpg/ is not a folder\n"),
        (("a.jpg", "b.png", "-o", "o.png"), b"o.png is the name of one file, and there are 2 images"),
        (("a.jpg", "-p", "flip/webp", "-o", "o.png"), b"name of a png, but the pipeline makes webp"),
        (("a.jpg", "-p", "jpg", "-o", "o.png"), b"name of a png, but the pipeline makes jpeg"),
        (("a.jpg", "-o", "o" * 300 + ".png"), b"File name too long"),
        (("a.jpg", "-o", "-", "--json"), b"both want standard output"),
    ],
)
def test_what_makes_no_sense_is_status_2(folder: Path, arguments: tuple[str, ...], said: bytes) -> None:
    found = run(folder, "process", *arguments)
    assert found.returncode == 2
    assert said in found.stderr
    assert b"Traceback" not in found.stderr
    assert not (folder / "o.png").exists()


def test_the_limits_are_those_of_the_settings(folder: Path) -> None:
    found = run(folder, "process", "a.jpg", "-o", "o.png", settings={"IMGSVC_MAX_SIDE": "100"})
    assert found.returncode == 1
    assert b"a side may have 100" in found.stderr


def test_a_reader_that_leaves_early_ends_it_quietly(folder: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        found = subprocess.run(
            [sys.executable, "-m", "imgsvc", "process", "a.jpg", "-p", "png", "-o", "-"],
            cwd=folder,
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=30,
            check=False,
        )
    finally:
        os.close(writing)
    assert found.returncode == -13
    assert b"Traceback" not in found.stderr


def test_what_a_picture_looks_like_is_told_as_json(folder: Path) -> None:
    found = run(folder, "info", "a.jpg")
    assert found.returncode == 0, found.stderr
    told = json.loads(found.stdout)
    assert (told["file"], told["format"], told["width"], told["height"]) == ("a.jpg", "jpeg", 400, 300)
    assert told["bytes"] == (folder / "a.jpg").stat().st_size
    assert told["palette"][0]["color"] == told["dominant_color"]
    assert told["gps"] is None


def test_a_picture_is_told_of_alike_from_standard_input(folder: Path) -> None:
    file, stdin = (
        json.loads(run(folder, "info", name, stdin=(folder / "b.png").read_bytes()).stdout)
        for name in ("b.png", "-")
    )
    assert (file.pop("file"), stdin.pop("file")) == ("b.png", "-")
    assert file == stdin


def test_of_several_files_those_that_are_no_pictures_are_named(folder: Path) -> None:
    found = run(folder, "info", "a.jpg", "notes.jpg", "gone.jpg", "b.png")
    assert found.returncode == 1
    assert found.stdout.count(b'"phash"') == 2
    assert b"imgsvc: notes.jpg: the file is not an image" in found.stderr
    assert b"imgsvc: gone.jpg: No such file" in found.stderr
    assert b"Traceback" not in found.stderr
