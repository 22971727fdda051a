"""Opens everything: the only module that knows which parts there are."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

from uuid_utils import uuid7

from imgsvc import dispatch, storage
from imgsvc.config import Settings
from imgsvc.dispatch import Resources
from imgsvc.errors import InsufficientStorage, StorageBusy
from imgsvc.imaging.limits import Limits
from imgsvc.logs import LogObserver
from imgsvc.metrics import Metrics
from imgsvc.scheduler import Observer, Policy, Scheduler
from imgsvc.service import Service
from imgsvc.wiring.house import (
    CannotOpen,
    DirectoryInUse,
    check_sources,
    connected,
    data_directory,
    refusals,
    setting,
)
from imgsvc.wiring.parts import service_of

__all__ = ["CannotOpen", "DirectoryInUse", "open_service"]

#: Seconds between two tries of a start that waits.
_AGAIN_S = 0.5

_log = logging.getLogger(__name__)


@asynccontextmanager
async def open_service(
    settings: Settings,
    *,
    metrics: Metrics | None = None,
    observers: Iterable[Observer] = (),
    isolated: bool = True,
) -> AsyncIterator[Service]:
    """A service with all its parts, serving until the context is left, which drains it.

    Raises CannotOpen, and SettingsRefused for a part that there is not or that refuses its options; with
    `isolated` also for a dispatcher whose tasks could harm each other or the service. Leaving waits for
    running work up to `shutdown_grace`, unless `Service.stop` has done so.
    """
    metrics = metrics or Metrics()
    boot = uuid7().hex
    # Who may not have what the settings ask for leaves the disk as it is.
    blobs, store = connected(settings)
    if isolated and not blobs.shared:
        with setting("storage", settings.storage, "imgsvc.storage"):
            raise ValueError("worker processes would not see what is kept there; allowed is file:")
    check_sources(settings)
    staging = _staging_folder(blobs, settings) / boot
    dispatcher = _dispatcher(settings, staging, isolated=isolated)
    async with AsyncExitStack() as stack:
        stack.enter_context(data_directory(settings.data_dir))
        with refusals():
            stack.enter_context(_staging(staging))
            # A new record beside old blobs would make garbage of them all: the sweep would remove them.
            known = store.lasts and await asyncio.to_thread(_holds_blobs, blobs)
            beside = f" and {settings.storage} holds what only it knows" if known else ""
            with refusals(hint=f"; IMGSVC_JOBS says where it is{beside}"):
                await _patiently(partial(store.open, create=not known), settings.start_patience)
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
        service = service_of(
            store,
            blobs,
            dispatcher,
            scheduler,
            limits=limits,
            policy=policy,
            boot=boot,
            staging=staging,
            anchor=settings.data_dir / "lock",
            sources=settings.sources_dir,
            metrics=metrics,
            remarks=["operations made for tests exist"] if settings.test_operations else [],
        )
        service.open()
        stack.push_async_callback(service.stop, settings.shutdown_grace)
        yield service


def _holds_blobs(blobs: storage.Storage) -> bool:
    return any(next(blobs.keys(room), None) is not None for room in ("images", "results"))


def _dispatcher(settings: Settings, scratch: Path, *, isolated: bool) -> dispatch.Dispatcher:
    with setting("dispatch", settings.dispatch, "imgsvc.dispatch"):
        dispatcher = dispatch.connect(settings.dispatch, _resources(settings, scratch))
        if isolated and not dispatcher.isolates:
            raise ValueError("a task could harm the others and the service; allowed is loky:")
    return dispatcher


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


def _staging_folder(blobs: storage.Storage, settings: Settings) -> Path:
    """Beside the blobs where those are local files: an upload then becomes a blob by a rename."""
    return blobs.path("staging") or settings.data_dir / "staging"


@contextmanager
def _staging(ours: Path) -> Iterator[None]:
    """This boot's own staging folder; what earlier boots left beside it is removed, for they are dead."""
    ours.parent.mkdir(parents=True, exist_ok=True)
    for left in ours.parent.iterdir():
        if left.is_dir():
            dispatch.sweep(left)
            shutil.rmtree(left, ignore_errors=True)
    ours.mkdir()
    try:
        yield
    finally:
        shutil.rmtree(ours, ignore_errors=True)


def _resources(settings: Settings, scratch: Path) -> Resources:
    return Resources(
        lanes=settings.workers,
        memory=settings.worker_memory,
        spares=settings.spare_workers,
        tasks_per_process=settings.lane_tasks,
        worn_rss=settings.lane_rss,
        scratch=scratch,
    )


def _limits(settings: Settings) -> Limits:
    return Limits(
        max_side=settings.max_side,
        max_pixels=settings.max_pixels,
        max_frames=settings.max_frames,
        max_output_pixels=settings.max_output_pixels,
        max_scans=settings.max_scans,
        max_memory=settings.worker_memory,
        max_pieces=settings.max_pieces,
        input_formats=settings.input_formats,
        reduce_gap=settings.reduce_gap,
    )


def _policy(settings: Settings) -> Policy:
    return Policy(
        job_timeout_s=settings.job_timeout,
        source_copies=settings.source_copies,
        sync_wait_s=settings.sync_wait,
        max_attempts=settings.max_attempts,
        retry_base_s=settings.retry_base,
        retry_cap_s=settings.retry_cap,
        quarantine_after=settings.quarantine_after,
        quarantine_s=settings.quarantine,
        retention_s=settings.retention,
        result_bytes=settings.result_bytes or None,
        image_retention_s=settings.image_retention,
        idempotency_retention_s=settings.idempotency_retention,
        ageing_s=settings.priority_ageing,
        max_body=settings.max_body,
        queue_limit=settings.queue_limit,
        queue_bytes=settings.queue_bytes,
        uploads=settings.uploads,
        batch_jobs=settings.batch_jobs,
        disk_reserve=settings.disk_reserve,
        spare_tasks=settings.spare_tasks,
        cache_bytes=settings.cache_bytes,
        cache_memory=settings.cache_memory,
        master_side=settings.master_side,
        master_bytes=settings.master_bytes,
        render_failures_s=settings.render_failures,
        avif_budget_s=settings.avif_budget,
        sweep_interval_s=settings.sweep_interval,
    )
