"""What the contract suite asks of a job store again and again."""

from __future__ import annotations

from typing import TypeVar

from imgsvc.jobs import Job, State
from imgsvc.jobstore import JobStore
from tests.records import (
    NOW,
    a_job,
    failure,
    success,
)

T = TypeVar("T")


def there(found: T | None) -> T:
    """What was found, which must be something."""
    assert found is not None
    return found


async def in_state(store: JobStore, state: State) -> Job:
    """A job brought to a state, alone in the line."""
    job = await store.add(a_job(), rank=0)
    if state is State.QUEUED:
        return job
    if state is State.CANCELED:
        return there(await store.cancel(job.id, NOW))
    job = there(await store.claim(NOW, lane=1))
    if state is State.RUNNING:
        return job
    return there(await store.settle(job.id, 1, success(job) if state is State.SUCCEEDED else failure()))


async def everything(store: JobStore) -> tuple[object, ...]:
    """All that can be asked of a store: to see that nothing has changed."""
    jobs = await store.list(limit=1000)
    return (
        jobs,
        await store.positions([job.id for job in jobs.items]),
        await store.depths(),
        await store.images(limit=1000),
        await store.batches(limit=1000),
        await store.backlog(),
        await store.counts(),
        await store.stored(),
        await store.next_start(),
        await store.next_expiry(),
        await store.paused(),
    )
