"""Ten thousand files into one batch, through eight loops that are killed and run again: all of it once.

The loops are those of docs/batches.md, word for word: xargs and curl. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import re
import signal
import subprocess
import tempfile
import time
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.running import Running, server

PAGE = Path(__file__).resolve().parents[1] / "docs" / "batches.md"
OPEN, LOOPS, FETCH, _ = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
#: What the loops ask for, smaller: the files are.
OPS = ("thumbnail:256x256/webp", "thumbnail:32x32/webp")


@dataclass
class Found:
    """What came of it."""

    files: int = 0
    kills: int = 0
    jobs: int = 0
    succeeded: int = 0
    references: int = 0
    image_blobs: int = 0
    result_blobs: int = 0
    entries: int = 0
    names: int = 0
    broken: int = 0
    zip_bytes: int = 0
    filling_s: float = 0
    again_s: float = 0
    zip_s: float = 0
    resident_before: int = 0
    resident_growth: int = 0


def make_files(folder: Path, count: int) -> None:
    """Small pictures, each of its own."""
    chance = np.random.default_rng(1)
    folder.mkdir()
    for number in range(count):
        pixels = chance.integers(0, 256, (12, 16, 3), np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).resize((64, 48)).save(file, "JPEG", quality=80)
        (folder / f"{number:05}.jpg").write_bytes(file.getvalue())


class Client:
    """Runs the blocks of the page, and asks the server how far they are."""

    def __init__(self, running: Running, folder: Path) -> None:
        self._running = running
        self._folder = folder

    def start(self, block: str) -> subprocess.Popen[bytes]:
        """A block in a session of its own, so that all of it can be killed at once."""
        text = block.replace("localhost:8000", f"127.0.0.1:{self._running.port}").replace(*OPS)
        return subprocess.Popen(["/bin/sh", "-euc", text], cwd=self._folder, start_new_session=True)

    def run(self, block: str) -> float:
        """A block to its end; seconds."""
        began = time.perf_counter()
        if self.start(block).wait() != 0:
            raise RuntimeError("a loop has failed")
        return time.perf_counter() - began

    def killed_at(self, joined: int) -> float:
        """The loops until so many jobs have joined, then SIGKILL for the client; seconds."""
        began = time.perf_counter()
        loops = self.start(LOOPS)
        try:
            while self.batch()["counts"]["total"] < joined:
                if loops.poll() is not None:
                    raise RuntimeError("the loops ended before they could be killed")
                time.sleep(0.05)
        finally:
            os.killpg(loops.pid, signal.SIGKILL)
            loops.wait()
        print(f"  killed at {self.batch()['counts']['total']:,} jobs")
        return time.perf_counter() - began

    def batch(self) -> Any:  # noqa: ANN401  # JSON
        """The batch's document."""
        return self.json(f"/v1/batches/{self._folder.joinpath('batch.id').read_text().strip()}")

    def references(self) -> list[str]:
        """The reference of every job of the batch, page by page."""
        found: list[str] = []
        cursor = ""
        while True:
            page = self.json(f"/v1/jobs?batch={self.batch()['id']}&limit=200{cursor}")
            found += [job["reference"] for job in page["items"]]
            if page["next_cursor"] is None:
                return found
            cursor = f"&cursor={page['next_cursor']}"

    def json(self, path: str) -> Any:  # noqa: ANN401  # JSON
        """A document."""
        connection = http.client.HTTPConnection("127.0.0.1", self._running.port, timeout=60)
        try:
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


def drive(running: Running, folder: Path, files: int, kills: int) -> Found:
    """All of it; the server runs."""
    found, client = Found(files=files, kills=kills), Client(running, folder)
    client.run(OPEN)
    for number in range(1, kills + 1):
        found.filling_s += client.killed_at(files * number // (kills + 1))
    found.filling_s += client.run(OPEN + LOOPS)
    print("  all have joined; once more, for nothing")
    found.again_s = client.run(LOOPS)
    *until_the_end, _ = FETCH.splitlines()
    client.run("\n".join(until_the_end))
    counts = client.batch()["counts"]
    found.jobs, found.succeeded = counts["total"], counts["succeeded"]
    found.references = len(set(client.references()))
    data = running.log.parent / "data"
    found.image_blobs, found.result_blobs = (
        sum(path.is_file() for path in (data / room).rglob("*")) for room in ("images", "results")
    )
    found.resident_before = running.resident()[running.pid]
    Path(f"/proc/{running.pid}/clear_refs").write_text("5")  # its peak from now on
    found.zip_s = client.run(FETCH)
    found.resident_growth = _peak(running.pid) - found.resident_before
    look_into(folder / "results.zip", found)
    return found


def look_into(archive: Path, found: Found) -> None:
    """What the archive holds; every entry is read and decoded."""
    found.zip_bytes = archive.stat().st_size
    with zipfile.ZipFile(archive) as opened:
        names = opened.namelist()
        found.entries, found.names = len(names), len(set(names))
        for name in names:
            with Image.open(io.BytesIO(opened.read(name))) as picture:
                found.broken += picture.size != (32, 24)


def _peak(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("the kernel tells no peak")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=2, help="of the client, in the middle")
    parser.add_argument("--json", type=Path, help="keep the numbers")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="imgsvc-bench-") as name, server() as running:
        folder = Path(name)
        make_files(folder / "photos", options.files)
        found = drive(running, folder, options.files, options.kills)
    rate = found.files / found.filling_s
    print(f"files {found.files:,}, client killed {found.kills} times")
    print(f"jobs {found.jobs:,} ({found.succeeded:,} succeeded), different references {found.references:,}")
    print(f"blobs {found.image_blobs:,} images, {found.result_blobs:,} results")
    print(f"entries {found.entries:,}, different names {found.names:,}, broken {found.broken}")
    print(f"filling {found.filling_s:.1f} s ({rate:.0f} files/s), the same again {found.again_s:.1f} s")
    print(f"archive {found.zip_bytes / 1e6:.1f} MB in {found.zip_s:.2f} s")
    before, growth = found.resident_before / 2**20, found.resident_growth / 2**20
    print(f"API process {before:.1f} MiB before the archive, at most {growth:+.1f} MiB while it is made")
    if options.json:
        options.json.write_text(json.dumps(asdict(found), indent=1))


if __name__ == "__main__":
    main()
