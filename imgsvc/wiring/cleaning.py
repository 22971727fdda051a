"""Opens what tidies up after a service that does not run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from uuid_utils import uuid7

from imgsvc import dispatch, storage
from imgsvc.config import Settings
from imgsvc.scheduler import Pending, Sweeper, now
from imgsvc.wiring.house import connected, data_directory, refusals


def _sweep_semaphores(blobs: storage.Storage) -> None:
    """What a killed service has left in shared memory goes before the folders that tell of it."""
    staging = blobs.path("staging")
    for left in staging.iterdir() if staging is not None and staging.is_dir() else ():
        dispatch.sweep(left)


@asynccontextmanager
async def open_sweeper(settings: Settings, *, rehearsal: bool = False) -> AsyncIterator[Sweeper]:
    """The sweeper of a service that is stopped, alone in its data directory until the context is left.

    In a rehearsal it tells the same and removes nothing. Raises CannotOpen, DirectoryInUse,
    SettingsRefused.
    """
    blobs, store = connected(settings)
    with data_directory(settings.data_dir, create=False):
        with refusals():
            # Without its record every file would pass for garbage.
            await store.open(create=False, rehearsal=rehearsal)
        try:
            if not rehearsal:
                _sweep_semaphores(blobs)
            yield Sweeper(
                store,
                storage.Rehearsal(blobs) if rehearsal else blobs,
                Pending(),
                boot=uuid7().hex,  # every other one is dead
                interval_s=settings.sweep_interval,
                clock=now,
                result_bytes=settings.result_bytes or None,
            )
        finally:
            await store.close()
