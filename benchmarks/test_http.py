"""What the door itself costs: requests through the whole ASGI stack, on parts that do no work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import orjson
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from starlette.types import Message

from imgsvc import jobstore, storage
from imgsvc.api import Api, ApiOptions, create_app
from imgsvc.dispatch import LaneInfo, LaneState, Slot
from imgsvc.imaging import Facts, Limits
from imgsvc.scheduler import Policy, Scheduler
from imgsvc.service import Service
from imgsvc.wiring.parts import service_of

KIB = 1024
#: A body as uvicorn hands it over.
CHUNK = 64 * KIB
MARK = b"<image!>"


class IdleLanes:
    """A dispatcher whose desk knows every header, and whose lanes never come free."""

    isolates = True

    async def start(self) -> None:
        """Nothing to do."""

    async def stop(self) -> None:
        """Nothing to do."""

    async def acquire(self) -> Slot:
        """Never."""
        return await asyncio.Future[Slot]()

    async def probe(self, path: Path, limits: Limits) -> Facts:  # noqa: ARG002  # it knows already
        """A photograph, whatever it is."""
        return Facts(format="jpeg", width=4032, height=3024, frames=1, has_alpha=False)

    def lanes(self) -> Sequence[LaneInfo]:
        """One."""
        return [LaneInfo(1, 1, LaneState.IDLE, None, None, 0, 0, None)]

    def desk(self) -> LaneInfo:
        """The same."""
        return self.lanes()[0]


class Door:
    """The application on an event loop of its own, called as a server would."""

    def __init__(self, folder: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self._folder = folder
        self._stack = AsyncExitStack()
        self._number = 0
        self.app: Api = create_app(self._open, ApiOptions())
        self.run(self._stack.enter_async_context(self.app.fastapi.router.lifespan_context(self.app.fastapi)))

    def run(self, call: Awaitable[object]) -> None:
        """Wait for it."""
        self.loop.run_until_complete(call)

    def close(self) -> None:
        """Let go of everything."""
        self.run(self._stack.aclose())
        self.loop.close()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Service]:
        store, blobs, lanes = jobstore.connect("memory:"), storage.connect("memory:bench"), IdleLanes()
        await store.open()
        limits, policy = Limits(), Policy(queue_limit=10**9, queue_bytes=10**15, disk_reserve=0)
        scheduler = Scheduler(store, lanes, blobs, limits=limits, policy=policy, boot="bench")
        await scheduler.start()
        await scheduler.pause(paused=True)
        yield service_of(
            store, blobs, lanes, scheduler, limits=limits, policy=policy, boot="bench", staging=self._folder
        )
        await scheduler.stop(0)

    def call(
        self,
        method: str,
        path: str,
        query: str = "",
        body: bytes = b"",
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> tuple[int, bytes]:
        """One request; the mark in a body is another one each time, so that each is a new image."""
        self._number += 1
        body = body.replace(MARK, self._number.to_bytes(len(MARK), "big"), 1)
        messages = [
            {"type": "http.request", "body": body[at : at + CHUNK], "more_body": at + CHUNK < len(body)}
            for at in range(0, len(body), CHUNK)
        ] or [{"type": "http.request", "body": b"", "more_body": False}]
        answered: list[Message] = []

        async def receive() -> Message:
            return messages.pop(0) if messages else await asyncio.Future[Message]()

        async def send(message: Message) -> None:
            answered.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [
                (b"host", b"127.0.0.1:8000"),
                (b"user-agent", b"bench"),
                (b"accept", b"*/*"),
                (b"content-length", str(len(body)).encode()),
                *headers,
            ],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8000),
        }
        self.run(self.app(scope, receive, send))
        return answered[0]["status"], b"".join(message.get("body", b"") for message in answered)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    opened = Door(tmp_path)
    yield opened
    opened.close()


def measured(benchmark: BenchmarkFixture, status: int, call: Callable[[], tuple[int, bytes]]) -> None:
    assert benchmark(call)[0] == status


@pytest.mark.benchmark(group="door")
def test_livez(benchmark: BenchmarkFixture, door: Door) -> None:
    """The least that any request costs."""
    measured(benchmark, 200, lambda: door.call("GET", "/livez"))


@pytest.mark.benchmark(group="door")
def test_a_refusal(benchmark: BenchmarkFixture, door: Door) -> None:
    measured(benchmark, 422, lambda: door.call("POST", "/v1/jobs", "ops=rezise:3", b"x" * KIB))


@pytest.mark.benchmark(group="door")
def test_explain(benchmark: BenchmarkFixture, door: Door) -> None:
    query = "ops=resize:300x200,fit=cover/grayscale/webp:82&size=4032x3024"
    measured(benchmark, 200, lambda: door.call("GET", "/v1/operations:explain", query))


@pytest.mark.benchmark(group="door: submit")
@pytest.mark.parametrize("size", [KIB, 1024 * KIB, 4096 * KIB], ids=["1 KiB", "1 MiB", "4 MiB"])
def test_submit_raw(benchmark: BenchmarkFixture, door: Door, size: int) -> None:
    body = MARK + bytes(size - len(MARK))
    measured(benchmark, 202, lambda: door.call("POST", "/v1/jobs", "ops=thumbnail:256x256/webp", body))


@pytest.mark.benchmark(group="door: submit")
@pytest.mark.parametrize("size", [KIB, 4096 * KIB], ids=["1 KiB", "4 MiB"])
def test_submit_form(benchmark: BenchmarkFixture, door: Door, size: int) -> None:
    disposition = b'\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n'
    body = (
        b"--x"
        + disposition % (b"ops", b"")
        + b"thumbnail:256x256/webp\r\n--x"
        + disposition % (b"file", b'; filename="cat.jpg"')
        + MARK
        + bytes(size - len(MARK))
        + b"\r\n--x--\r\n"
    )
    headers = [(b"content-type", b"multipart/form-data; boundary=x")]
    measured(benchmark, 202, lambda: door.call("POST", "/v1/jobs", "", body, headers))


@pytest.mark.benchmark(group="door")
def test_get_job(benchmark: BenchmarkFixture, door: Door) -> None:
    job = orjson.loads(door.call("POST", "/v1/jobs", "ops=png", MARK * 128)[1])
    measured(benchmark, 200, lambda: door.call("GET", job["links"]["self"]))
