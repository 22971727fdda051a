"""The cap on the cache's bytes under ten thousand distinct renders: the most that was seen on the disk.

Eight clients ask a real server for pictures that nobody has asked for before, while the folder is measured
again and again, as `du` does. At the end what is left is held against the index and the files' own names.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import itertools
import json
import os
import re
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import photos
from benchmarks.running import Running, server

_CLIENTS = 8
#: Seconds between two looks at the folder.
_EVERY_S = 0.02


@dataclass
class Watch:
    """What was seen of a folder: bytes as `du` counts them,"""

    folder: Path
    looks: int = 0
    most_bytes: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Look until it is over."""
        while not self.over.wait(_EVERY_S):
            self.looks += 1
            self.most_bytes = max(self.most_bytes, measured(self.folder)[0])


def measured(folder: Path) -> tuple[int, int]:
    """Bytes of the files in a folder, as the disk counts them, and how many there are."""
    taken = files = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                taken += Path(place, name).stat().st_blocks * 512
            except FileNotFoundError:  # just removed
                continue
            files += 1
    return taken, files


def pipelines(count: int) -> list[str]:
    """So many different pictures of some kilobytes each."""
    every = itertools.product(range(40, 101), range(40, 101), (60, 75, 90))
    return [
        f"resize:{width}x{height},fit=fill/jpeg:{quality}"
        for width, height, quality in itertools.islice(every, count)
    ]


def ask_all(port: int, paths: list[str]) -> None:
    """One client; raises RuntimeError for anything but 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for path in paths:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
    connection.close()


def document(port: int, method: str, path: str, body: bytes | None = None) -> dict[str, object]:
    """The JSON object of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body)
    found: dict[str, object] = json.loads(connection.getresponse().read())
    connection.close()
    return found


def bad_files(folder: Path) -> int:
    """Files whose bytes are not those that their names tell."""
    found = 0
    for path in folder.rglob("*"):
        if path.is_file():
            stamp = re.search(r"-([0-9a-f]{64})-[a-z]+-[0-9x]+$", path.name)
            found += stamp is None or hashlib.sha256(path.read_bytes()).hexdigest() != stamp[1]
    return found


def main() -> int:
    """Run it, print what was seen; 1 when the cap did not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--renders", type=int, default=10_000)
    parser.add_argument("--cap", type=int, default=8_000_000, help="IMGSVC_CACHE_BYTES")
    options = parser.parse_args()
    with server({"IMGSVC_CACHE_BYTES": str(options.cap), "IMGSVC_WORKERS": "2"}) as running:
        return _run(running, options.renders, options.cap)


def _run(running: Running, renders: int, cap: int) -> int:
    folder = running.log.parent / "data" / "cache"
    image = document(running.port, "POST", "/v1/images", photos.jpeg((160, 120)))["id"]
    paths = [f"/r/{image}/{ops}" for ops in pipelines(renders)]
    watch = Watch(folder)
    watcher = threading.Thread(target=watch.run)
    watcher.start()
    began = time.perf_counter()
    try:
        with ThreadPoolExecutor(_CLIENTS) as pool:
            list(
                pool.map(
                    lambda own: ask_all(running.port, own), [paths[n::_CLIENTS] for n in range(_CLIENTS)]
                )
            )
    finally:
        watch.over.set()
        watcher.join()
    took = time.perf_counter() - began
    told = document(running.port, "GET", "/v1/stats")["cache"]
    assert isinstance(told, dict)
    deadline = time.monotonic() + 10
    while measured(folder)[1] != told["entries"] and time.monotonic() < deadline:
        time.sleep(_EVERY_S)
    taken, files = measured(folder)
    bad = bad_files(folder)
    print(f"{renders} distinct renders in {took:.0f} s, {watch.looks} looks at the folder")
    print(f"cap {cap} bytes; most seen {watch.most_bytes} ({watch.most_bytes / cap:.4f})")
    print(f"at the end {taken} bytes in {files} files, {bad} of them not sound; the service says {told}")
    held = max(watch.most_bytes, taken) <= cap and files == told["entries"] and not bad
    print("the cap held" if held else "THE CAP DID NOT HOLD")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
