"""Work that goes on to its end."""

from __future__ import annotations

import asyncio

import pytest

from imgsvc.errors import Draining
from imgsvc.scheduler.crew import Crew

pytestmark = pytest.mark.anyio


async def test_who_waits_for_work_that_is_given_up_is_told_that_the_service_stops() -> None:
    crew = Crew()
    waiting = asyncio.create_task(crew.finish(asyncio.sleep(60)))
    await asyncio.sleep(0)
    await crew.dismiss()
    with pytest.raises(Draining):
        await waiting


async def test_work_goes_on_when_who_waits_for_it_is_canceled() -> None:
    crew, done = Crew(), asyncio.Event()

    async def work() -> None:
        await asyncio.sleep(0.01)
        done.set()

    waiting = asyncio.create_task(crew.finish(work()))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.wait_for(done.wait(), 5)
