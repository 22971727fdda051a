"""Several widths in one job against one job for each width: CPU of the workers, as the jobs tell it.

See benchmarks/README.md. The server is real, the photographs are made here or given; rounds alternate.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.photos import PHONE, jpeg
from benchmarks.running import server

WIDTHS = (320, 640, 960, 1280, 1600)
FORMATS = ("jpeg", "webp")


@dataclass(frozen=True)
class Row:
    """A source and a format; milliseconds of CPU in the median of all rounds."""

    source: str
    format: str
    #: All widths in one job, and the sum of a job for each.
    together_ms: float
    apart_ms: float

    @property
    def ratio(self) -> float:
        """Below 1 the one job is cheaper."""
        return self.together_ms / self.apart_ms


class Client:
    """Submits jobs on stored images, one at a time, and waits for their ends."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def store(self, data: bytes) -> str:
        """An image's id."""
        return str(self._ask("/v1/images", data, {})["id"])

    def cpu_ms(self, image: str, outputs: Mapping[str, object]) -> float:
        """What a job took of its worker's CPU."""
        body = json.dumps({"source": {"image": image}, "outputs": outputs}).encode()
        headers = {"Content-Type": "application/json", "Prefer": "wait=30"}
        job = self._ask("/v1/jobs", body, headers)
        if job["status"] != "succeeded":
            raise RuntimeError(f"the job is {job['status']}: {job['error']}")
        return float(job["timings"]["cpu_ms"])

    def _ask(self, path: str, body: bytes, headers: Mapping[str, str]) -> Any:  # noqa: ANN401  # JSON
        self._connection.request("POST", path, body, dict(headers))
        answer = self._connection.getresponse()
        data = answer.read()
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            raise RuntimeError(f"{answer.status}: {data.decode()}")
        return json.loads(data)


def together(client: Client, image: str, format: str, widths: tuple[int, ...]) -> float:
    """All widths in one job."""
    return client.cpu_ms(image, {"hero": {"ops": f"resize:{widths[-1]}x/{format}", "widths": list(widths)}})


def apart(client: Client, image: str, format: str, widths: tuple[int, ...]) -> float:
    """A job for each."""
    return sum(client.cpu_ms(image, {"only": f"resize:{width}x/{format}"}) for width in widths)


def measure(
    client: Client, sources: Mapping[str, str], formats: tuple[str, ...], widths: tuple[int, ...], rounds: int
) -> list[Row]:
    """Every source in every format; the first round only warms."""
    ways: tuple[Callable[[Client, str, str, tuple[int, ...]], float], ...] = (together, apart)
    found: dict[tuple[str, str], list[list[float]]] = {}
    for number in range(rounds + 1):
        for name, image in sources.items():
            for kind in formats:
                taken = {way: way(client, image, kind, widths) for way in ways[:: 1 if number % 2 else -1]}
                if number:
                    found.setdefault((name, kind), []).append([taken[way] for way in ways])
    medians = {
        key: [statistics.median(way) for way in zip(*runs, strict=True)] for key, runs in found.items()
    }
    return [Row(name, kind, *both) for (name, kind), both in medians.items()]


def synthesised() -> dict[str, bytes]:
    """Photo-like sources."""
    return {
        "made 12 MP, 80": jpeg(PHONE),
        "made 12 MP, 92": jpeg(PHONE, quality=92),
        "made 24 MP, 85": jpeg((6000, 4000), quality=85),
        "made 12 MP, progressive": jpeg(PHONE, progressive=True),
    }


def table(rows: list[Row]) -> str:
    """For people and for docs/srcset.md."""
    lines = [
        "| source | format | one job, ms | five jobs, ms | ratio |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {row.source} | {row.format} | {row.together_ms:.0f} | {row.apart_ms:.0f} | {row.ratio:.2f} |"
        for row in rows
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="*", type=Path, help="photographs of yours, beside those made here")
    parser.add_argument("--only-these", action="store_true", help="none made here")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--widths", default=",".join(map(str, WIDTHS)), help="rising, separated by commas")
    parser.add_argument("--formats", default=",".join(FORMATS))
    parser.add_argument("--json", type=Path, help="keep the numbers")
    options = parser.parse_args()
    given = {path.name: path.read_bytes() for path in options.photos}
    pictures = given if options.only_these else synthesised() | given
    widths = tuple(int(width) for width in options.widths.split(","))
    with server({"IMGSVC_WORKERS": "1"}) as running:
        client = Client(running.port)
        sources = {name: client.store(data) for name, data in pictures.items()}
        rows = measure(client, sources, tuple(options.formats.split(",")), widths, options.rounds)
    print(table(rows))
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    main()
