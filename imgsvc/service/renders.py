"""Pictures on the fly: made once, kept as long as there is room, shared while they are made."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import replace

from imgsvc.errors import ImgsvcError, InsufficientStorage, InternalError, NotFound, Problem, from_problem
from imgsvc.imaging.limits import Limits
from imgsvc.jobs import Image
from imgsvc.pipeline import Pipeline
from imgsvc.scheduler import Called, Suspect
from imgsvc.service.cache import Cache, Entry
from imgsvc.service.calls import Calls, Run, refuse
from imgsvc.service.failures import Failures
from imgsvc.service.fills import Hold
from imgsvc.service.flights import Flight, Flights
from imgsvc.service.known import Known
from imgsvc.service.making import Made, Making, Render, Way, analysis, rendering, told
from imgsvc.service.masters import Masters, Plan
from imgsvc.service.requests import RenderStats
from imgsvc.service.room import Room
from imgsvc.storage import Storage
from imgsvc.worker import Outcome, Target, Task

#: How far reduced decodes go where nobody has set it.
_GAP = Limits().reduce_gap
#: Bytes of a picture that its worker hands over with its report, at most: to read its file costs more, for
#: that is a thread's work. With base64 there is room for it and for the longest report of one output.
_TELL = 64 * 1024
#: Pictures of what is not stored that wait for idle time, at most: each keeps a copy and a place for uploads.
_HELD = 10


class Renders:
    """What `/r/` stands on. Raises the errors of `imgsvc.errors` only."""

    def __init__(  # noqa: PLR0913  # what it stands on, one of each
        self,
        cache: Cache,
        calls: Calls,
        storage: Storage,
        masters: Masters,
        known: Known,
        failures: Failures,
        room: Room,
        *,
        strays: bool = True,
    ) -> None:
        """`strays`: nobody has a use for renders of an image that is not stored."""
        self.cache = cache
        self.masters = masters
        self._calls = calls
        self._storage = storage
        self.known = known
        self._failures = failures
        self._room = room
        self._strays = strays
        self._flights: Flights[Made | Problem] = Flights()
        #: What is made in idle time, for nobody yet.
        self._later: Flights[Made | Problem] = Flights()
        #: Requests that waited for a task that another one had begun, and that a remembered failure answered.
        self._shared = self._spared = 0

    def __repr__(self) -> str:
        return f"<Renders: {self.cache!r}, {len(self._flights)} under way>"

    async def image(self, id: str) -> Image:
        """A stored image; raises NotFound."""
        try:
            return await self.known.get(id)
        except NotFound:
            # A server that died while it removed the image may have left some.
            if self._strays:
                await self._remove(id)
            raise

    async def find(self, image: Image, pipeline: Pipeline) -> Render | None:
        """A picture that is kept, None where it has to be made. Close `Render.blob`."""
        return await self._find(self._rendering(image, pipeline))

    async def look(self, image: Image, pipeline: Pipeline) -> Entry | None:
        """What is known of a picture that is kept, for whoever does not need its bytes."""
        return await self.cache.look(self._rendering(image, pipeline).digest)

    async def _find(self, making: Making) -> Render | None:
        kept = await self.cache.find(making.digest)
        if kept is None:
            return None
        self.cache.counts.hits += 1
        return Render(kept.entry, kept.blob, Way.HIT)

    async def make(self, image: Image, pipeline: Pipeline, hold: Hold | None = None) -> Render:
        """A picture that is not kept; the pipeline's format is no `auto`. `hold` is for what is not stored.

        Equal requests share one task, which goes on when its first client hangs up. Raises QueueTimeout when
        no lane was free in time, Draining, the ImageRefused and TaskFailed errors, NotFound when the image
        went meanwhile, InsufficientStorage. Close `Render.blob`.
        """
        return await self._shared_or_made(image, replace(self._rendering(image, pipeline), hold=hold))

    async def make_within(
        self, image: Image, pipeline: Pipeline, seconds: float, hold: Hold | None = None
    ) -> Render | None:
        """As `make`, but None once it has been under way for so many seconds; it goes on."""
        making = replace(self._rendering(image, pipeline), hold=hold)
        flight, way = self._flight(image, making)
        made = await flight.join_within(seconds)
        return None if made is None else told(made, way)

    def make_later(self, image: Image, pipeline: Pipeline, hold: Hold | None = None) -> None:
        """Have a picture made when a lane is idle and nobody else wants it; maybe never."""
        if hold is not None and len(self._later) >= _HELD:
            return
        making = replace(self._rendering(image, pipeline), hold=hold)
        under_way = self._flights.get(making.digest) or self._later.get(making.digest)
        if under_way is None and self._failures.get(making.digest, image.id) is None:
            self._later.begin(
                making.digest, image.id, lambda own: self._make(own, image, making, self._calls.run_idle)
            )

    async def analysis(self, image: Image) -> Render:
        """What is told of an image, as JSON, kept or made as pictures are; raises as `make`."""
        making = analysis(image)
        return await self._find(making) or await self._shared_or_made(image, making)

    async def _shared_or_made(self, image: Image, making: Making) -> Render:
        flight, way = self._flight(image, making)
        return told(await flight.join(), way)

    def _flight(self, image: Image, making: Making) -> tuple[Flight[Made | Problem], Way]:
        """The work that makes this; raises what it failed with a moment ago."""
        flight = self._flights.get(making.digest)
        if flight is not None:
            self._shared += 1
            return flight, Way.SHARED
        self._check_failed(making.digest, image)
        self.cache.counts.misses += 1
        begun = self._flights.begin(
            making.digest, image.id, lambda own: self._make(own, image, making, self._calls.run)
        )
        return begun, Way.MISS

    def stats(self) -> RenderStats:
        """The counts, and what is cached now."""
        return RenderStats(
            hits=self.cache.counts.hits,
            misses=self.cache.counts.misses,
            shared=self._shared,
            spared=self._spared,
            evictions=self.cache.counts.evictions,
            broken=self.cache.counts.broken,
            entries=len(self.cache),
            bytes=self.cache.size,
            limit=self.cache.limit,
        )

    async def purge(self, image: str, *, gone: bool = True) -> int:
        """Forget all that was made of an image, what failed too: how many pictures were removed.

        `gone`: the image itself goes too.
        """
        if gone:
            self.known.forget(image)
        for flights in (self._flights, self._later):
            flights.turn_stale(image)
        self._failures.forget(image)
        return await self._remove(image)

    async def _remove(self, image: str) -> int:
        await self.masters.purge(image)
        return await self.cache.purge(image)

    def open(self) -> None:
        """Take up what an earlier server has left; call it once, on the event loop."""
        self.cache.open()
        self.masters.cache.open()

    async def close(self) -> None:
        """Wait for what is under way; the scheduler has been stopped before."""
        for flights in (self._flights, self._later):
            await flights.landed()
        await self.cache.close()
        await self.masters.cache.close()

    async def shrink(self, size: int) -> int:
        """Give up so many bytes on the disk, or all there are, masters first: how many it was."""
        given = await self.masters.cache.shrink(size)
        return given if given >= size else given + await self.cache.shrink(size - given)

    def _rendering(self, image: Image, pipeline: Pipeline) -> Making:
        path, gap = self.masters.path(image, pipeline), self._calls.limits.reduce_gap
        # An operator who sets the gap has other bytes made.
        return rendering(image, pipeline, path if gap == _GAP else f"{path}, gap {gap:g}")

    # -- making ---------------------------------------------------------------------------------

    def _check_failed(self, what: str, image: Image) -> None:
        problem = self._failures.get(what, image.id)
        if problem is not None:
            self._spared += 1
            raise from_problem(problem)

    async def _make(
        self, flight: Flight[Made | Problem], image: Image, making: Making, run: Run
    ) -> Made | Problem:
        """Run the task: what it made, or the problem that everybody who waits is told."""
        try:
            await self._room.relieve()
            async with nullcontext(image) if making.hold is None else making.hold() as readable:
                return await self._run_with_room(flight, readable, making, run)
        except ImgsvcError as error:
            problem = error.problem
            stored = making.hold is None
            if isinstance(error, InternalError) and stored and not await self.known.has_indeed(image):
                problem = NotFound("there is no such image").problem
            if not flight.stale:
                self._failures.add(making.digest, image.id, problem)
            return problem

    async def _run_with_room(
        self, flight: Flight[Made | Problem], image: Image, making: Making, run: Run
    ) -> Made:
        """As `_run`, once more where the disk was full and older pictures have made room."""
        try:
            return await self._run(flight, image, making, run)
        except InsufficientStorage:
            if not await self._room.relieve(urgent=True):
                raise
        return await self._run(flight, image, making, run)

    async def _run(self, flight: Flight[Made | Problem], image: Image, making: Making, run: Run) -> Made:
        key = self.cache.fresh(image.id, making.digest)
        target = Target(name="default", spec=making.spec, key=key, stamped=True, or_source=making.or_source)
        plan = await self._planned(image, making)
        task = Task(
            kind=making.kind,
            storage=self._storage.url,
            source=image.key,
            source_bytes=image.bytes,
            targets=(target,),
            master=None if plan is None else plan.wanted,
            limits=self._calls.limits,
            tell_bytes=_TELL,
        )
        suspect = Suspect(image.id, frozenset({making.spec}))
        try:
            called = await run(task, image.bytes, suspect, flight.start)
            if called.report.outcome is not Outcome.SUCCEEDED:
                refuse(called.report.problem)
            made, stale = await self._taken(flight, image, making, called)
        except BaseException:
            self.cache.clear(key)
            self.masters.failed(plan)
            raise
        if making.pipeline is not None:
            self.masters.made(image, plan, called.report, stale=stale, hold=making.hold)
        return made

    async def _planned(self, image: Image, making: Making) -> Plan | None:
        if making.pipeline is None:
            return None
        return await self.masters.plan(image, making.pipeline)

    async def _taken(
        self, flight: Flight[Made | Problem], image: Image, making: Making, called: Called
    ) -> tuple[Made, bool]:
        """The result, read for those who wait and kept for those who come later, unless its image is gone."""
        (result,) = called.report.results
        data = called.report.told
        if data is None:
            data = await asyncio.to_thread(self._storage.read, result.key)
        entry = self.cache.entry(result.key, result.bytes)
        # The image may have been removed between the look at it and the begin of this flight.
        there = making.hold is not None or await self.known.has(image)
        stale = flight.stale or not there
        if stale:
            self.cache.discard(entry)
        else:
            self.cache.add(entry, data)
        return Made(entry, data, called.queue_ms, called.report.steps), stale
