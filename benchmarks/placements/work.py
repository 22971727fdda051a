"""What every placement is given to do: a thumbnail, a wait that blocks, the same wait that does not."""

from __future__ import annotations

import asyncio
import socket
from enum import StrEnum
from functools import cache
from pathlib import Path
from uuid import uuid4

from imgsvc.imaging import Limits, render
from imgsvc.pipeline import Grammar, Pipeline

#: Seconds after which the other side answers a wait.
ANSWER_S = 0.1
_REQUEST = b"GET / HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n"


class Work(StrEnum):
    """A kind of job."""

    #: Needs a CPU: a 12-megapixel JPEG to 256 pixels.
    THUMBNAIL = "thumbnail"
    #: Waits for another server with calls that block, then writes a small file.
    WAIT = "wait"
    #: The same as a coroutine, which gives its thread away while it waits.
    AWAIT = "await"


def thumbnail(source: bytes, ops: str) -> bytes:
    """What our workers do with an image: one render from memory to memory."""
    (made,) = render(source, [("default", _pipeline(ops))], Limits())
    return bytes(made.data)


@cache
def _pipeline(ops: str) -> Pipeline:
    return Grammar(testing=True).parse(ops)


def wait(port: int, folder: str) -> bytes:
    """Ask the slow server on `port` and keep its answer in a file, blocking."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as other:
        other.sendall(_REQUEST)
        answer = b"".join(iter(lambda: other.recv(4096), b""))
    Path(folder, uuid4().hex).write_bytes(answer)
    return answer


async def await_(port: int, folder: str) -> bytes:
    """The same without blocking; the file is written in a thread, as aiofiles does it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(_REQUEST)
        answer = await reader.read()
    finally:
        writer.close()
    await asyncio.to_thread(Path(folder, uuid4().hex).write_bytes, answer)
    return answer
