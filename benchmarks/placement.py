"""Where work is placed, and what that costs: the tutorials' ways against our lanes.

The same thumbnail and the same wait of 100 ms in an async handler, in BackgroundTasks, in threads, in process
pools and in lanes: throughput, /livez meanwhile, memory, and what one crash costs. See docs/placement.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import photos
from benchmarks.placements import chart, report
from benchmarks.placements.places import PLACEMENTS
from benchmarks.placements.rounds import Plan, Raw, measure


@dataclass(frozen=True)
class Measured:
    """Raw numbers, and what they were taken on."""

    cpus: int
    python: str
    source_bytes: int
    seconds: float
    took_s: int
    placements: Raw


def main() -> None:
    """Measure, or read what was measured; print the tables, and write JSON, chart and page where asked to."""
    options = _options()
    measured = Measured(**json.loads(options.again.read_text())) if options.again else _measure(options)
    summary = report.summarize(measured.placements)
    print("\n\n".join(report.parts(summary).values()))
    if options.json:
        options.json.write_text(json.dumps(asdict(measured)) + "\n")
    if options.page:
        options.page.write_text(report.written_into(options.page.read_text(), summary))
    if options.chart:
        options.chart.write_text(chart.svg(summary))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--budget", type=float, default=Plan.budget, help="seconds; no round begins beyond it"
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="of each load")
    parser.add_argument("--only", action="append", metavar="NAME", choices=[p.name for p in PLACEMENTS])
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the raw numbers")
    parser.add_argument("--chart", type=Path, metavar="FILE.svg")
    parser.add_argument("--page", type=Path, metavar="FILE.md", help="a page to write the tables into")
    parser.add_argument("--again", type=Path, metavar="FILE", help="table and chart of kept numbers")
    return parser.parse_args()


def _measure(options: argparse.Namespace) -> Measured:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # or the servers would be left running
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a dump would be a part of what a crash costs
    chosen = [place for place in PLACEMENTS if not options.only or place.name in options.only]
    plan = Plan(photos.jpeg(), seconds=options.seconds, budget=options.budget)
    began = time.monotonic()
    return Measured(
        cpus=os.cpu_count() or 1,
        python=platform.python_version(),
        source_bytes=len(plan.source),
        seconds=plan.seconds,
        placements=measure(chosen, plan, options.rounds, tell=_tell),
        took_s=round(time.monotonic() - began),
    )


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
