"""AVIF within its time: who would do without it gets something quicker, and the next one gets it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from imgsvc.errors import ImgsvcError
from imgsvc.formats.avif import Avif
from imgsvc.jobs import Image
from imgsvc.pipeline import Pipeline
from imgsvc.raster.geometry import Size
from imgsvc.service.fills import Hold
from imgsvc.service.making import Render
from imgsvc.service.pace import Pace


class Maker(Protocol):
    """What makes pictures; see `Renders`."""

    async def find(self, image: Image, pipeline: Pipeline) -> Render | None:
        """One that is kept."""

    async def make(self, image: Image, pipeline: Pipeline, hold: Hold | None = None) -> Render:
        """One that is not."""

    async def make_within(
        self, image: Image, pipeline: Pipeline, seconds: float, hold: Hold | None = None
    ) -> Render | None:
        """As `make`, as long as it takes no longer than that."""

    def make_later(self, image: Image, pipeline: Pipeline, hold: Hold | None = None) -> None:
        """In idle time."""


class Timebox:
    """Renders whose format was chosen for a client, made in time."""

    def __init__(self, renders: Maker, pace: Pace) -> None:
        self._renders = renders
        self._pace = pace

    async def make(
        self, image: Image, pipeline: Pipeline, quick: Pipeline, hold: Hold | None = None
    ) -> Render:
        """A picture that is not kept; for now what `quick` says, if it is an AVIF that takes too long.

        A guess by its pixels decides; where that was wrong, whatever is there first once the time is up.
        What is not waited for is made anyway, in a lane's idle time where it has none yet. Raises as
        `Renders.make`.
        """
        if quick == pipeline or not isinstance(pipeline.format, Avif):
            return await self._renders.make(image, pipeline, hold)
        if not self._pace.fits(pipeline, Size(image.width, image.height)):
            self._renders.make_later(image, pipeline, hold)
            return await self._instead(image, quick, hold)
        made = await self._renders.make_within(image, pipeline, self._pace.budget_s, hold)
        return made or await _first(self._instead(image, quick, hold), self._found(image, pipeline, hold))

    async def _instead(self, image: Image, quick: Pipeline, hold: Hold | None) -> Render:
        return replace(await self._found(image, quick, hold), passing=True)

    async def _found(self, image: Image, pipeline: Pipeline, hold: Hold | None) -> Render:
        kept = await self._renders.find(image, pipeline)
        return kept or await self._renders.make(image, pipeline, hold)


async def _first(quick: Coroutine[None, None, Render], slow: Coroutine[None, None, Render]) -> Render:
    """Whichever is there first, the slow one if both are; the error of the slow one where both fail."""
    slowly, quickly = asyncio.create_task(slow), asyncio.create_task(quick)
    taken = None
    try:
        await asyncio.wait({slowly, quickly}, return_when=asyncio.FIRST_COMPLETED)
        for task in (slowly, quickly) if slowly.done() else (quickly, slowly):
            with suppress(ImgsvcError):
                taken = await task
                return taken
        return await slowly
    finally:
        await _let_go((slowly, quickly), taken)


async def _let_go(tasks: Sequence[asyncio.Task[Render]], taken: Render | None) -> None:
    """End what nobody waits for any more, and close what it has brought."""
    for task in tasks:
        task.cancel()
    for came in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(came, Render) and came is not taken:
            await came.blob.close()
