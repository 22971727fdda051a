"""So many uploads at once, and no more."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from imgsvc.errors import QueueFull, QueueTimeout
from imgsvc.service.slots import Slots

pytestmark = pytest.mark.anyio


async def test_one_upload_too_many_is_told_the_limit_and_when_to_come_back() -> None:
    slots = Slots(2, patience=0.05)
    async with slots.slot(QueueFull), slots.slot(QueueFull):
        with pytest.raises(QueueFull) as caught:
            async with slots.slot(QueueFull):
                pass
        with pytest.raises(QueueTimeout):
            async with slots.slot(QueueTimeout):
                pass
    assert caught.value.problem.limit == 2
    assert 1 <= (caught.value.retry_after or 0) <= 300
    assert (slots.taken, slots.waiting) == (0, 0)


async def test_an_upload_that_waits_gets_the_slot_that_becomes_free() -> None:
    slots = Slots(1, patience=5)
    async with AsyncExitStack() as first:
        await first.enter_async_context(slots.slot(QueueFull))

        async def second() -> int:
            async with slots.slot(QueueFull):
                return slots.taken

        waiting = asyncio.create_task(second())
        while not slots.waiting:  # noqa: ASYNC110  # a few turns of the loop
            await asyncio.sleep(0)
        await first.aclose()
        assert await waiting == 1
    assert (slots.taken, slots.waiting) == (0, 0)


async def test_a_client_that_leaves_while_it_waits_takes_no_slot() -> None:
    slots = Slots(1, patience=5)

    async def wait() -> None:
        async with slots.slot(QueueFull):
            pass

    async with slots.slot(QueueFull):
        waiting = asyncio.create_task(wait())
        while not slots.waiting:  # noqa: ASYNC110  # a few turns of the loop
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    async with slots.slot(QueueFull):
        assert (slots.taken, slots.waiting) == (1, 0)
