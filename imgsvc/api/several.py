"""Forms that bring several images: all of them staged, whatever is wrong with some of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from starlette.requests import Request

from imgsvc.api import names, parameters
from imgsvc.api.multipart import FILE, Event, Field, FileEnd, FileStart, Form
from imgsvc.api.uploads import Reads, body
from imgsvc.errors import MissingFile, TooManyFiles
from imgsvc.service.intake import Arrived, Grown, Incoming

_Wish = TypeVar("_Wish")
#: Begins an upload, a lenient one, that says how it grows.
Begin = Callable[[Grown], AbstractAsyncContextManager[Incoming]]


@dataclass(frozen=True, slots=True)
class Uploads(Generic[_Wish]):
    """Images that have arrived, in their order, and what is to become of them."""

    files: tuple[Arrived, ...]
    wish: _Wish


@asynccontextmanager
async def all_received(
    request: Request, begin: Begin, reads: Reads[_Wish], *, most: int, grown: Grown | None = None
) -> AsyncIterator[Uploads[_Wish]]:
    """At most `most` images of a form, in uploads that `begin` gives; what nobody took is gone at the end.

    Fields may come before, between and after the files. `grown` is told how many bytes all of them have so
    far, before they are written. Raises what `reads` raises, MalformedMultipart,
    MissingFile, TooManyFiles, InsufficientStorage; a file that is empty or too large is told as such.
    """
    form = Form(request.headers["content-type"], reads.fields)
    async with AsyncExitStack() as stack:
        files = _Files(begin, reads, parameters.query(request.scope["query_string"]), most, stack)
        files.grown = grown
        async for chunk in body(request):
            for event in form.feed(chunk):
                await files.take(event)
        form.close()
        yield files.uploads()


class _Files(Generic[_Wish]):
    """A form on its way in."""

    def __init__(
        self,
        begin: Begin,
        reads: Reads[_Wish],
        query: dict[str, str],
        most: int,
        stack: AsyncExitStack,
    ) -> None:
        self._begin_file = begin
        self._reads = reads
        self._values = list(query.items())
        self._most = most
        self._stack = stack
        self._incoming: Incoming | None = None
        self._filename = ""
        self._files: list[Arrived] = []
        self._bytes = 0
        self.grown: Grown | None = None

    async def take(self, event: Event) -> None:
        if isinstance(event, FileStart):
            await self._begin(event)
        elif isinstance(event, Field):
            if event.value.strip():  # pages send blanks for what was not filled in
                self._values.append((event.name, event.value))
        elif self._incoming is None:
            raise MissingFile("the form has a file without a beginning")
        elif isinstance(event, FileEnd):
            # A page sends a file without name or content where none was chosen.
            if self._filename or self._incoming.bytes:
                arrived = await self._incoming.arrive(names.clean(self._filename))
                self._files.append(arrived)
                self._bytes += arrived.staged.bytes if arrived.staged else 0
        else:
            await self._incoming.write(event)

    def uploads(self) -> Uploads[_Wish]:
        wish = self._reads.whole(parameters.once(self._values))
        if not self._files:
            raise MissingFile("the form has no part named 'file' with a file name")
        return Uploads(tuple(self._files), wish)

    async def _grow(self, size: int) -> None:
        if self.grown is not None:
            await self.grown(self._bytes + size)

    async def _begin(self, part: FileStart) -> None:
        if part.name != FILE:
            raise MissingFile("the form has a file, but its part is not named 'file'")
        if len(self._files) == self._most:
            raise TooManyFiles(
                f"the form has more than {self._most} files; open a batch and let jobs join it for more",
                limit=self._most,
            )
        if not self._files:
            self._reads.early(parameters.once(self._values))
        self._filename = part.filename
        self._incoming = await self._stack.enter_async_context(self._begin_file(self._grow))
