"""More uploads at once than the queue has places: who is let in, and what do the others cost?

See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import photos
from benchmarks.running import server
from benchmarks.service import Client

_OPS = "thumbnail:16x16/png"


@dataclass(frozen=True)
class Answered:
    """One upload from its sender's side."""

    status: int
    headers: dict[str, str]
    body: bytes
    #: Bytes of its body that went into the socket: what the server read, and what buffers of kernels held.
    sent: int


def upload(port: int, body: bytes, together: threading.Barrier, *, chunked: bool = False) -> Answered:
    """Connect, wait for the others, send until it is done or refused, and read the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
        head = f"POST /v1/jobs?ops={_OPS} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{length}\r\n\r\n"
        sending = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked else body
        together.wait(60)
        connection.sendall(head.encode())
        view, sent = memoryview(sending), 0
        try:
            while sent < len(sending):
                sent += connection.send(view[sent : sent + 64 * 1024])
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has been refused; the answer is there all the same
        received = b""
        try:
            while chunk := connection.recv(64 * 1024):
                received += chunk
        except ConnectionResetError:
            pass
    head_bytes, _, answer = received.partition(b"\r\n\r\n")
    first, *lines = head_bytes.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Answered(int((first.split() or ["", "0"])[1]), headers, answer, min(sent, len(body)))


def press(port: int, bodies: Sequence[bytes], *, chunked: bool = False) -> list[Answered]:
    """All of these uploads at the same time."""
    together = threading.Barrier(len(bodies))
    with ThreadPoolExecutor(len(bodies)) as pool:
        uploads = [pool.submit(upload, port, body, together, chunked=chunked) for body in bodies]
        return [each.result() for each in uploads]


def bodies(count: int, size: int) -> list[bytes]:
    """So many small pictures that no two are the same, each padded to `size` bytes."""
    picture = photos.jpeg((64, 48))
    return [picture + os.urandom(16) + bytes(size - len(picture) - 16) for _ in range(count)]


@contextmanager
def watched(look: Callable[[], int]) -> Iterator[list[int]]:
    """What `look` sees every 20 ms meanwhile."""
    seen, over = [look()], threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            seen.append(look())

    watching = threading.Thread(target=watch)
    watching.start()
    yield seen
    over.set()
    watching.join()


def files(folder: Path) -> int:
    """Files below a folder."""
    return sum(path.is_file() for path in folder.rglob("*"))


def measure(count: int, limit: int, size: int, *, chunked: bool) -> dict[str, Any]:
    """Press on a paused server, then resume it; what came of it."""
    with server({"IMGSVC_WORKERS": "2", "IMGSVC_QUEUE_LIMIT": str(limit)}) as running:
        client, data = Client(running.port), running.log.parent / "data"
        client.call("POST", "/v1/queue:pause")
        idle = running.resident()[running.pid]
        # The first uploads cost memory once: buffers that are kept for the next ones.
        press(running.port, bodies(limit, size), chunked=chunked)
        client.call("POST", "/v1/jobs:cancel")
        for page in iter(lambda: json.loads(client.call("GET", "/v1/jobs?limit=200"))["items"], []):
            for job in page:
                client.call("DELETE", f"/v1/jobs/{job['id']}")
        sending = bodies(count, size)
        with watched(lambda: running.resident()[running.pid]) as memory:
            answers = press(running.port, sending, chunked=chunked)
        accepted = [json.loads(answer.body)["id"] for answer in answers if answer.status == 202]
        time.sleep(1.5)  # refused connections linger for a second, then what was read of them is counted
        stats = json.loads(client.call("GET", "/v1/stats"))
        left = {"staging": files(data / "staging"), "images": files(data / "images")}
        client.call("POST", "/v1/queue:resume")
        for job in accepted:
            client.call("GET", f"/v1/jobs/{job}/result?wait=30")
        return {
            "answers": Counter(_told(answer) for answer in answers),
            "retry_after": sorted({int(a.headers.get("retry-after", 0)) for a in answers if a.status != 202}),
            "refused_bodies": stats["totals"]["refused_bodies"],
            "sent_by_refused": sorted(answer.sent for answer in answers if answer.status != 202),
            "resident": {
                "idle": idle,
                "after as many uploads as places": memory[0],
                "at most under the press": max(memory),
                "after it": memory[-1],
            },
            "left": left,
            "left_at_the_end": files(data / "staging"),
            "finished": len(accepted),
        }


def _told(answer: Answered) -> str:
    if answer.status == 202:
        return "202"
    return f"{answer.status} {json.loads(answer.body)['code'] if answer.body else 'nothing'}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--limit", type=int, default=50, help="QUEUE_LIMIT")
    parser.add_argument("--size", type=int, default=5_000_000)
    parser.add_argument("--chunked", action="store_true", help="do not declare how long the bodies are")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = measure(options.count, options.limit, options.size, chunked=options.chunked)
    refused, memory, sent = found["refused_bodies"], found["resident"], found["sent_by_refused"]
    print(
        f"{options.count} uploads of {options.size / 1e6:g} MB at once, QUEUE_LIMIT={options.limit}, paused"
    )
    for told, number in sorted(found["answers"].items()):
        print(f"  {told:34}{number:6}")
    print(f"  Retry-After, s                    {found['retry_after'][0]:6} to {found['retry_after'][-1]}")
    print(f"  read of a refused body, KiB       {refused['largest'] / 1024:6.0f} at most,", end=" ")
    print(f"{refused['bytes'] / 1024 / max(1, refused['count']):.0f} on average of {refused['count']}")
    print(f"  sent by a refused client, KiB     {sent[-1] / 1024:6.0f} at most (kernels' buffers included)")
    print("  API memory, MB: " + ", ".join(f"{rss / 1e6:.0f} {when}" for when, rss in memory.items()))
    print(f"  files in staging, in images       {found['left']['staging']:6}{found['left']['images']:6}")
    print(f"  finished after the queue resumed  {found['finished']:6}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
