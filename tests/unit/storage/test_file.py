"""What a storage in files does when the disk, the system or a kill is against it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from imgsvc import storage
from imgsvc.errors import InsufficientStorage, StorageUnavailable
from imgsvc.storage.file import _rename

KEY = "results/ab/cd/job_1-1-0"

#: Run in a process of its own: a limit on the size of files is the process's.
_LIMITED = """
import resource, signal, sys
from pathlib import Path
from imgsvc import storage
folder, ending = Path(sys.argv[1]), sys.argv[2]
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
if ending == "killed":
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
storage.connect(f"file://{folder}").put(sys.argv[3], b"x" * 200_000)
"""


def write_past_a_limit(folder: Path, ending: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", _LIMITED, str(folder), ending, KEY]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize(
    "url", ["file:relative", "file://host/folder", "file:///folder?option=1", "file:///folder#x", "file:"]
)
def test_a_url_without_an_absolute_path_or_with_options_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="absolute path"):
        storage.connect(url)


def test_a_url_may_escape_what_a_path_may_hold(tmp_path: Path) -> None:
    storage.connect(f"file://{tmp_path}/my%20blobs").put(KEY, b"x")
    assert (tmp_path / "my blobs" / KEY).read_bytes() == b"x"


def test_connecting_makes_nothing(tmp_path: Path) -> None:
    store = storage.connect(f"file://{tmp_path}/blobs")
    assert list(store.keys("images")) == []
    assert store.free_bytes()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_insufficient_storage_and_leaves_nothing(tmp_path: Path) -> None:
    done = write_past_a_limit(tmp_path, "told")
    assert "InsufficientStorage: there is no room left" in done.stderr
    assert list(storage.connect(f"file://{tmp_path}").keys("results")) == []


def test_what_a_kill_leaves_half_written_is_listed_and_can_be_deleted(tmp_path: Path) -> None:
    done = write_past_a_limit(tmp_path, "killed")
    assert done.returncode < 0, "the kernel kills it in mid-write"
    store = storage.connect(f"file://{tmp_path}")
    (left,) = store.keys("results")
    assert left.startswith(KEY + ".part-")
    with pytest.raises(FileNotFoundError):
        store.read(KEY)
    store.put(KEY, b"the retry")
    store.delete(left)
    assert list(store.keys("results")) == [KEY]


def test_tidying_removes_empty_folders_and_no_others(tmp_path: Path) -> None:
    store = storage.connect(f"file://{tmp_path}")
    for key in ("results/aa/bb/job_1-1-0", "results/aa/cc/job_2-1-0", "results/dd/ee/job_3-1-0"):
        store.put(key, b"x")
    (tmp_path / "results/dd/ff").mkdir()
    (tmp_path / "results/gg/hh").mkdir(parents=True)
    (tmp_path / "results/dd/ee/not a key").touch()
    for key in ("results/aa/bb/job_1-1-0", "results/dd/ee/job_3-1-0"):
        store.delete(key)
    store.tidy("results", spare="results/dd/ff")
    left = {str(path.relative_to(tmp_path / "results")) for path in tmp_path.glob("results/**/*")}
    assert left == {"aa", "aa/cc", "aa/cc/job_2-1-0", "dd", "dd/ee", "dd/ee/not a key", "dd/ff"}
    store.tidy("nowhere")


def test_a_room_that_lies_elsewhere_is_tidied_and_stays(tmp_path: Path) -> None:
    (tmp_path / "elsewhere/aa/bb").mkdir(parents=True)
    (tmp_path / "results").symlink_to(tmp_path / "elsewhere")
    store = storage.connect(f"file://{tmp_path}")
    store.tidy("results")
    assert list((tmp_path / "results").iterdir()) == []


def test_writers_and_somebody_who_tidies_do_not_disturb_each_other(tmp_path: Path) -> None:
    store = storage.connect(f"file://{tmp_path}/data")
    ending = threading.Event()

    def tidying() -> int:
        rounds = 0
        while not ending.is_set():
            store.tidy("results")
            rounds += 1
        return rounds

    def writing(number: int) -> None:
        for round_ in range(15):
            key = f"results/aa/{round_ % 3}/job_{number}-{round_}-0"
            staged = tmp_path / f"staged-{number}"
            if number % 2:
                store.put(key, b"x", durable=False)
            else:
                staged.write_bytes(b"x")
                store.adopt(staged, key)
            assert store.read(key) == b"x"
            store.delete(key)

    with ThreadPoolExecutor(5) as threads:
        rounds = threads.submit(tidying)
        try:
            list(threads.map(writing, range(4)))
        finally:
            ending.set()
        assert rounds.result()
    assert list(store.keys("results")) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
def test_a_small_full_file_system_is_insufficient_storage(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(small)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("this root may not mount a small file system")
    try:
        store = storage.connect(f"file://{small}")
        store.put("images/1", b"x" * 100_000)
        free = store.free_bytes()
        assert free is not None
        assert 300_000 < free < 512 * 1024
        staged = tmp_path / "upload"
        staged.write_bytes(b"x" * 600_000)
        with pytest.raises(InsufficientStorage):
            store.adopt(staged, "images/2")
        with pytest.raises(InsufficientStorage):
            store.put("images/2", b"x" * 600_000)
        assert staged.exists()
        assert list(store.keys("images")) == ["images/1"]
        assert store.read("images/1") == b"x" * 100_000
        store.delete("images/1")
    finally:
        subprocess.run(["umount", str(small)], check=True)


@pytest.mark.skipif(
    not Path("/dev/shm").is_dir() or not os.access("/dev/shm", os.W_OK),
    reason="no second file system at hand",
)
def test_a_file_from_another_file_system_is_copied(tmp_path: Path) -> None:
    staged = Path(f"/dev/shm/imgsvc-test-{os.getpid()}")
    staged.write_bytes(b"x" * 3_000_000)
    try:
        storage.connect(f"file://{tmp_path}").adopt(staged, KEY)
        assert not staged.exists()
    finally:
        staged.unlink(missing_ok=True)
    assert (tmp_path / KEY).read_bytes() == b"x" * 3_000_000
    assert len(list((tmp_path / KEY).parent.iterdir())) == 1


def test_an_adoption_within_a_file_system_copies_nothing(tmp_path: Path) -> None:
    staged = tmp_path / "upload"
    staged.write_bytes(b"x")
    before = staged.stat().st_ino
    storage.connect(f"file://{tmp_path}/blobs").adopt(staged, KEY)
    assert (tmp_path / "blobs" / KEY).stat().st_ino == before


def test_without_links_a_file_is_renamed_and_still_nothing_is_overwritten(tmp_path: Path) -> None:
    first, second, target = (tmp_path / name for name in ("first", "second", "target"))
    first.write_bytes(b"first")
    second.write_bytes(b"second")
    _rename(first, target)
    with pytest.raises(FileExistsError):
        _rename(second, target)
    assert (first.exists(), second.read_bytes(), target.read_bytes()) == (False, b"second", b"first")


def test_a_medium_that_fails_is_storage_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"not a folder")
    store = storage.connect(f"file://{tmp_path}/file")
    with pytest.raises(StorageUnavailable):
        store.put(KEY, b"x")
    with pytest.raises(FileNotFoundError):
        store.read(KEY)
    store.delete(KEY)
    assert list(store.keys("results")) == []


def test_files_that_could_be_no_key_are_not_listed(tmp_path: Path) -> None:
    store = storage.connect(f"file://{tmp_path}")
    store.put(KEY, b"x")
    (tmp_path / "results" / "lost+found ~").write_bytes(b"x")
    assert list(store.keys("results")) == [KEY]


def test_a_link_to_a_folder_is_listed_and_never_followed(tmp_path: Path) -> None:
    store = storage.connect(f"file://{tmp_path}/blobs")
    store.put(KEY, b"x")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret").write_bytes(b"x")
    (tmp_path / "blobs" / "results" / "link").symlink_to(tmp_path / "elsewhere")
    assert set(store.keys("results")) == {KEY, "results/link"}


def test_a_fault_names_no_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"not a folder")
    with pytest.raises(StorageUnavailable) as raised:
        storage.connect(f"file://{tmp_path}/file").put(KEY, b"x")
    assert str(tmp_path) not in str(raised.value)


def test_tidying_spares_a_folder_and_those_in_it(tmp_path: Path) -> None:
    store = storage.connect(f"file://{tmp_path}")
    for folder in ("staging/live/mark", "staging/lively/mark", "staging/dead"):
        (tmp_path / folder).mkdir(parents=True)
    store.tidy("staging", spare="staging/live")
    assert [path.name for path in sorted((tmp_path / "staging").rglob("*"))] == ["live", "mark"]
