"""The folder of sources: the file that a path names, and no way out of the folder."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from blake3 import blake3

from imgsvc.errors import BodyTooLarge, EmptyFile, NotFound, StorageUnavailable
from imgsvc.service.sources.beneath import near, resolved, walked
from imgsvc.service.sources.folder import Folder, Opens, State

INSIDE, SECRET = b"inside" * 1000, b"secret" * 1000
MUCH = 1 << 20


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "sources"
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "c.jpg").write_bytes(INSIDE)
    (folder / "top.jpg").write_bytes(INSIDE)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "c.jpg").write_bytes(SECRET)
    (tmp_path / "outside.jpg").write_bytes(SECRET)
    return folder


@pytest.fixture(params=[resolved, walked])
def folder(root: Path, request: pytest.FixtureRequest) -> Folder:
    """By both ways to open: that of the kernel, and step by step."""
    opens: Opens = request.param
    return Folder(root, opens)


def steps(path: str | bytes) -> list[bytes]:
    return (path if isinstance(path, bytes) else path.encode()).split(b"/")


def content(folder: Folder, path: str | bytes, target: Path) -> bytes:
    """What a caller would get of a path."""
    copied = folder.copy(folder.find(steps(path)).path, target, MUCH)
    data = target.read_bytes()
    target.unlink()
    assert copied.digest == blake3(data).hexdigest()
    assert copied.bytes == len(data) == copied.state.size
    return data


# -- finding --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("top.jpg", "top.jpg"),
        ("top.jpg/resize:300x200/webp", "top.jpg"),
        ("a/b/c.jpg/webp", "a/b/c.jpg"),
        ("top.jpg/../../x", "top.jpg"),
        ("top.jpg//", "top.jpg"),
    ],
)
def test_the_fewest_steps_that_name_a_file_are_the_file(folder: Folder, path: str, file: str) -> None:
    found = folder.find(steps(path))
    assert found.path == file.encode()
    assert found.used == len(steps(file))
    assert found.state == State.of((folder.path / file).stat())


def test_a_folder_may_be_called_like_a_pipeline(folder: Folder) -> None:
    (folder.path / "grayscale").mkdir()
    (folder.path / "grayscale" / "webp").write_bytes(INSIDE)
    assert folder.find(steps("grayscale/webp/flip")).path == b"grayscale/webp"


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "..",
        "a",
        "a/b",
        "a/b/",
        "none.jpg",
        "none/top.jpg",
        "/top.jpg",
        "//top.jpg",
        "./top.jpg",
        "a/../top.jpg",
        "../outside.jpg",
        "a/../../outside.jpg",
        "a//b/c.jpg",
        "a\\b\\c.jpg",
        "..\\outside.jpg",
        "top.jpg\0",
        "top.jpg\0.png",
        "TOP.JPG",
        "x" * 256,
        "x/" * 3000,
        ".hidden.jpg",
        ".git/c.jpg",
        "...",
    ],
)
def test_what_is_no_plain_way_down_is_not_there(folder: Folder, path: str) -> None:
    (folder.path / ".hidden.jpg").write_bytes(SECRET)
    (folder.path / ".git").mkdir()
    (folder.path / ".git" / "c.jpg").write_bytes(SECRET)
    with pytest.raises(NotFound):
        folder.find(steps(path))


def test_names_are_bytes(folder: Folder, tmp_path: Path) -> None:
    for name in (b"caf\xe9.jpg", "naïve ☃.jpg".encode(), b"a\nb", b"%41.jpg", b"a b?#&=.jpg", b"~2F,:|"):
        path = os.fsencode(folder.path) + b"/" + name
        Path(os.fsdecode(path)).write_bytes(INSIDE)
        assert folder.find([name, b"webp"]).path == name
        assert content(folder, name, tmp_path / "copy") == INSIDE


def test_nothing_but_regular_files_is_there(folder: Folder) -> None:
    os.mkfifo(folder.path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        here = Path.cwd()
        os.chdir(folder.path)  # the address of a socket is short
        try:
            listening.bind("socket")
        finally:
            os.chdir(here)
        for name in ("pipe", "socket"):
            with pytest.raises(NotFound):
                folder.find(steps(f"{name}/webp"))
            with pytest.raises(NotFound):
                folder.copy(name.encode(), folder.path.parent / "copy", MUCH)


def test_a_folder_that_is_gone_is_no_missing_file(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "later")
    assert not folder.readable()
    with pytest.raises(StorageUnavailable):
        folder.find([b"a.jpg"])
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "a.jpg").write_bytes(INSIDE)
    assert folder.readable()
    assert folder.find([b"a.jpg"]).used == 1


@pytest.mark.parametrize(("path", "expected"), [("/dev/shm", True), ("/proc", False), ("/sys", False)])
def test_only_memory_and_disks_are_near(path: str, expected: bool) -> None:
    opened = os.open(path, os.O_PATH)
    try:
        assert near(opened) is expected
    finally:
        os.close(opened)


# -- links ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("link", "path"),
    [
        ("out.jpg -> ../outside.jpg", "out.jpg"),
        ("out.jpg -> {absolute}/outside.jpg", "out.jpg"),
        ("out -> ../outside", "out/c.jpg"),
        ("out -> {absolute}/outside", "out/c.jpg"),
        ("a/b/out -> ../../../outside", "a/b/out/c.jpg"),
        ("out -> /proc/self/root{absolute}/outside", "out/c.jpg"),
        ("loop -> loop", "loop"),
        ("gone -> nowhere", "gone"),
        ("up -> ..", "up/outside.jpg"),
    ],
)
def test_no_link_leads_out(folder: Folder, tmp_path: Path, link: str, path: str) -> None:
    name, target = link.format(absolute=tmp_path).split(" -> ")
    (folder.path / name).symlink_to(target)
    with pytest.raises(NotFound):
        folder.find(steps(path))
    with pytest.raises(NotFound):
        folder.copy(path.encode(), tmp_path / "copy", MUCH)
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize(
    ("link", "path"),
    [("l.jpg -> top.jpg", "l.jpg"), ("l -> a", "l/b/c.jpg"), ("a/l.jpg -> ../top.jpg", "a/l.jpg")],
)
def test_a_link_that_stays_inside_is_followed_by_the_kernel_only(
    root: Path, tmp_path: Path, link: str, path: str
) -> None:
    name, target = link.split(" -> ")
    (root / name).symlink_to(target)
    assert content(Folder(root, resolved), path, tmp_path / "copy") == INSIDE
    with pytest.raises(NotFound):
        Folder(root, walked).find(steps(path))


@pytest.mark.parametrize(
    ("link", "path"),
    [
        ("l.jpg -> .hidden.jpg", "l.jpg"),
        ("l -> .git", "l/c.jpg"),
        ("a/l.jpg -> ../.git/c.jpg", "a/l.jpg"),
        ("a/l.jpg -> b/../../.git/c.jpg", "a/l.jpg"),
        ("l.jpg -> chain.jpg", "l.jpg"),
        ("l.jpg -> .git/deep/.c.jpg", "l.jpg"),
        ("l -> .git/deep", "l/c.jpg"),
    ],
)
def test_what_is_hidden_has_no_other_name(folder: Folder, tmp_path: Path, link: str, path: str) -> None:
    root = folder.path
    (root / ".git" / "deep").mkdir(parents=True)
    for hidden in (".hidden.jpg", ".git/c.jpg", ".git/deep/c.jpg", ".git/deep/.c.jpg"):
        (root / hidden).write_bytes(SECRET)
    (root / "chain.jpg").symlink_to(".hidden.jpg")
    name, target = link.split(" -> ")
    (root / name).symlink_to(target)
    assert (root / path).read_bytes() == SECRET
    with pytest.raises(NotFound):
        folder.find(steps(path))
    with pytest.raises(NotFound):
        folder.copy(path.encode(), tmp_path / "copy", MUCH)
    assert not (tmp_path / "copy").exists()


def test_a_folder_in_a_hidden_one_shows_its_files(root: Path, tmp_path: Path) -> None:
    (tmp_path / ".hidden").mkdir()
    moved = root.rename(tmp_path / ".hidden" / "sources")
    (moved / "l.jpg").symlink_to("a/b/c.jpg")
    (moved / ".git").mkdir()
    (moved / "around.jpg").symlink_to(".git/../top.jpg")
    folder = Folder(moved, resolved)
    for path in ("top.jpg", "l.jpg", "around.jpg"):
        assert content(folder, path, tmp_path / "copy") == INSIDE


def test_links_leave_nothing_open(root: Path, tmp_path: Path) -> None:
    (root / "l.jpg").symlink_to("top.jpg")
    (root / ".hidden.jpg").write_bytes(SECRET)
    (root / "h.jpg").symlink_to(".hidden.jpg")
    folder = Folder(root, resolved)
    content(folder, "l.jpg", tmp_path / "copy")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        content(folder, "l.jpg", tmp_path / "copy")
        with pytest.raises(NotFound):
            folder.find(steps("h.jpg"))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_folder_itself_may_be_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    assert content(Folder(tmp_path / "link"), "a/b/c.jpg", tmp_path / "copy") == INSIDE


@pytest.fixture
def swapping(root: Path, tmp_path: Path) -> Iterator[None]:
    """Somebody swaps a folder, and a file, for links that lead out, and back, as fast as possible."""
    (root / "swap").mkdir()
    (root / "swap" / "c.jpg").write_bytes(INSIDE)
    (root / "swap.jpg").write_bytes(INSIDE)
    (root / "out").symlink_to(tmp_path / "outside")
    (root / "out.jpg").symlink_to(tmp_path / "outside.jpg")
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            for a, b in (("swap", "out"), ("swap.jpg", "out.jpg")):
                (root / a).rename(root / "between")
                (root / b).rename(root / a)
                (root / "between").rename(root / b)

    thread = threading.Thread(target=swap)
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.mark.usefixtures("swapping")
def test_a_link_that_comes_between_two_looks_leads_nowhere(folder: Folder, tmp_path: Path) -> None:
    seen, ends = {"there": 0, "gone": 0}, time.monotonic() + 20
    while min(seen.values()) < 100 and time.monotonic() < ends:
        for path in ("swap/c.jpg", "swap.jpg"):
            try:
                assert content(folder, path, tmp_path / "copy") == INSIDE
                seen["there"] += 1
            except NotFound:
                seen["gone"] += 1
            except StorageUnavailable:  # moved in the middle of each copy
                continue
    assert seen["there"]
    assert seen["gone"]


def test_a_file_that_becomes_a_pipe_is_not_waited_for(folder: Folder, tmp_path: Path) -> None:
    found = folder.find([b"top.jpg"])
    (folder.path / "top.jpg").unlink()
    os.mkfifo(folder.path / "top.jpg")
    with pytest.raises(NotFound):
        folder.copy(found.path, tmp_path / "copy", MUCH)


# -- copying --------------------------------------------------------------------------------------


def test_a_copy_holds_what_was_hashed(folder: Folder, tmp_path: Path) -> None:
    large = os.urandom(700_001)
    (folder.path / "large").write_bytes(large)
    assert content(folder, "large", tmp_path / "copy") == large


@pytest.mark.parametrize(("limit", "fits"), [(6000, True), (5999, False), (1, False)])
def test_a_file_is_copied_up_to_the_limit(folder: Folder, tmp_path: Path, limit: int, fits: bool) -> None:
    if fits:
        assert folder.copy(b"top.jpg", tmp_path / "copy", limit).bytes == 6000
        return
    with pytest.raises(BodyTooLarge) as refused:
        folder.copy(b"top.jpg", tmp_path / "copy", limit)
    assert (refused.value.problem.limit, refused.value.problem.actual) == (limit, 6000)
    assert not (tmp_path / "copy").exists()


def test_an_empty_file_is_told_apart(folder: Folder, tmp_path: Path) -> None:
    (folder.path / "empty").touch()
    with pytest.raises(EmptyFile):
        folder.copy(b"empty", tmp_path / "copy", MUCH)


def test_a_file_that_went_is_not_there(folder: Folder, tmp_path: Path) -> None:
    found = folder.find([b"top.jpg"])
    (folder.path / "top.jpg").unlink()
    with pytest.raises(NotFound):
        folder.copy(found.path, tmp_path / "copy", MUCH)


def test_a_file_that_is_being_written_is_never_half_copied(folder: Folder, tmp_path: Path) -> None:
    """Either a content that it had at one time, or none."""
    path, stop = folder.path / "growing", threading.Event()
    path.write_bytes(bytes(400_000))

    def grow() -> None:
        with path.open("ab", buffering=0) as file:
            for _ in range(20_000):
                if stop.is_set():
                    return
                file.write(b"x")

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        for turn in range(20):
            target = tmp_path / f"copy{turn}"
            try:
                copied = folder.copy(b"growing", target, MUCH)
            except StorageUnavailable:
                assert not target.exists()
            else:
                assert target.stat().st_size == copied.bytes == copied.state.size
    finally:
        stop.set()
        thread.join()


def test_the_folder_is_never_written_to(folder: Folder, tmp_path: Path) -> None:
    before = {path: path.stat() for path in folder.path.rglob("*")}
    content(folder, "a/b/c.jpg", tmp_path / "copy")
    after = {path: path.stat() for path in folder.path.rglob("*")}
    assert {path: State.of(status) for path, status in before.items()} == {
        path: State.of(status) for path, status in after.items()
    }


# -- the state ------------------------------------------------------------------------------------


def test_every_change_is_another_state(root: Path) -> None:
    file = root / "top.jpg"
    states = [State.of(file.stat())]
    os.utime(file, ns=(1, 1))
    states.append(State.of(file.stat()))
    file.write_bytes(INSIDE + b"x")
    os.utime(file, ns=(1, 1))
    states.append(State.of(file.stat()))
    other = root / "other"
    other.write_bytes(INSIDE + b"y")
    os.utime(other, ns=(1, 1))
    other.replace(file)
    states.append(State.of(file.stat()))
    assert len(set(states)) == len(states)


@pytest.mark.parametrize(
    ("mtime", "ctime", "now", "settled"),
    [
        (0, 0, 2_000_000_001, True),
        (0, 0, 2_000_000_000, False),
        (0, 1, 2_000_000_001, False),
        (1, 0, 2_000_000_001, False),
        (5_000_000_000, 0, 3_000_000_000, False),
        (5_000_000_001, 0, 3_000_000_000, True),
    ],
)
def test_a_state_stands_for_a_content_only_when_it_is_old_enough(
    mtime: int, ctime: int, now: int, settled: bool
) -> None:
    assert State(1, 2, 3, mtime, ctime).settled(now) is settled
