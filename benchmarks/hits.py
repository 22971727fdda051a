"""A cache hit against a plain file: requests/s of `/r/` and of the same bytes from a FileResponse app.

Both run on the same uvicorn with the same settings, are asked over keep-alive connections by one client
process that does nothing but write requests and count bytes, and take turns in one run. Also: how many tasks
200 simultaneous requests for a picture that nobody has asked for yet cost.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import json
import multiprocessing
import selectors
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route

from benchmarks import photos
from benchmarks.running import Running, server


class Stream:
    """One keep-alive connection that asks for the same thing again and again."""

    def __init__(self, port: int, path: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        self._length: int | None = None
        self._got = 0
        self.answers = 0

    def ask(self) -> None:
        """Send the next request."""
        self.socket.sendall(self._request)

    def take(self) -> bool:
        """Read what has come; True when an answer is whole. Raises RuntimeError for anything but 200."""
        piece = self.socket.recv(1 << 18)
        if not piece:
            raise RuntimeError("the server has closed a connection")
        self._got += len(piece)
        if self._length is None:
            head, _, _ = piece.partition(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.decode(errors="replace"))
            told = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            self._length = len(head) + 4 + int(told)
        if self._got < self._length:
            return False
        self._length, self._got = None, 0
        self.answers += 1
        return True


def drive(port: int, path: str, count: int, concurrency: int) -> float:
    """`count` requests over `concurrency` connections; requests per second."""
    streams = [Stream(port, path) for _ in range(concurrency)]
    selector = selectors.DefaultSelector()
    for stream in streams:
        selector.register(stream.socket, selectors.EVENT_READ, stream)
    began = time.perf_counter()
    left, asked = count, 0
    for stream in streams:
        stream.ask()
        asked += 1
    while left:
        for key, _ in selector.select(10):
            stream = key.data
            if stream.take():
                left -= 1
                if asked < count:
                    stream.ask()
                    asked += 1
    took = time.perf_counter() - began
    for stream in streams:
        stream.socket.close()
    return count / took


def _serve_file(path: str, media_type: str, told: multiprocessing.connection.Connection) -> None:
    """A minimal app that answers with one file, on uvicorn as the service drives it."""

    async def file(_: Request) -> FileResponse:
        return FileResponse(path, media_type=media_type)

    app = Starlette(routes=[Route("/file", file)])
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    told.send(bound.getsockname()[1])
    config = uvicorn.Config(app, log_level="warning", access_log=False)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(uvicorn.Server(config).serve(sockets=[bound]))


@contextlib.contextmanager
def plain(path: Path, media_type: str) -> Iterator[int]:
    """The minimal app in a process of its own; its port."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve_file, args=(str(path), media_type, theirs), daemon=True)
    process.start()
    try:
        port = ours.recv()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, RuntimeError):
                drive(port, "/file", 1, 1)
                break
            time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.join(10)


def _call(running: Running, method: str, path: str, body: bytes | None = None) -> tuple[bytes, str]:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    connection.request(method, path, body)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    if answer.status >= 300:
        raise RuntimeError(f"{method} {path}: {answer.status} {content[:300]!r}")
    return content, answer.headers.get_content_type()


def herd(running: Running, path: str, count: int = 200) -> dict[str, int]:
    """What `count` simultaneous requests for one new picture come to, as /v1/stats counts it."""
    before = json.loads(_call(running, "GET", "/v1/stats")[0])
    drive(running.port, path, count, count)
    after = json.loads(_call(running, "GET", "/v1/stats")[0])
    tasks = after["totals"]["calls"]["succeeded"] - before["totals"]["calls"]["succeeded"]
    return {"requests": count, "tasks": tasks} | {
        name: after["cache"][name] - before["cache"][name] for name in ("hits", "misses", "shared")
    }


def main() -> int:
    """Measure, print, and say whether the bounds held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photo", type=Path, help="a JPEG (default: a synthesised one)")
    parser.add_argument("--ops", nargs="+", default=["resize:320x/webp", "resize:1280x/jpeg"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--count", type=int, default=3000, help="requests a round")
    parser.add_argument("--concurrency", type=int, default=8)
    options = parser.parse_args()
    source = options.photo.read_bytes() if options.photo else photos.jpeg()
    ratios = []
    with server() as running, tempfile.TemporaryDirectory(prefix="imgsvc-bench-") as folder:
        image = json.loads(_call(running, "POST", "/v1/images", source)[0])["id"]
        for ops in options.ops:
            path = f"/r/{image}/{ops}"
            content, media_type = _call(running, "GET", path)
            kept = Path(folder, "picture")
            kept.write_bytes(content)
            with plain(kept, media_type) as port:
                ours, theirs = [], []
                for _ in range(options.rounds + 1):
                    theirs.append(drive(port, "/file", options.count, options.concurrency))
                    ours.append(drive(running.port, path, options.count, options.concurrency))
            rounds = list(zip(ours[1:], theirs[1:], strict=True))  # the first one is for warming up
            ratio = statistics.median(mine / other for mine, other in rounds)
            ratios.append(ratio)
            print(
                f"{ops:20} {len(content):8} bytes  hit {statistics.median(ours[1:]):7.0f}/s  "
                f"FileResponse {statistics.median(theirs[1:]):7.0f}/s  ratio {ratio:.2f}",
                flush=True,
            )
        found = herd(running, f"/r/{image}/resize:200x/blur:3/webp")
        print(", ".join(f"{name} {value}" for name, value in found.items()))
    held = min(ratios) >= 0.8 and found["tasks"] == 1
    print("held" if held else "NOT held", "(a hit at 0.8 of a plain file, one task for a herd)")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
