"""What is on its way to somebody makes no room for others."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import cast

import pytest

from imgsvc.jobs import Job
from imgsvc.service import BatchRequest, JobRequest, Service
from tests.unit.service.test_service import submit, wish

pytestmark = pytest.mark.anyio

Photo = Callable[..., bytes]


async def test_a_batch_is_spared_while_its_results_are_fetched_and_no_longer(
    service: Service, photo: Photo
) -> None:
    batch = await service.open_batch(BatchRequest())
    request: JobRequest = wish(batch=batch.id)
    jobs = [await submit(service, photo(seed=seed), request) for seed in range(2)]
    await service.batches.close(batch.id)
    for job in jobs:
        await service.wait(job.id, 10)
    sweeper = service._scheduler.sweeper
    fetching = service.batches.results(await service.batches.ended(batch.id))
    fetching = cast("AsyncGenerator[tuple[int, Job]]", fetching)
    assert sweeper.fetched.keys() == set()
    async with await service.open_blob((await anext(fetching))[1].results[0]):
        assert sweeper.fetched.keys() == {batch.id}
    await fetching.aclose()
    assert sweeper.fetched.keys() == set()
