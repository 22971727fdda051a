"""What every job store lists, page by page."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from imgsvc.errors import InvalidParameter
from imgsvc.jobs import Job, State
from imgsvc.jobstore import JobStore, Page
from tests.contracts.jobstore.asking import there
from tests.records import (
    NOW,
    a_batch,
    a_job,
    failure,
    success,
)

pytestmark = pytest.mark.anyio


async def pages(store: JobStore, limit: int, **wanted: object) -> list[Page]:
    found: list[Page] = []
    cursor: str | None = None
    while not found or cursor:
        found.append(await store.list(limit=limit, cursor=cursor, **wanted))  # type: ignore[arg-type]  # filters
        cursor = found[-1].next_cursor
    return found


def ids(found: Sequence[Page]) -> list[str]:
    return [job.id for page in found for job in page.items]


async def test_an_empty_list_has_no_next_page(store: JobStore) -> None:
    assert await store.list(limit=10) == Page((), None)


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 100])
async def test_pages_are_complete_and_newest_first(store: JobStore, limit: int) -> None:
    jobs = [await store.add(a_job(), rank=0) for _ in range(7)]
    found = await pages(store, limit)
    assert ids(found) == [job.id for job in reversed(jobs)]
    assert all(1 <= len(page.items) <= limit for page in found)
    assert await store.get(jobs[0].id) == found[-1].items[-1]


async def test_pages_stay_stable_while_jobs_come_go_and_move(store: JobStore) -> None:
    jobs = [await store.add(a_job(), rank=number) for number in range(9)]
    first = await store.list(limit=3)
    await store.add(a_job(), rank=0)
    await store.delete(jobs[6].id, NOW)  # the one that the cursor names
    await store.delete(jobs[4].id, NOW)
    await store.claim(NOW, lane=1)
    second = await store.list(limit=100, cursor=first.next_cursor)
    assert ids([first]) == [jobs[n].id for n in (8, 7, 6)]
    assert ids([second]) == [jobs[n].id for n in (5, 3, 2, 1, 0)]


@pytest.fixture
async def mixed(store: JobStore) -> list[Job]:
    """Jobs in every state, of two batches and none, some with references."""
    for batch in ("bat_a", "bat_b"):
        await store.add_batch(a_batch(batch))
    jobs = []
    for number, state in enumerate([*State] * 6):
        # Unique in a batch.
        reference = f"ref-{number}" if number % 3 else None
        job = await store.add(a_job(batch=[None, "bat_a", "bat_b"][number % 3], reference=reference), rank=0)
        if state not in {State.QUEUED, State.CANCELED}:
            # The smallest rank of all that wait: the queued ones before it are in its way.
            other = there(await store.claim(NOW, lane=1))
            if state in {State.SUCCEEDED, State.FAILED}:
                await store.settle(other.id, 1, success(other) if state is State.SUCCEEDED else failure())
        elif state is State.CANCELED:
            await store.cancel(job.id, NOW)
        jobs.append(job)
    return [there(await store.get(job.id)) for job in jobs]


@pytest.mark.parametrize("limit", [2, 100])
@pytest.mark.parametrize("reference", [None, "ref-1", "ref-5", "nobody"])
@pytest.mark.parametrize("batch", [None, "bat_a", "nobody"])
@pytest.mark.parametrize(
    "states",
    [(), (State.SUCCEEDED,), (State.FAILED, State.QUEUED), (State.QUEUED, State.QUEUED), tuple(State)],
)
async def test_filters_combine(
    store: JobStore,
    mixed: list[Job],
    states: tuple[State, ...],
    batch: str | None,
    reference: str | None,
    limit: int,
) -> None:
    expected = [
        job.id
        for job in reversed(mixed)
        if (not states or job.state in states)
        and (batch is None or job.batch == batch)
        and (reference is None or job.reference == reference)
    ]
    assert ids(await pages(store, limit, states=states, batch=batch, reference=reference)) == expected


@pytest.mark.parametrize(
    "cursor", ["", "x", "job_", "job_" + "g" * 32, "img_" + "0" * 32, "'; --", "0-img_x"]
)
async def test_a_cursor_that_is_not_ours_is_refused(store: JobStore, cursor: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        await store.list(limit=10, cursor=cursor)
    assert refused.value.problem.errors[0].pointer == "/cursor"
    with pytest.raises(InvalidParameter):
        await store.images(limit=10, cursor=cursor)


async def test_a_cursor_of_a_job_that_never_was_is_only_a_place(store: JobStore) -> None:
    job = await store.add(a_job(), rank=0)
    assert await store.list(limit=10, cursor="job_" + "0" * 32) == Page((), None)
    assert ids([await store.list(limit=10, cursor="job_" + "f" * 32)]) == [job.id]
