"""Five servers as the tutorials write them: started by uvicorn, told by the environment which one to be."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from uuid import uuid4

from fastapi import BackgroundTasks, FastAPI, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool

from benchmarks.placements import work

#: Names of the variables: which placement, the port of the slow server, a folder for small files.
PLACEMENT, PORT, FOLDER = "PLACEMENT", "PLACEMENT_PORT", "PLACEMENT_FOLDER"

Blocking = Callable[..., bytes]
#: How a handler has a blocking function done.
Call = Callable[..., Awaitable[bytes]]


async def in_handler(do: Blocking, *arguments: object) -> bytes:
    """1: in the handler itself, on the event loop."""
    return do(*arguments)


async def in_thread(do: Blocking, *arguments: object) -> bytes:
    """3: in Starlette's thread pool, where FastAPI also runs handlers that are not async."""
    return await run_in_threadpool(do, *arguments)


async def in_pool_of_its_own(do: Blocking, *arguments: object) -> bytes:
    """4: word for word the example in Python's own documentation of `run_in_executor`."""
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor() as pool:
        return await loop.run_in_executor(pool, do, *arguments)


class OnePool:
    """5: in the processes of one pool, which is made when the server starts."""

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor()

    async def call(self, do: Blocking, *arguments: object) -> bytes:
        """See `Call`."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, do, *arguments)

    def close(self) -> None:
        """End its processes."""
        self._pool.shutdown(cancel_futures=True)


def app() -> FastAPI:
    """The server that `PLACEMENT` names."""
    match os.environ[PLACEMENT]:
        case "handler":
            return answering(in_handler)
        case "thread":
            return answering(in_thread)
        case "pool-each":
            return answering(in_pool_of_its_own)
        case "pool-once":
            pool = OnePool()
            return answering(pool.call, close=pool.close)
        case "background":
            return background(on_the_loop=False)
        case "background-async":
            return background(on_the_loop=True)
        case unknown:
            raise LookupError(f"{PLACEMENT} is {unknown!r}, and there is no such server")


def _bare(close: Callable[[], None] = lambda: None) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        close()

    server = FastAPI(lifespan=lifespan, openapi_url=None)

    @server.get("/livez")
    @server.get("/readyz")
    async def alive() -> Response:
        return Response()

    return server


def _other() -> tuple[int, str]:
    return int(os.environ[PORT]), os.environ[FOLDER]


def answering(call: Call, close: Callable[[], None] = lambda: None) -> FastAPI:
    """1, 3, 4 and 5: the answer to the request is the result."""
    server = _bare(close)

    @server.post("/thumbnail")
    async def thumbnail(request: Request, ops: str) -> Response:
        return Response(await call(work.thumbnail, await request.body(), ops), media_type="image/jpeg")

    @server.post("/wait")
    async def wait() -> Response:
        return Response(await call(work.wait, *_other()))

    @server.post("/await")
    async def await_() -> Response:
        return Response(await work.await_(*_other()))

    return server


def background(*, on_the_loop: bool) -> FastAPI:
    """2: the answer is 202 and an id; the work follows as a background task, its result is kept in a dict.

    Starlette runs a task that is `def` in its thread pool, and one that is `async def` on the event loop.
    """
    server = _bare()
    jobs: dict[str, asyncio.Future[bytes]] = {}

    def accepted(tasks: BackgroundTasks, do: Blocking, *arguments: object) -> dict[str, str]:
        loop = asyncio.get_running_loop()
        job = uuid4().hex
        done = jobs[job] = loop.create_future()

        def in_thread_pool() -> None:
            loop.call_soon_threadsafe(done.set_result, do(*arguments))

        async def on_event_loop() -> None:
            done.set_result(do(*arguments))

        tasks.add_task(on_event_loop if on_the_loop else in_thread_pool)
        return {"id": job}

    @server.post("/thumbnail", status_code=202)
    async def thumbnail(request: Request, ops: str, tasks: BackgroundTasks) -> dict[str, str]:
        return accepted(tasks, work.thumbnail, await request.body(), ops)

    @server.post("/wait", status_code=202)
    async def wait(tasks: BackgroundTasks) -> dict[str, str]:
        return accepted(tasks, work.wait, *_other())

    @server.post("/await", status_code=202)
    async def await_(tasks: BackgroundTasks) -> dict[str, str]:
        job = uuid4().hex
        done = jobs[job] = asyncio.get_running_loop().create_future()

        async def on_event_loop() -> None:
            done.set_result(await work.await_(*_other()))

        tasks.add_task(on_event_loop)
        return {"id": job}

    @server.get("/jobs/{job}")
    async def result(job: str) -> Response:
        if job not in jobs:
            raise HTTPException(404)
        content = await jobs[job]
        del jobs[job]
        return Response(content)

    return server
