"""The store on SQLite when a kill, a lock or a full disk is against it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import pytest

from imgsvc import jobstore
from imgsvc.errors import ImgsvcError, InsufficientStorage, StorageBusy, StorageUnavailable
from imgsvc.jobs import Job, State
from imgsvc.jobstore import JobStore
from tests.records import NOW, a_job, success
from tests.unit.jobstore.undone import UNDONE

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def opened(path: Path, options: str = "") -> AsyncIterator[JobStore]:
    store = jobstore.connect(f"sqlite://{path}{options}")
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobs.sqlite3"


# -- the URL --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("sqlite:jobs.sqlite3", "absolute path"),
        ("sqlite://host/jobs.sqlite3", "absolute path"),
        ("sqlite:///", "absolute path"),
        ("sqlite:///jobs?patence=1", "it has patience"),
        ("sqlite:///jobs?patience=", "from 0 to 60"),
        ("sqlite:///jobs?patience=soon", "from 0 to 60"),
        ("sqlite:///jobs?patience=nan", "from 0 to 60"),
        ("sqlite:///jobs?patience=61", "from 0 to 60"),
        ("memory:name", "no options"),
    ],
)
def test_a_url_that_makes_no_sense_is_refused(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        jobstore.connect(url)


async def test_a_path_may_hold_anything(tmp_path: Path) -> None:
    async with opened(tmp_path / "a%20%3F%23b") as store:
        await store.ping()
    assert (tmp_path / "a ?#b").exists()
    assert "a ?#b" in repr(store)


# -- what can't be opened -------------------------------------------------------------------------


def garbled(path: Path) -> Path:
    path.write_bytes(b"no database at all " * 400)
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def newer(path: Path) -> Path:
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 999")
    return path


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (garbled, "file is not a database"),
        (folder, "it is a folder"),
        (lambda path: path / "below" / "x", "there is no folder .*below"),
        (lambda path: garbled(path) / "x", "there is no folder .*sqlite3"),
        (newer, "written by a newer imgsvc"),
    ],
)
async def test_a_file_that_can_not_be_opened_is_named_with_the_reason(
    path: Path, made: Callable[[Path], Path], why: str
) -> None:
    found = made(path)
    with pytest.raises(StorageUnavailable, match=why) as caught:
        await jobstore.connect(f"sqlite://{found}").open()
    assert f"the job database {found} can't be opened" in str(caught.value)


_AS_NOBODY = """
import asyncio, concurrent.futures.thread, os, sys
from imgsvc import jobstore
store = jobstore.connect(sys.argv[1])
if os.geteuid() == 0:
    os.setresuid(65534, 65534, 65534)
asyncio.run(store.open())
"""


def test_a_folder_that_may_not_be_written_to_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(0o500)
    command = [sys.executable, "-c", _AS_NOBODY, f"sqlite://{closed}/x.sqlite3"]
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert "can't be opened: no permission to " in found.stderr


# -- the file -------------------------------------------------------------------------------------


async def test_everything_survives_in_one_file(path: Path) -> None:
    async with opened(path) as store:
        job = await store.add(a_job(), rank=0)
        claimed = await store.claim(NOW, lane=1)
        assert claimed
        done = await store.settle(job.id, 1, success(claimed))
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    async with opened(path) as store:
        assert await store.get(job.id) == done


async def test_a_file_that_is_no_database_is_storage_unavailable(path: Path) -> None:
    text = b"this is not a database, whatever its name says " * 100
    path.write_bytes(text)  # noqa: ASYNC240  # nothing else runs
    with pytest.raises(StorageUnavailable):
        async with opened(path):
            pass
    assert path.read_bytes() == text  # noqa: ASYNC240  # as above


async def test_a_file_that_is_not_there_is_not_made_unless_wanted(path: Path) -> None:
    store = jobstore.connect(f"sqlite://{path}")
    with pytest.raises(StorageUnavailable, match="there is no job database"):
        await store.open(create=False)
    assert not path.exists()  # noqa: ASYNC240  # nothing else runs


async def test_a_rehearsal_takes_back_the_new_schema_too(path: Path) -> None:
    async with opened(path) as store:
        job = await store.add(a_job(), rank=0)
    with closing(sqlite3.connect(path)) as database:
        for line in UNDONE:
            database.execute(line)
    store = jobstore.connect(f"sqlite://{path}")
    await store.open(create=False, rehearsal=True)
    assert (await store.stored()).images == job.image.bytes
    await store.close()
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (3,)
        assert database.execute("SELECT name FROM sqlite_schema WHERE name = 'stored'").fetchall() == []


async def test_a_rehearsal_leaves_the_database_to_nobody_else(path: Path) -> None:
    async with opened(path) as store:
        await store.add(a_job(), rank=0)
    rehearsing = jobstore.connect(f"sqlite://{path}")
    await rehearsing.open(rehearsal=True)
    with pytest.raises(StorageBusy):
        async with opened(path, "?patience=0.1") as other:
            await other.add(a_job(), rank=0)
    await rehearsing.close()


# -- kill -9 --------------------------------------------------------------------------------------

_ADDING = """
import asyncio, sys
from imgsvc import jobstore
from imgsvc.jobs import State
from tests.records import NOW, a_job, success

async def work(store):
    while True:
        job = await store.add(a_job(), rank=0)
        print(job.id, "queued", flush=True)
        claimed = await store.claim(NOW, lane=1)
        print(claimed.id, "running", flush=True)
        await store.settle(claimed.id, claimed.attempts, success(claimed))
        print(claimed.id, "succeeded", flush=True)

async def main():
    store = jobstore.connect(sys.argv[1])
    await store.open()
    await asyncio.gather(*[work(store) for _ in range(8)])

asyncio.run(main())
"""
#: How far each state is along the way.
_WAY = ["queued", "running", "succeeded"]


def acknowledged_until_killed(path: Path, lines: int) -> dict[str, str]:
    """Run a program that adds, claims and settles, and kill it in the middle: the last word on each job."""
    command = [sys.executable, "-c", _ADDING, f"sqlite://{path}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]) as child:
        assert child.stdout
        said = [child.stdout.readline() for _ in range(lines)]
        child.send_signal(signal.SIGKILL)
        said += child.stdout.readlines()
    assert child.returncode == -signal.SIGKILL
    return dict(line.split() for line in said if line.endswith("\n"))


@pytest.mark.parametrize("lines", [1, 150, 400])
async def test_kill_9_in_mid_write_loses_no_acknowledged_write(path: Path, lines: int) -> None:
    acknowledged = acknowledged_until_killed(path, lines)
    async with opened(path) as store:
        for id, state in acknowledged.items():  # noqa: A001  # a job's id
            job = await store.get(id)
            assert job, "lost"
            assert _WAY.index(job.state) >= _WAY.index(state)
        counts = await store.counts()
        recovered = await store.recover(NOW, max_lost=5)
        assert len(recovered) == counts[State.RUNNING]
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        jobs = dict(database.execute("SELECT state, count(*) FROM jobs GROUP BY state"))
        assert jobs == {state: n for state, n in database.execute("SELECT * FROM tally") if n}


# -- a locked database ----------------------------------------------------------------------------


@pytest.fixture
def lock(path: Path) -> Iterator[sqlite3.Connection]:
    """Another process's connection, as it were."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as connection:
        yield connection


async def test_a_locked_database_is_storage_busy_and_nothing_has_changed(
    path: Path, lock: sqlite3.Connection
) -> None:
    async with opened(path, "?patience=0.05") as store:
        job = await store.add(a_job(), rank=0)
        lock.execute("BEGIN IMMEDIATE")
        refused = await asyncio.gather(
            store.add(a_job(), rank=0),
            store.claim(NOW, lane=1),
            store.cancel(job.id, NOW),
            store.set_paused(True),
            store.ping(),
            return_exceptions=True,
        )
        assert {type(answer) for answer in refused} == {StorageBusy}
        assert {answer.retry_after for answer in refused if isinstance(answer, ImgsvcError)} == {1}
        assert await store.get(job.id) == job, "reading goes on"
        assert (await store.list(limit=10)).items == (job,)
        lock.execute("ROLLBACK")
        await store.ping()
        assert await store.claim(NOW, lane=1)


async def test_a_lock_that_is_let_go_in_time_is_waited_for(path: Path, lock: sqlite3.Connection) -> None:
    async with opened(path, "?patience=30") as store:
        lock.execute("BEGIN IMMEDIATE")
        job = a_job()
        adding = asyncio.ensure_future(store.add(job, rank=0))
        reading = await store.counts()
        assert reading[State.QUEUED] == 0
        assert not adding.done()
        lock.execute("ROLLBACK")
        assert await adding == job


async def test_opening_a_locked_database_is_storage_busy(path: Path, lock: sqlite3.Connection) -> None:
    lock.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StorageBusy):
        async with opened(path, "?patience=0.05"):
            pass


# -- a full disk ----------------------------------------------------------------------------------

_LIMITED = """
import asyncio, resource, sys
from imgsvc import jobstore
from imgsvc.errors import InsufficientStorage, StorageUnavailable
from imgsvc.jobs import State
from tests.records import NOW, a_job

async def main(path):
    store = jobstore.connect(f"sqlite://{path}")
    await store.open()
    room = 1_000_000  # the log is longer from the start: its first megabyte may be written
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    added = []
    try:
        for _ in range(1000):
            added.append(await store.add(a_job(), rank=0))
    except (InsufficientStorage, StorageUnavailable):
        print("refused")
    assert [await store.get(job.id) for job in added] == added
    assert (await store.counts())[State.QUEUED] == len(added)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert await store.claim(NOW, lane=1) is not None
    added.append(await store.add(a_job(), rank=0))
    await store.close()
    await store.open()
    assert [job.id for job in reversed((await store.list(limit=1000)).items)] == [job.id for job in added]
    await store.close()
    print("whole")

asyncio.run(main(sys.argv[1]))
"""


def test_a_file_that_may_not_grow_costs_nothing_that_was_acknowledged(path: Path) -> None:
    command = [sys.executable, "-c", _LIMITED, str(path)]
    root = Path(__file__).parents[3]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30, cwd=root)
    assert done.stdout.split() == ["refused", "whole"], done.stderr


_OPENED_WITHOUT_ROOM = """
import asyncio, resource, signal, sys
from imgsvc import jobstore
from imgsvc.errors import InsufficientStorage

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
try:
    asyncio.run(jobstore.connect(f"sqlite://{sys.argv[1]}").open())
except InsufficientStorage:
    print("full")
"""


async def test_opening_what_a_kill_has_left_on_a_full_disk_is_insufficient_storage(tmp_path: Path) -> None:
    async with opened(tmp_path / "jobs.sqlite3") as store:
        await store.add(a_job(), rank=0)
        for end in ("", "-wal"):
            shutil.copy(f"{tmp_path}/jobs.sqlite3{end}", f"{tmp_path}/killed.sqlite3{end}")
    command = [sys.executable, "-c", _OPENED_WITHOUT_ROOM, f"{tmp_path}/killed.sqlite3"]
    root = Path(__file__).parents[3]
    done = await asyncio.to_thread(
        subprocess.run, command, check=False, capture_output=True, text=True, timeout=30, cwd=root
    )
    assert done.stdout.split() == ["full"], done.stderr


async def add_many(store: JobStore, added: list[Job]) -> None:
    for _ in range(1000):
        added.append(await store.add(a_job(), rank=0))  # noqa: PERF401  # those before a fault count


@contextmanager
def small_file_system(folder: Path, size: str) -> Iterator[Path]:
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this root may not mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(file: Path) -> None:
    with file.open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(4096))
        except OSError:
            pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
async def test_a_full_disk_lets_jobs_be_canceled_and_removed(tmp_path: Path) -> None:
    with small_file_system(tmp_path / "small", "48m") as small:
        async with opened(small / "jobs.sqlite3") as store:
            jobs = [await store.add(a_job(), rank=0) for _ in range(100)]
            fill(small / "neighbour")
            for number, job in enumerate(jobs):
                assert await (store.delete if number % 2 else store.cancel)(job.id, 5)
            assert (await store.counts())[State.CANCELED] == 50


async def test_the_log_is_laid_in_and_survives_a_kill(path: Path) -> None:
    log = path.with_name(f"{path.name}-wal")
    async with opened(path) as store:
        assert log.stat().st_size >= 8 * 1024 * 1024
        job = await store.add(a_job(), rank=0)
        # As a kill leaves them.
        for name in ("", "-wal"):
            copied = path.with_name(f"killed.sqlite3{name}")
            copied.write_bytes(path.with_name(f"{path.name}{name}").read_bytes())
    async with opened(path.with_name("killed.sqlite3")) as store:
        assert await store.get(job.id) == job


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
async def test_a_full_file_system_is_insufficient_storage_until_there_is_room(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(small)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:  # noqa: ASYNC221  # nothing else runs
        pytest.skip("this root may not mount a small file system")
    try:
        async with opened(small / "jobs.sqlite3") as store:
            added: list[Job] = []
            with pytest.raises(InsufficientStorage):
                await add_many(store, added)
            assert added
            assert [await store.get(job.id) for job in added] == added
            assert (await store.counts())[State.QUEUED] == len(added)
            subprocess.run(["mount", "-o", "remount,size=4m", str(small)], check=True)  # noqa: ASYNC221  # as above
            added.append(await store.add(a_job(), rank=0))
            assert [job.id for job in reversed((await store.list(limit=1000)).items)] == [
                job.id for job in added
            ]
    finally:
        subprocess.run(["umount", str(small)], check=True)  # noqa: ASYNC221  # as above
