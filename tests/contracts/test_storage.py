"""What every storage in the room keeps."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from imgsvc import plugins, storage
from imgsvc.storage import Storage

#: A URL of an empty place for each module of the room.
URLS: dict[str, Callable[[Path], str]] = {
    "file": lambda folder: f"file://{folder}/blobs",
    "memory": lambda folder: f"memory:{folder}",
}
KEY = "images/ab/cd/0123-4567"
BAD_KEYS = [
    "",
    "/images/x",
    "images//x",
    "images/x/",
    ".",
    "..",
    "images/../x",
    "images/./x",
    "images/a b",
    "images/ä",
    "images/x\n",
    "images/x\0",
    "images\\x",
    "~/x",
    "x" * 256,
]


@pytest.fixture(params=plugins.names("imgsvc.storage"))
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return URLS[request.param](tmp_path)


@pytest.fixture
def store(url: str) -> Storage:
    return storage.connect(url)


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    path = tmp_path / "upload"
    path.write_bytes(b"the upload")
    return path


def test_the_parts_of_what_was_put_follow_each_other(store: Storage) -> None:
    store.put(KEY, b"pix", bytearray(b"e"), memoryview(b"ls"))
    assert store.read(KEY) == b"pixels"


def test_what_was_put_is_read(store: Storage) -> None:
    store.put(KEY, b"pixels")
    assert store.read(KEY) == b"pixels"


def test_the_size_of_a_blob_is_known(store: Storage) -> None:
    store.put(KEY, b"12345")
    assert store.size(KEY) == 5
    store.delete(KEY)
    with pytest.raises(FileNotFoundError):
        store.size(KEY)


@pytest.mark.parametrize("data", [b"", b"x", bytearray(b"xy"), memoryview(b"xyz"), b"\0" * 3_000_000])
def test_any_bytes_can_be_put(store: Storage, data: bytes | bytearray | memoryview) -> None:
    store.put(KEY, data)
    assert store.read(KEY) == bytes(data)


def test_a_blob_that_need_not_last_is_read_like_any_other(store: Storage, staged: Path) -> None:
    store.put("staging/boot/one", b"one", durable=False)
    store.adopt(staged, "staging/boot/two", durable=False)
    assert store.read("staging/boot/one") == b"one"
    assert store.read("staging/boot/two") == b"the upload"


def test_a_blob_can_be_opened_and_sought(store: Storage) -> None:
    store.put(KEY, b"0123456789")
    with store.open(KEY) as file:
        assert file.seekable()
        file.seek(4)
        assert file.read(3) == b"456"


def test_an_adopted_file_is_there_under_its_key_and_nowhere_else(store: Storage, staged: Path) -> None:
    store.adopt(staged, KEY)
    assert store.read(KEY) == b"the upload"
    assert not staged.exists()


def test_nothing_is_overwritten_by_a_put(store: Storage) -> None:
    store.put(KEY, b"first")
    with pytest.raises(FileExistsError):
        store.put(KEY, b"second")
    assert store.read(KEY) == b"first"
    assert list(store.keys("images")) == [KEY]


def test_nothing_is_overwritten_by_an_adoption_and_the_staged_file_stays(
    store: Storage, staged: Path
) -> None:
    store.put(KEY, b"first")
    with pytest.raises(FileExistsError):
        store.adopt(staged, KEY)
    assert store.read(KEY) == b"first"
    assert staged.read_bytes() == b"the upload"
    assert list(store.keys("images")) == [KEY]


def test_of_many_writers_of_one_key_one_wins(store: Storage) -> None:
    def write(number: int) -> int | None:
        try:
            store.put(KEY, b"%d" % number)
        except FileExistsError:
            return None
        return number

    with ThreadPoolExecutor(8) as threads:
        winners = [number for number in threads.map(write, range(16)) if number is not None]
    assert [int(store.read(KEY))] == winners
    assert list(store.keys("images")) == [KEY]


def test_a_missing_blob_is_file_not_found(store: Storage) -> None:
    store.put(KEY, b"x")
    for missing in ("images/ab/cd/other", "images/ab", "results/x"):
        with pytest.raises(FileNotFoundError):
            store.read(missing)
        with pytest.raises(FileNotFoundError):
            store.open(missing)


def test_a_missing_staged_file_is_file_not_found_and_leaves_nothing(store: Storage, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        store.adopt(tmp_path / "nothing", KEY)
    assert list(store.keys("images")) == []


def test_a_deleted_blob_is_gone_and_deleting_again_is_no_error(store: Storage) -> None:
    store.put(KEY, b"x")
    for _ in range(2):
        store.delete(KEY)
        with pytest.raises(FileNotFoundError):
            store.read(KEY)


def test_deleting_what_never_was_is_no_error(store: Storage) -> None:
    store.delete(KEY)
    store.put(KEY, b"x")
    store.delete("images/ab")
    assert store.read(KEY) == b"x"


def test_a_key_can_be_written_again_after_its_blob_was_deleted(store: Storage) -> None:
    store.put(KEY, b"old")
    store.delete(KEY)
    store.put(KEY, b"new")
    assert store.read(KEY) == b"new"


def test_an_open_blob_can_be_read_to_its_end_after_it_was_deleted(store: Storage) -> None:
    store.put(KEY, b"still here")
    with store.open(KEY) as file:
        store.delete(KEY)
        assert file.read() == b"still here"


def test_keys_lists_what_is_below_a_prefix(store: Storage) -> None:
    images = {"images/ab/cd/1-2", "images/ab/ce/3-4", "images/top"}
    for key in (*images, "imagesque/x", "results/ab/cd/job_1-1-0"):
        store.put(key, b"x")
    assert set(store.keys("images")) == images
    assert list(store.keys("results/ab")) == ["results/ab/cd/job_1-1-0"]
    assert list(store.keys("nothing")) == []


def test_blobs_can_be_deleted_while_the_keys_are_listed(store: Storage) -> None:
    for number in range(20):
        store.put(f"images/{number % 5}/{number}", b"x")
    for key in store.keys("images"):
        store.delete(key)
    assert list(store.keys("images")) == []


def test_what_is_no_blob_has_no_size(store: Storage) -> None:
    store.put(KEY, b"")
    assert store.size(KEY) == 0
    for missing in ("images/ab", "images/ab/cd", "results/x", f"{KEY}/below"):
        with pytest.raises(FileNotFoundError):
            store.size(missing)


def test_tidying_takes_no_blob_and_what_was_tidied_can_be_used_again(store: Storage) -> None:
    others = ["images/ab/ce/1-2", "images/top", "results/ab/cd/job_1-1-0"]
    for key in (KEY, *others):
        store.put(key, b"x")
    store.delete(KEY)
    for prefix in ("images", "results", "nothing", "images/top"):
        store.tidy(prefix, spare="images/spared")
    assert sorted([*store.keys("images"), *store.keys("results")]) == others
    store.put(KEY, b"again")
    assert store.read(KEY) == b"again"


def test_a_rehearsal_hides_what_it_deletes_and_leaves_it_there(store: Storage) -> None:
    store.put(KEY, b"x")
    store.put("images/top", b"123")
    rehearsal = storage.Rehearsal(store)
    rehearsal.delete(KEY)
    rehearsal.tidy("images")
    assert list(rehearsal.keys("images")) == ["images/top"]
    assert rehearsal.size("images/top") == 3
    with pytest.raises(FileNotFoundError):
        rehearsal.size(KEY)
    assert store.read(KEY) == b"x"


@pytest.mark.parametrize("key", BAD_KEYS)
def test_a_bad_key_is_a_value_error_everywhere(store: Storage, staged: Path, key: str) -> None:
    for call in (store.read, store.open, store.path, store.delete, store.keys, store.size, store.tidy):
        with pytest.raises(ValueError, match="not a storage key"):
            call(key)
    with pytest.raises(ValueError, match="not a storage key"):
        store.put(key, b"x")
    with pytest.raises(ValueError, match="not a storage key"):
        store.adopt(staged, key)
    assert staged.exists()


def test_what_is_shared_is_seen_by_other_processes(store: Storage, url: str) -> None:
    store.put(KEY, b"here")
    look = "import sys; from imgsvc import storage; print(storage.connect(sys.argv[1]).read(sys.argv[2]))"
    seen = subprocess.run(
        [sys.executable, "-c", look, url, KEY], capture_output=True, text=True, check=False, timeout=30
    )
    assert (seen.stdout == "b'here'\n") == store.shared


def test_whoever_connects_with_the_same_url_sees_the_same_blobs(store: Storage, url: str) -> None:
    assert store.url == url
    store.put(KEY, b"x")
    assert storage.connect(store.url).read(KEY) == b"x"


def test_a_local_file_behind_a_blob_holds_its_bytes(store: Storage) -> None:
    store.put(KEY, b"x")
    path = store.path(KEY)
    assert path is None or path.read_bytes() == b"x"


def test_free_bytes_is_a_number_or_unknown(store: Storage) -> None:
    free = store.free_bytes()
    assert free is None or free > 0
