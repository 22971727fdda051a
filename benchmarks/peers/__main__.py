"""We and other image servers: the same files, the same outputs, at equal quality, in turns.

Installs thumbor and ipx into a folder of their own outside of the project, starts them and us on loopback,
and asks everybody for the same. See docs/peers.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import pages
from benchmarks.peers import chart, installs, report, services
from benchmarks.peers.kernel import Kernel
from benchmarks.peers.lines import Line, summarize
from benchmarks.peers.orders import Mode, rows
from benchmarks.peers.rounds import WARM, Found, Plan, Rounds
from benchmarks.peers.services import CPUS, Service
from benchmarks.peers.sources import Kind, Source, photographs, synthesised
from benchmarks.peers.template import Address, TemplateError

PLAN = Plan(seconds={1: 1.0, 8: 2.0}, rounds=5, budget=1320)
QUICK = Plan(seconds={1: 0.4, 8: 0.8}, rounds=2, budget=270, kernel=0.5)


@dataclass(frozen=True)
class Measured:
    """Raw numbers, and what they were taken on."""

    cpus: int
    machine: str
    made_of: dict[str, str]
    sources: dict[str, int]
    took_s: int
    rows: list[dict[str, Any]]

    @property
    def lines(self) -> list[Line]:
        """Medians."""
        return summarize([Found(**row) for row in self.rows])


def main() -> None:
    """Measure, or read what was measured; print the tables, and write JSON, chart and page where asked to."""
    options = _options()
    measured = Measured(**json.loads(options.again.read_text())) if options.again else _measure(options)
    parts = report.parts(measured.lines, measured.made_of, measured.cpus)
    print("\n\n".join(parts.values()))
    if options.json:
        options.json.write_text(json.dumps(asdict(measured)) + "\n")
    if options.page:
        options.page.write_text(pages.written_into(options.page.read_text(), parts))
    if options.chart:
        options.chart.write_text(chart.svg(measured.lines))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--photos", type=Path, metavar="DIR", help="photographs; without, synthesised ones")
    parser.add_argument("--quick", action="store_true", help="fewer rows and shorter loads: under 5 minutes")
    parser.add_argument("--only", metavar="TEXT", help="only rows whose title has this in it")
    parser.add_argument("--rounds", type=int, metavar="N", help="at most so many")
    parser.add_argument("--copies", type=int, metavar="N", help="of each file: what a load has at most")
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", default=installs.cache(), help="where the peers are"
    )
    parser.add_argument(
        "--peer",
        type=_address,
        action="append",
        default=[],
        metavar="NAME=URL",
        help="one more server, which runs already: http://127.0.0.1:PORT/PATH with {file}, {width}, {format} "
        "and, where it has them, {quality}, {blur}, {radius}, {sharpen}; parts in [] are left out where they "
        "have no value",
    )
    parser.add_argument(
        "--stored",
        action="store_true",
        help="upload the files to us beforehand, instead of the common folder",
    )
    parser.add_argument(
        "--images", type=Path, metavar="DIR", help="where to put the files, for such a server"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the raw numbers")
    parser.add_argument("--chart", type=Path, metavar="FILE.svg")
    parser.add_argument("--page", type=Path, metavar="FILE.md", help="a page to write the tables into")
    parser.add_argument("--again", type=Path, metavar="FILE", help="tables and chart of kept numbers")
    return parser.parse_args()


def _address(text: str) -> Address:
    try:
        return Address.parse(text)
    except TemplateError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _measure(options: argparse.Namespace) -> Measured:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # or the servers would be left running
    began = time.monotonic()
    plan = QUICK if options.quick else PLAN
    sources = (
        photographs(options.photos, quick=options.quick)
        if options.photos
        else [synthesised(kind) for kind in Kind]
    )
    wanted = [row for row in rows(sources, quick=options.quick) if (options.only or "") in row.title]
    sources = [source for source in sources if any(row.source is source for row in wanted)]
    copies = options.copies or (24 if options.quick else 48)
    plan = Plan(plan.seconds, options.rounds or plan.rounds, plan.budget, plan.kernel)
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="peers-")))
        images = options.images or scratch / "images"
        images.mkdir(exist_ok=True)
        files = stack.enter_context(_files(sources, images, copies))
        kernel = stack.enter_context(Kernel())
        taking_part = _servers(stack, files, scratch, images, options)
        found = Rounds(taking_part, files, kernel, _tell).run(wanted, plan)
        made_of = {each.name: each.made_of for each in taking_part[Mode.FIRST]}
    return Measured(
        cpus=CPUS,
        machine=platform.machine(),
        made_of=made_of,
        sources={source.name: len(source.data) for source in sources},
        took_s=round(time.monotonic() - began),
        rows=[asdict(each) for each in found],
    )


@contextlib.contextmanager
def _files(sources: Sequence[Source], images: Path, copies: int) -> Iterator[dict[str, list[Path]]]:
    """The files of each source; removed at the end, wherever they are."""
    files = {source.name: source.copies(images, copies + WARM) for source in sources}
    try:
        yield files
    finally:
        for file in (file for each in files.values() for file in each):
            file.unlink(missing_ok=True)


def _servers(
    stack: contextlib.ExitStack,
    files: Mapping[str, Sequence[Path]],
    scratch: Path,
    images: Path,
    options: argparse.Namespace,
) -> dict[Mode, list[Service]]:
    """Those that take part in the rows of each mode, ours first."""
    _tell("starting the servers")
    every = [file for each in files.values() for file in each]
    us = stack.enter_context(services.ours(every, images, stored=options.stored))
    there, keeping = [us], [us]
    try:
        there.append(stack.enter_context(services.ipx(options.cache, images, scratch)))
    except installs.CannotInstall as error:
        _tell(f"without ipx: {error}")
    try:
        there.append(stack.enter_context(services.thumbor(options.cache, images, scratch)))
        keeping.append(stack.enter_context(services.thumbor(options.cache, images, scratch, stored=True)))
    except installs.CannotInstall as error:
        _tell(f"without thumbor: {error}")
    others = [services.other(address) for address in options.peer]
    return {Mode.FIRST: there + others, Mode.SEEN: there + others, Mode.HIT: keeping + others}


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
