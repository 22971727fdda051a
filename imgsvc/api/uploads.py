"""Requests that bring an image: raw or as a form, streamed into staging; or JSON that names one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import Any, Generic, TypeVar

import orjson
from starlette.requests import Request

from imgsvc.api import keys, names, parameters
from imgsvc.api.envelope import ClientGoneError, called
from imgsvc.api.multipart import FILE, Field, FileStart, Form
from imgsvc.errors import BodyTooLarge, MalformedRequest, MissingFile, TooManyFiles
from imgsvc.service.intake import Grown, Incoming, Intake, Staged

_Wish = TypeVar("_Wish")
_Begin = Callable[[], AbstractAsyncContextManager[Incoming]]

#: Bytes of a JSON body: it names an image and holds none.
MAX_JSON = 1024 * 1024


class Kind(Enum):
    """What a Content-Type tells."""

    RAW = auto()
    MULTIPART = auto()
    JSON = auto()


@dataclass(frozen=True, slots=True)
class Upload(Generic[_Wish]):
    """An image that has arrived, its cleaned name, and what is to become of it."""

    staged: Staged
    filename: str | None
    wish: _Wish


class Reads(Generic[_Wish]):
    """How parameters become a wish: all of them, or those that came before the file (to fail early)."""

    def __init__(self, fields: tuple[str, ...], read: Callable[[Mapping[str, str], bool], _Wish]) -> None:
        self.fields = frozenset(fields)
        self._read = read

    def early(self, values: Mapping[str, str]) -> None:
        """More may follow."""
        self._read(values, False)  # noqa: FBT003  # `complete`

    def whole(self, values: Mapping[str, str]) -> _Wish:
        """That was all."""
        return self._read(values, True)  # noqa: FBT003  # `complete`


def kind(request: Request) -> Kind:
    """Multipart, JSON, or everything else: a raw image, whatever curl calls it."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "multipart/form-data":
        return Kind.MULTIPART
    return Kind.JSON if media_type == "application/json" else Kind.RAW


def declared(request: Request) -> int | None:
    """The bytes of the body, where the client says how many there are."""
    length = request.headers.get("content-length", "")
    return int(length) if length.isdigit() else None


async def body(request: Request) -> AsyncIterator[bytes]:
    """The chunks of a body; raises what the gate raises."""
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        if chunk := message.get("body"):
            yield chunk
        if not message.get("more_body", False):
            return


async def read_json(request: Request) -> bytes:
    """The bytes of a body that should be JSON; raises BodyTooLarge."""
    data = bytearray()
    async for chunk in body(request):
        data += chunk
        if len(data) > MAX_JSON:
            raise BodyTooLarge(f"a JSON body has at most {MAX_JSON} bytes", limit=MAX_JSON)
    return bytes(data)


async def json_body(request: Request) -> dict[str, Any]:
    """A JSON object; raises MalformedRequest, BodyTooLarge."""
    data = await read_json(request)
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise MalformedRequest("the body is not valid JSON") from None
    if not isinstance(value, dict):
        raise MalformedRequest("the body is not a JSON object")
    return value


@asynccontextmanager
async def received(
    request: Request,
    intake: Intake,
    reads: Reads[_Wish],
    *,
    digest: bool = True,
    grown: Grown | None = None,
) -> AsyncIterator[Upload[_Wish]]:
    """The image that a request brings; what nobody took of it is gone at the end.

    What comes before the image is validated before a byte of it is read; `digest` and `grown` are the
    intake's. Under an Idempotency-Key the image is always hashed; when that key is known, it is not even
    kept. Raises what `reads` raises, what the intake raises, MalformedMultipart, MissingFile and
    TooManyFiles.
    """
    digest = digest or called(request.scope).claim is not None
    begin = partial(intake.begin, digest=digest, keep=not keys.known(request), grown=grown)
    given = parameters.query(request.scope["query_string"])
    if kind(request) is Kind.MULTIPART:
        form = _FormUpload(begin, reads, given)
        async with AsyncExitStack() as stack:
            yield await form.read(request, stack)
        return
    wish = reads.whole(given)
    async with begin() as incoming:
        async for chunk in body(request):
            await incoming.write(chunk)
        name = names.clean(names.from_header(request.headers.get("content-disposition")))
        yield Upload(await incoming.finish(), name, wish)


class _FormUpload(Generic[_Wish]):
    """A form on its way in: its fields may come before and after its one file."""

    def __init__(self, begin: _Begin, reads: Reads[_Wish], query: dict[str, str]) -> None:
        self._begin_file = begin
        self._reads = reads
        self._values = list(query.items())
        self._incoming: Incoming | None = None
        self._filename = ""

    async def read(self, request: Request, stack: AsyncExitStack) -> Upload[_Wish]:
        form = Form(request.headers["content-type"], self._reads.fields)
        blanks: list[str] = []
        async for chunk in body(request):
            for event in form.feed(chunk):
                if isinstance(event, bytes):
                    await self._begun.write(event)
                elif isinstance(event, FileStart):
                    await self._begin(event, stack)
                elif isinstance(event, Field) and event.value.strip():
                    self._values.append((event.name, event.value))
                elif isinstance(event, Field):
                    blanks.append(event.name)
        form.close()
        # Pages send blanks for what was not filled in: they stand behind whatever else says the same.
        given = {name for name, _ in self._values}
        self._values += [(name, "") for name in dict.fromkeys(blanks) if name not in given]
        wish = self._reads.whole(parameters.once(self._values))
        if not self._filename and not self._begun.bytes:
            raise MissingFile("the part 'file' holds no file")
        return Upload(await self._begun.finish(), names.clean(self._filename), wish)

    @property
    def _begun(self) -> Incoming:
        if self._incoming is None:
            raise MissingFile("the form has no part named 'file' with a file name")
        return self._incoming

    async def _begin(self, part: FileStart, stack: AsyncExitStack) -> None:
        if self._incoming is not None:
            raise TooManyFiles("the form has more than one file")
        if part.name != FILE:
            raise MissingFile("the form has a file, but its part is not named 'file'")
        self._reads.early(parameters.once(self._values))
        self._filename = part.filename
        self._incoming = await stack.enter_async_context(self._begin_file())
