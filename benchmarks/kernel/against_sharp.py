"""CPU per image of `render` against sharp (libvips), in alternating rounds of one run.

    python -m benchmarks.kernel.against_sharp [--photos DIR] [--json FILE]

Installs sharp with npm into a folder of its own. See benchmarks/kernel/README.md.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import PIL

from benchmarks import photos
from benchmarks.kernel.quality import decibels
from imgsvc.imaging import Limits, render
from imgsvc.pipeline import Grammar
from imgsvc.raster import memory, resample

#: Bounds of the issue that this answers: every row, the geometric mean, and dB below sharp.
ROW, MEAN, LOSS = 1.15, 0.8, 0.5
QUALITY = 80
#: CPU time that one measurement should take at least, so that the clock's grain does not show.
MEASURE_MS = 400.0


@dataclass(frozen=True)
class Row:
    """One source at one width: CPU in milliseconds and PSNR in dB against the reference."""

    source: str
    width: int
    ours_ms: float
    sharp_ms: float
    ours_db: float
    sharp_db: float
    ours_bytes: int
    sharp_bytes: int

    @property
    def ratio(self) -> float:
        """Our CPU time by sharp's."""
        return self.ours_ms / self.sharp_ms

    @property
    def bounded(self) -> bool:
        """Only JPEG sources have a bound."""
        return self.source.endswith((".jpg", ".jpeg"))


class Sharp:
    """A node process that renders with sharp on request."""

    def __init__(self, folder: Path, version: str, *, tuned: bool) -> None:
        install(folder, version)
        script = Path(__file__).with_name("sharp_side.mjs")
        # The same as raster/memory.py asks of glibc, to show what of the difference that makes.
        kept = str(memory.KEPT)
        tune = {
            "MALLOC_MMAP_MAX_": "0",
            "MALLOC_TRIM_THRESHOLD_": kept,
            "MALLOC_TOP_PAD_": str(memory.KEPT // 16),
        }
        self._process = subprocess.Popen(
            ["env", *(f"{name}={value}" for name, value in tune.items() if tuned), "node", script, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def render(self, file: Path, width: int, times: int, out: Path | None = None) -> float:
        """CPU milliseconds per image, of all the process's threads."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {
            "file": str(file),
            "width": width,
            "quality": QUALITY,
            "times": times,
            "out": out and str(out),
        }
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return float(json.loads(self._process.stdout.readline())["cpu_ms"])

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def install(folder: Path, version: str) -> None:
    """Put sharp into `folder` unless it is there already."""
    if (folder / "node_modules" / "sharp").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text('{"private": true}')
    subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", f"sharp@{version}"],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def ours(data: bytes, width: int, times: int) -> tuple[float, bytes]:
    """CPU milliseconds per image of all threads, and the result."""
    targets = [("it", Grammar().parse(f"resize:{width}x/jpeg:{QUALITY}"))]
    limits = Limits()
    before = time.process_time()
    for _ in range(times):
        (result,) = render(data, targets, limits)
    return (time.process_time() - before) * 1000 / times, bytes(result.data)


def measure(
    sharp: Sharp, files: Sequence[Path], widths: Sequence[int], rounds: int, scratch: Path
) -> Iterator[Row]:
    """Every source at every width; ours and sharp's turns alternate within each round."""
    for file in files:
        data = file.read_bytes()
        for width in widths:
            once, result = ours(data, width, 1)
            out = scratch / "sharp.jpg"
            sharp.render(file, width, 1, out)
            times = max(1, math.ceil(MEASURE_MS / max(once, 1.0)))
            turns = [(ours(data, width, times)[0], sharp.render(file, width, times)) for _ in range(rounds)]
            yield Row(
                file.name,
                width,
                ours_ms=statistics.median(mine for mine, _ in turns),
                sharp_ms=statistics.median(theirs for _, theirs in turns),
                ours_db=decibels(data, result),
                sharp_db=decibels(data, out.read_bytes()),
                ours_bytes=len(result),
                sharp_bytes=out.stat().st_size,
            )


def synthesised(folder: Path) -> list[Path]:
    """Photo-like sources where no photographs are given."""
    baseline, progressive = folder / "synthetic.jpg", folder / "synthetic-progressive.jpg"
    baseline.write_bytes(photos.jpeg())
    progressive.write_bytes(photos.jpeg(progressive=True))
    return [baseline, progressive]


def verdict(rows: Sequence[Row]) -> dict[str, Any]:
    """The bounded rows against their bounds."""
    bounded = [row for row in rows if row.bounded]
    mean = math.exp(statistics.fmean(math.log(row.ratio) for row in bounded))
    return {
        "geometric_mean": round(mean, 3),
        "worst_ratio": round(max(row.ratio for row in bounded), 3),
        "worst_db_against_sharp": round(min(row.ours_db - row.sharp_db for row in bounded), 2),
        "held": mean <= MEAN
        and all(row.ratio <= ROW and row.ours_db >= row.sharp_db - LOSS for row in bounded),
    }


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| source | width | imgsvc ms | sharp ms | ratio | imgsvc dB | sharp dB | imgsvc kB | sharp kB |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {row.source} | {row.width} | {row.ours_ms:.1f} | {row.sharp_ms:.1f} | {row.ratio:.2f} "
        f"| {row.ours_db:.1f} | {row.sharp_db:.1f} "
        f"| {row.ours_bytes / 1000:.0f} | {row.sharp_bytes / 1000:.0f} |"
        for row in rows
    ]
    return "\n".join(lines)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--photos", type=Path, help="a folder of photographs; without it they are synthesised"
    )
    parser.add_argument("--widths", type=int, nargs="+", default=[256, 800, 1600])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sharp", default="0.35", help="version for npm")
    parser.add_argument("--sharp-folder", type=Path, default=Path(tempfile.gettempdir()) / "imgsvc-sharp")
    parser.add_argument("--tune-sharp", action="store_true", help="give sharp our malloc settings too")
    parser.add_argument("--pillow", action="store_true", help="resample with Pillow, not with SIMD")
    parser.add_argument("--json", type=Path, help="also write the raw numbers here")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder, resample.leg(simd=not options.pillow):
        scratch = Path(folder)
        files = sorted(options.photos.iterdir()) if options.photos else synthesised(scratch)
        sharp = Sharp(options.sharp_folder, options.sharp, tuned=options.tune_sharp)
        try:
            rows = list(measure(sharp, files, options.widths, options.rounds, scratch))
        finally:
            sharp.close()
    summary = {
        "machine": platform.machine(),
        "python": platform.python_version(),
        "pillow": PIL.__version__,
        "simd": not options.pillow,
        "sharp_malloc": "kept" if options.tune_sharp else "plain",
        **verdict(rows),
    }
    print(table(rows))
    print(json.dumps(summary, indent=1))
    if options.json:
        options.json.write_text(json.dumps({**summary, "rows": [asdict(row) for row in rows]}, indent=1))


if __name__ == "__main__":
    main()
