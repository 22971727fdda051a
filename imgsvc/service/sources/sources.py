"""Pictures that lie in somebody else's folder: seen once, remembered by their state, copied for workers."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from uuid_utils import uuid7

from imgsvc.errors import (
    BodyTooLarge,
    EmptyFile,
    ImageRefused,
    ImgsvcError,
    NotFound,
    Problem,
    StorageUnavailable,
    from_problem,
)
from imgsvc.imaging.facts import Facts
from imgsvc.jobs import Image
from imgsvc.scheduler import Clock
from imgsvc.service.admission import Admission
from imgsvc.service.facts import image_of
from imgsvc.service.flights import Flight, Flights
from imgsvc.service.sources.copies import Copies
from imgsvc.service.sources.folder import Copied, Folder, Found, State
from imgsvc.storage import Storage

_Answer = TypeVar("_Answer")

#: Files whose content is remembered: some 17 MB.
_IN_MIND = 8192
#: Steps of a path that are tried before a file that was seen is looked for in another thread after all.
_DEEP = 32
#: Threads of its own: a network file system that hangs takes no other work with it.
_THREADS = 8
#: Seconds that the folder may take to answer: to find a file, and to read one.
_FIND_S, _COPY_S = 5.0, 60.0
#: What is the file's fault, and so its answer for as long as it does not change.
_LASTING = (ImageRefused, EmptyFile, BodyTooLarge)

#: What a file is: its picture, or why it is none.
_Seen = Image | Problem


@dataclass(frozen=True, slots=True)
class Source:
    """A picture of the folder, by its content."""

    found: Found
    #: As for stored images, but no record has it and its `key` names nothing.
    image: Image


class Sources:
    """What `/r/@path` stands on. Raises the errors of `imgsvc.errors` only."""

    def __init__(  # noqa: PLR0913  # what there is one of each
        self,
        folder: Folder | None,
        storage: Storage,
        staging: Path,
        boot: str,
        *,
        admission: Admission,
        probe: Callable[[Path], Awaitable[Facts]],
        max_body: int,
        copies: int,
        clock: Clock,
    ) -> None:
        """`copies` are the bytes of copies that are kept unused. Without a folder there are no files."""
        self._folder = folder
        self._storage = storage
        self._staging = staging
        self._boot = boot
        self._admission = admission
        self._probe = probe
        self._max_body = max_body
        self._clock = clock
        self._threads = ThreadPoolExecutor(_THREADS, "sources")
        self._seen: OrderedDict[bytes, tuple[State, _Seen]] = OrderedDict()
        self._copies = Copies(copies, self._remove)
        self._sightings: Flights[_Seen] = Flights()
        self._copyings: Flights[None] = Flights()
        self._chores: set[asyncio.Future[None]] = set()

    def __repr__(self) -> str:
        return f"<Sources: {len(self._seen)} files in mind, {self._copies!r}>"

    async def readable(self) -> bool:
        """Can the folder be read, where there is one?"""
        if self._folder is None:
            return True
        try:
            return await _answer(self._threads.submit(self._folder.readable), _FIND_S)
        except StorageUnavailable:
            return False

    async def find(self, steps: Sequence[bytes]) -> Found:
        """The file that the first of these steps name. Raises NotFound, StorageUnavailable."""
        if self._folder is None:
            raise NotFound("there is no folder of sources")
        if self._at_hand(steps):
            return self._folder.find(steps)
        return await _answer(self._threads.submit(self._folder.find, steps), _FIND_S)

    def remembered(self, found: Found) -> Image | None:
        """The picture that a file shows, where that is known without reading it."""
        seen = self._remembered(found)
        return seen if isinstance(seen, Image) else None

    @asynccontextmanager
    async def look(self, found: Found) -> AsyncIterator[Source]:
        """What a file shows: read when it is seen for the first time or has changed, else remembered.

        Those who come together share one reading. Raises what an upload of the file would raise, NotFound
        when it went meanwhile, QueueTimeout, Draining.
        """
        seen = self._remembered(found)
        if seen is None:
            flight = self._sightings.get(what := repr((found.path, found.state)))
            flight = flight or self._sightings.begin(what, "", partial(self._see, found))
            seen = await flight.join()
        if isinstance(seen, Problem):
            raise from_problem(seen)
        # A first sight has made a copy, which is not to go before it is used.
        taken = self._copies.take(seen.sha256)
        try:
            yield Source(found, seen)
        finally:
            if taken is not None:
                self._copies.give_back(seen.sha256)

    @asynccontextmanager
    async def copied(self, source: Source) -> AsyncIterator[Image]:
        """The image with a `key` under which a worker finds its bytes, until the context is left.

        Raises StorageUnavailable when the file has changed since it was looked at, and as `look`.
        """
        image = source.image
        async with self._admission.aside(call=True):
            key = self._copies.take(image.sha256)
            if key is None:
                flight = self._copyings.get(image.sha256)
                flight = flight or self._copyings.begin(image.sha256, "", partial(self._copy_again, source))
                await flight.join()
                key = self._copies.take(image.sha256)
            if key is None:
                raise StorageUnavailable("the file is being changed", retry_after=1)
            try:
                yield image.model_copy(update={"key": key})
            finally:
                self._copies.give_back(image.sha256)

    async def close(self) -> None:
        """Wait for what is under way; the scheduler has been stopped before."""
        await self._sightings.landed()
        await self._copyings.landed()
        while self._chores:
            await asyncio.wait(self._chores)

    # -- seeing ---------------------------------------------------------------------------------

    def _at_hand(self, steps: Sequence[bytes]) -> bool:
        """Do these steps name a file that was seen before, on a disk of this machine?

        Then the kernel has it in mind too, and a look costs a tenth of handing it to a thread.
        """
        if self._folder is None or self._folder.near is None:
            return False
        path = b""
        for step in steps[:_DEEP]:
            path = path + b"/" + step if path else step
            if path in self._seen:
                return self._seen[path][0].device == self._folder.near
        return False

    def _remembered(self, found: Found) -> _Seen | None:
        state, seen = self._seen.get(found.path, (None, None))
        if state != found.state:
            return None
        self._seen.move_to_end(found.path)
        return seen

    def _remember(self, path: bytes, state: State, seen: _Seen, now_ns: int) -> None:
        if not state.settled(now_ns):
            return
        self._seen[path] = (state, seen)
        self._seen.move_to_end(path)
        if len(self._seen) > _IN_MIND:
            self._seen.popitem(last=False)

    async def _see(self, found: Found, flight: Flight[_Seen]) -> _Seen:
        """Read a file: what it shows, or the problem that everybody who waits is told."""
        flight.start()
        began_ns = self._clock() * 1_000_000
        try:
            async with self._admission.aside(call=True):
                image, copied = await self._first_sight(found)
        except ImgsvcError as error:
            if isinstance(error, _LASTING):
                self._remember(found.path, found.state, error.problem, began_ns)
            return error.problem
        self._remember(found.path, copied.state, image, began_ns)
        return image

    async def _first_sight(self, found: Found) -> tuple[Image, Copied]:
        path, copied = await self._copy(found)
        try:
            facts = await self._probe(path)
            key = await self._adopted(path)
        except BaseException:
            await asyncio.to_thread(path.unlink, missing_ok=True)
            raise
        self._copies.add(copied.digest, key, copied.bytes)
        # No record has it, so it has no key.
        return image_of(facts, copied.digest, copied.bytes, key="", created_at=self._clock()), copied

    # -- copying --------------------------------------------------------------------------------

    async def _copy_again(self, source: Source, flight: Flight[None]) -> None:
        """A copy of a file whose content is known; nothing where that has changed."""
        flight.start()
        path, copied = await self._copy(source.found)
        if copied.digest == source.image.sha256:
            self._copies.add(copied.digest, await self._adopted(path), copied.bytes)
        else:
            await asyncio.to_thread(path.unlink, missing_ok=True)

    async def _copy(self, found: Found) -> tuple[Path, Copied]:
        if self._folder is None:
            raise NotFound("there is no folder of sources")
        self._admission.room.wrote(min(found.state.size, self._max_body))
        path = self._staging / uuid7().hex
        job = self._threads.submit(self._folder.copy, found.path, path, self._max_body)
        try:
            return path, await _answer(job, _COPY_S)
        except BaseException:
            # It may have been given up while it goes on.
            job.add_done_callback(lambda _: path.unlink(missing_ok=True))
            raise

    async def _adopted(self, path: Path) -> str:
        """The key under which workers find a copy."""
        key = f"staging/{self._boot}/{path.name}"
        if self._storage.path(key) != path:
            await asyncio.to_thread(self._storage.adopt, path, key, durable=False)
        return key

    def _remove(self, key: str) -> None:
        removing = asyncio.get_running_loop().run_in_executor(None, self._storage.delete, key)
        self._chores.add(removing)
        removing.add_done_callback(self._chores.discard)


async def _answer(job: Future[_Answer], seconds: float) -> _Answer:
    """What a thread comes to. Raises StorageUnavailable when that takes too long; the thread goes on then."""
    try:
        async with asyncio.timeout(seconds):
            return await asyncio.wrap_future(job)
    except TimeoutError:
        raise StorageUnavailable("the folder of sources does not answer") from None
