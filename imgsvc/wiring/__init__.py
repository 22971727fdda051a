"""Opens everything: the only module that knows which parts there are."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from uuid_utils import uuid7

from imgsvc import dispatch, jobstore, storage
from imgsvc.config import Settings
from imgsvc.dispatch import CannotStart, Resources
from imgsvc.errors import ImgsvcError, InsufficientStorage, StorageBusy
from imgsvc.imaging.limits import Limits
from imgsvc.logs import LogObserver
from imgsvc.metrics import Metrics
from imgsvc.scheduler import Observer, Policy, Scheduler
from imgsvc.service import Service

#: Seconds between two tries of a start that waits.
_AGAIN_S = 0.5

_log = logging.getLogger(__name__)


class CannotOpen(Exception):
    """The service can't start as it is set up; `str(error)` says why, for the operator's eyes."""


class DirectoryInUse(CannotOpen):
    """Another server works on the same data directory."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        self.pid = pid
        who = "another server" if pid is None else f"the server with pid {pid}"
        super().__init__(f"{folder} is in use by {who}; stop it, or set IMGSVC_DATA_DIR to another folder")


@asynccontextmanager
async def open_service(
    settings: Settings,
    *,
    metrics: Metrics | None = None,
    observers: Iterable[Observer] = (),
    isolated: bool = True,
) -> AsyncIterator[Service]:
    """A service with all its parts, serving until the context is left, which drains it.

    Raises CannotOpen; with `isolated` also for a dispatcher whose tasks could harm each other or the
    service. Leaving waits for running work up to `shutdown_grace`, unless `Service.stop` has done so.
    """
    metrics = metrics or Metrics()
    boot = uuid7().hex
    async with AsyncExitStack() as stack:
        stack.enter_context(_data_directory(settings.data_dir))
        with _refusals():
            blobs = storage.connect(settings.storage)
            store = jobstore.connect(settings.jobs)
            staging = stack.enter_context(_staging(_staging_folder(blobs, settings), boot))
            dispatcher = dispatch.connect(settings.dispatch, _resources(settings, staging))
            if isolated and not dispatcher.isolates:
                raise CannotOpen(f"{settings.dispatch} does not isolate tasks from each other")
            await _patiently(store.open, settings.start_patience)
            stack.push_async_callback(store.close)
            stack.push_async_callback(dispatcher.stop)
            await dispatcher.start()
            limits, policy = _limits(settings), _policy(settings)
            scheduler = Scheduler(
                store,
                dispatcher,
                blobs,
                limits=limits,
                policy=policy,
                observers=[LogObserver(), metrics, *observers],
                boot=boot,
            )
            await _patiently(scheduler.start, settings.start_patience)
        stack.push_async_callback(scheduler.stop, settings.shutdown_grace)
        yield Service(
            store,
            blobs,
            dispatcher,
            scheduler,
            limits=limits,
            policy=policy,
            boot=boot,
            staging=staging,
            anchor=settings.data_dir / "lock",
            metrics=metrics,
            remarks=["operations made for tests exist"] if settings.test_operations else [],
        )


async def _patiently(start: Callable[[], Awaitable[None]], patience: float) -> None:
    """Start a part, waiting for what passes: a lock that another process holds, a disk that is full.

    Raises what the last try within `patience` seconds has raised.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            return await start()
        except (StorageBusy, InsufficientStorage) as error:
            if time.monotonic() + _AGAIN_S > deadline:
                raise
            _log.warning("the start waits: %s", error)
        await asyncio.sleep(_AGAIN_S)


@contextmanager
def _refusals() -> Iterator[None]:
    """What a part says of its options or of its medium, as a reason not to start."""
    try:
        yield
    except (LookupError, ValueError, ImgsvcError, CannotStart) as error:
        raise CannotOpen(str(error.args[0] if error.args else error)) from error
    except OSError as error:
        raise CannotOpen(f"{error.strerror}: {error.filename}") from error


@contextmanager
def _data_directory(folder: Path) -> Iterator[None]:
    """The data directory, ours alone until the context is left or this process dies."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise CannotOpen(f"can't use the data directory {folder}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DirectoryInUse(folder, _pid_in(lock)) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(lock)


def _pid_in(lock: int) -> int | None:
    try:
        return int(os.pread(lock, 32, 0))
    except ValueError:  # it has just been taken
        return None


def _staging_folder(blobs: storage.Storage, settings: Settings) -> Path:
    """Beside the blobs where those are local files: an upload then becomes a blob by a rename."""
    return blobs.path("staging") or settings.data_dir / "staging"


@contextmanager
def _staging(folder: Path, boot: str) -> Iterator[Path]:
    """This boot's own staging folder; what earlier boots left is removed, for they are dead."""
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.iterdir():
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
    ours = folder / boot
    ours.mkdir()
    try:
        yield ours
    finally:
        shutil.rmtree(ours, ignore_errors=True)


def _resources(settings: Settings, scratch: Path) -> Resources:
    return Resources(
        lanes=settings.workers,
        memory=settings.worker_memory,
        tasks_per_process=settings.lane_tasks,
        scratch=scratch,
    )


def _limits(settings: Settings) -> Limits:
    return Limits(
        max_side=settings.max_side,
        max_pixels=settings.max_pixels,
        max_frames=settings.max_frames,
        max_output_pixels=settings.max_output_pixels,
        max_scans=settings.max_scans,
        max_pieces=settings.max_pieces,
        input_formats=settings.input_formats,
        reduce_gap=settings.reduce_gap,
    )


def _policy(settings: Settings) -> Policy:
    return Policy(
        job_timeout_s=settings.job_timeout,
        sync_wait_s=settings.sync_wait,
        max_attempts=settings.max_attempts,
        retry_base_s=settings.retry_base,
        retry_cap_s=settings.retry_cap,
        quarantine_after=settings.quarantine_after,
        quarantine_s=settings.quarantine,
        retention_s=settings.retention,
        image_retention_s=settings.image_retention,
        idempotency_retention_s=settings.idempotency_retention,
        ageing_s=settings.priority_ageing,
        max_body=settings.max_body,
        queue_limit=settings.queue_limit,
        queue_bytes=settings.queue_bytes,
        uploads=settings.uploads,
        batch_jobs=settings.batch_jobs,
        disk_reserve=settings.disk_reserve,
        sweep_interval_s=settings.sweep_interval,
    )
