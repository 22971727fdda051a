"""What a reduced JPEG decode saves and costs, by the gap that it must leave.

    python -m benchmarks.kernel.reduced_decode [--photos DIR]

See benchmarks/kernel/README.md.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

from benchmarks import photos
from benchmarks.kernel.quality import decibels
from imgsvc.imaging import Limits, render
from imgsvc.pipeline import Grammar

GAPS = {"1": 1.0, "1.25": 1.25, "1.5": 1.5, "2": 2.0, "whole": 1e9}


def measure(data: bytes, width: int, gap: float, rounds: int) -> tuple[float, float]:
    """CPU milliseconds of a render to JPEG, and decibels of the same pixels kept without loss."""
    limits = Limits(reduce_gap=gap)
    targets = [("it", Grammar().parse(f"resize:{width}x/jpeg"))]
    spent = []
    for _ in range(rounds + 1):
        started = time.process_time()
        render(data, targets, limits)
        spent.append((time.process_time() - started) * 1000)
    (result,) = render(data, [("it", Grammar().parse(f"resize:{width}x/png:0"))], limits)
    return statistics.median(spent[1:]), decibels(data, result.data)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, help="a folder of photographs; without it one is synthesised")
    parser.add_argument("--widths", type=int, nargs="+", default=[256, 800, 1600])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    sources = (
        {file.name: file.read_bytes() for file in sorted(options.photos.glob("*.jpg"))}
        if options.photos
        else {"synthetic": photos.jpeg()}
    )
    print("| source | width | " + " | ".join(f"gap {gap}: ms, dB" for gap in GAPS) + " |")
    print("| --- | ---: |" + " ---: |" * len(GAPS))
    for name, data in sources.items():
        for width in options.widths:
            cells = [measure(data, width, gap, options.rounds) for gap in GAPS.values()]
            print(f"| {name} | {width} | " + " | ".join(f"{ms:.0f}, {db:.1f}" for ms, db in cells) + " |")


if __name__ == "__main__":
    main()
