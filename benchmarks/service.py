"""The whole service against a bare loop: what durability, HTTP and one process more cost.

Starts the real server, drives it over loopback and compares it, in alternating rounds of one run, with two
processes that do nothing but call the same `render` on the same bytes. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import quote

from benchmarks import photos
from benchmarks.bare import CPUS, BareLoop
from benchmarks.percentiles import percentile
from benchmarks.pinger import Pinger
from benchmarks.running import Running, server

# -- the clients --------------------------------------------------------------------------------------


class Client:
    """One keep-alive connection; a body goes out in one piece."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def call(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """The answer's body; raises RuntimeError for anything but success."""
        self._connection.request(method, path, body=body)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:300]!r}")
        return content


def _process(client: Client, source: bytes, ops: str) -> None:
    client.call("POST", f"/v1/process?ops={quote(ops)}", source)


def _durable(client: Client, source: bytes, ops: str) -> None:
    job = json.loads(client.call("POST", f"/v1/jobs?ops={quote(ops)}", source))
    client.call("GET", f"/v1/jobs/{job['id']}/result?wait=30")


def _distinct(client: Client, source: bytes, ops: str) -> None:
    """As `_durable`, with bytes that the service has not seen: each upload is stored and synced."""
    _durable(client, source + os.urandom(16), ops)


Work = Callable[[Client, bytes, str], None]


def _drive(port: int, work: Work, source: bytes, ops: str, count: int, concurrency: int) -> float:
    """`count` calls over `concurrency` connections; calls per second."""

    def share(times: int) -> None:
        client = Client(port)
        for _ in range(times):
            work(client, source, ops)

    shares = [count // concurrency + (i < count % concurrency) for i in range(concurrency)]
    began = time.perf_counter()
    with ThreadPoolExecutor(concurrency) as pool:
        for done in [pool.submit(share, times) for times in shares]:
            done.result()
    return count / (time.perf_counter() - began)


# -- the measurement ----------------------------------------------------------------------------------


@dataclass
class Rounds:
    """The raw numbers of one way of working, one entry a round."""

    per_second: list[float] = field(default_factory=list)
    api_cpu_ms: list[float] = field(default_factory=list)
    livez_p99_ms: list[float] = field(default_factory=list)


def compare(
    running: Running, source: bytes, ops: str, *, rounds: int, count: int, concurrency: int
) -> dict[str, Rounds]:
    """Alternating rounds of the bare loop, synchronous calls, and durable jobs on known and on new bytes."""
    ways: dict[str, Work] = {"process": _process, "durable": _durable, "distinct": _distinct}
    found = {"bare": Rounds()} | {name: Rounds() for name in ways}
    bare, pinger = BareLoop(source, ops), Pinger()
    for work in ways.values():  # one turn to warm up
        _drive(running.port, work, source, ops, concurrency, concurrency)
    for _ in range(rounds):
        found["bare"].per_second.append(bare.run(count))
        for name, work in ways.items():
            before = running.cpu_seconds()
            with pinger.on(running.port) as latencies:
                rate = _drive(running.port, work, source, ops, count, concurrency)
            found[name].per_second.append(rate)
            found[name].api_cpu_ms.append((running.cpu_seconds() - before) * 1000 / count)
            found[name].livez_p99_ms.append(percentile(latencies, 99))
    bare.close()
    pinger.close()
    return found


def growth(running: Running, source: bytes, ops: str, *, concurrency: int) -> dict[str, dict[int, int]]:
    """Resident bytes of every process after 100 and after 1,000 jobs."""
    _drive(running.port, _durable, source, ops, 100, concurrency)
    after_100 = running.resident()
    _drive(running.port, _durable, source, ops, 900, concurrency)
    return {"after_100": after_100, "after_1000": running.resident()}


# -- the report ---------------------------------------------------------------------------------------


def _sources(folder: Path | None) -> dict[str, bytes]:
    if folder is None:
        return {"synthetic-3.3MB": photos.jpeg(), "synthetic-1.1MB": photos.jpeg(quality=40, noise=2)}
    names = sorted(p for p in folder.iterdir() if p.suffix == ".jpg")
    return {path.name: path.read_bytes() for path in names}


def _print_table(name: str, size: int, found: dict[str, Rounds]) -> None:
    bare = statistics.median(found["bare"].per_second)
    print(f"\n{name} ({size / 1e6:.1f} MB)")
    print(f"  {'':10}{'images/s':>10}{'x bare':>9}{'API ms/call':>13}{'livez p99 ms':>14}")
    for way, rounds in found.items():
        ratio = statistics.median(
            a / b for a, b in zip(rounds.per_second, found["bare"].per_second, strict=True)
        )
        line = f"  {way:10}{statistics.median(rounds.per_second):10.1f}{ratio:9.2f}"
        if rounds.api_cpu_ms:
            line += (
                f"{statistics.median(rounds.api_cpu_ms):13.1f}{statistics.median(rounds.livez_p99_ms):14.1f}"
            )
        print(line)
    print(f"  (bare: {bare:.1f} images/s in {CPUS} processes)", flush=True)


def _print_growth(found: dict[str, dict[int, int]]) -> None:
    print("\nresident MB of each process after 100 and after 1,000 jobs")
    for pid, before in found["after_100"].items():
        after = found["after_1000"].get(pid)
        print(
            f"  pid {pid:8}{before / 1e6:9.1f}"
            + (f"{after / 1e6:9.1f}{after / before - 1:+9.1%}" if after else "   replaced")
        )


def main() -> None:
    """Measure, print tables, and write JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, help="a folder with JPEG files (default: synthesised ones)")
    parser.add_argument("--only", action="append", help="names of photos to take")
    parser.add_argument("--ops", default="thumbnail:256x256")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--count", type=int, default=80, help="images a round")
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--no-growth", action="store_true", help="leave out the 1,000 jobs for memory growth")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    sources = {n: s for n, s in _sources(options.photos).items() if not options.only or n in options.only}
    raw: dict[str, object] = {"cpus": os.cpu_count(), "ops": options.ops, "concurrency": options.concurrency}
    with server({"IMGSVC_WORKERS": str(CPUS)}) as running:
        for name, source in sources.items():
            found = compare(
                running,
                source,
                options.ops,
                rounds=options.rounds,
                count=options.count,
                concurrency=options.concurrency,
            )
            _print_table(name, len(source), found)
            raw[name] = {"bytes": len(source)} | {way: asdict(rounds) for way, rounds in found.items()}
    if not options.no_growth:
        with server({"IMGSVC_WORKERS": str(CPUS)}) as running:
            resident = growth(
                running, min(sources.values(), key=len), options.ops, concurrency=options.concurrency
            )
            _print_growth(resident)
            raw["resident"] = resident
    if options.json:
        options.json.write_text(json.dumps(raw, indent=1))


if __name__ == "__main__":
    main()
