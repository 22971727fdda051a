"""The parts of a service: each is built once, and given to those that stand on it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from imgsvc.dispatch import Dispatcher
from imgsvc.imaging.limits import Limits
from imgsvc.jobstore import JobStore
from imgsvc.metrics import Metrics
from imgsvc.scheduler import Policy, Scheduler, now
from imgsvc.service import Batches, Intake, Keys, Renders, Service, Sources
from imgsvc.service.admission import Admission
from imgsvc.service.blobs import Blobs
from imgsvc.service.cache import Cache
from imgsvc.service.calls import Calls
from imgsvc.service.failures import Failures
from imgsvc.service.images import Images, stored
from imgsvc.service.known import Known
from imgsvc.service.masters import Masters
from imgsvc.service.pace import Pace
from imgsvc.service.room import Room
from imgsvc.service.slots import Slots
from imgsvc.service.sources import Folder
from imgsvc.service.status import Status
from imgsvc.service.submissions import Submissions
from imgsvc.service.timebox import Timebox
from imgsvc.storage import Storage


def service_of(  # noqa: PLR0913  # what there is one of each, all opened before
    store: JobStore,
    storage: Storage,
    dispatcher: Dispatcher,
    scheduler: Scheduler,
    *,
    limits: Limits,
    policy: Policy,
    boot: str,
    staging: Path,
    anchor: Path | None = None,
    sources: Path | None = None,
    metrics: Metrics | None = None,
    remarks: Iterable[str] = (),
) -> Service:
    """A service that stands on these; `open` and `stop` are left to whoever has it.

    `staging` is where uploads come in, `anchor` a file that is there for as long as the data directory is,
    `sources` the folder of pictures that is only read; `remarks` say what is not well as long as this runs.
    """
    room = Room(store, storage, policy, scheduler.retry_after)
    slots = Slots(policy.uploads)
    admission = Admission(scheduler=scheduler, room=room, slots=slots)
    blobs = Blobs(storage)
    submissions = Submissions(
        store=store,
        storage=storage,
        dispatcher=dispatcher,
        scheduler=scheduler,
        room=room,
        limits=limits,
        policy=policy,
        clock=now,
    )
    pace = Pace(policy.avif_budget_s)
    calls = Calls(storage=storage, scheduler=scheduler, blobs=blobs, limits=limits, boot=boot, pace=pace)
    renders = Renders(
        Cache(
            storage,
            "cache",
            policy.cache_bytes,
            memory=policy.cache_memory,
            writers=len(dispatcher.lanes()),
        ),
        calls,
        storage,
        Masters(storage, scheduler, limits, policy),
        Known(partial(stored, store, now), now),
        Failures(policy.render_failures_s),
        room,
        strays=sources is None,
    )
    images = Images(
        store=store,
        scheduler=scheduler,
        admission=admission,
        submissions=submissions,
        renders=renders,
        clock=now,
    )
    files = Sources(
        None if sources is None else Folder(sources),
        storage,
        staging,
        boot,
        admission=admission,
        probe=partial(dispatcher.probe, limits=limits),
        max_body=policy.max_body,
        copies=policy.source_copies,
        clock=now,
    )
    # They had to be there before those whom they tell.
    scheduler.sweeper.forgotten = images.forgotten
    room.spare = renders.shrink
    return Service(
        store=store,
        scheduler=scheduler,
        policy=policy,
        metrics=metrics,
        blobs=blobs,
        submissions=submissions,
        calls=calls,
        admission=admission,
        intake=Intake(staging, limit=policy.max_body, room=room.wrote),
        batches=Batches(
            store=store, scheduler=scheduler, submissions=submissions, room=room, policy=policy, clock=now
        ),
        images=images,
        keys=Keys(store, scheduler, blobs, retention_s=policy.idempotency_retention_s, clock=now),
        renders=renders,
        timebox=Timebox(renders, pace),
        sources=files,
        status=Status(
            store=store,
            storage=storage,
            dispatcher=dispatcher,
            scheduler=scheduler,
            policy=policy,
            slots=slots,
            renders=renders,
            sources=files,
            clock=now,
            anchor=anchor,
            remarks=tuple(remarks),
        ),
        clock=now,
    )
