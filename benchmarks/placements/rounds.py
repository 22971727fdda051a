"""Visits every placement in turn, round after round, and keeps what was found there."""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from PIL import Image

from benchmarks.bare import BareLoop
from benchmarks.pinger import Pinger
from benchmarks.placements.crash import crash
from benchmarks.placements.load import Demand, load
from benchmarks.placements.places import Placement
from benchmarks.placements.servers import serving, slow_server
from benchmarks.placements.work import Work

#: By placement, by measurement, the values of each round.
Values = dict[str, float | int | None]
Raw = dict[str, dict[str, list[Values]]]


@dataclass(frozen=True)
class Plan:
    """What is done on a visit."""

    source: bytes
    ops: str = "thumbnail:256x256"
    #: Of each load.
    seconds: float = 2.0
    clients: int = 8
    #: Images that the bare loop renders before the thumbnails, and again after them.
    bare: int = 20
    #: In a crowd; no more than can be waited for.
    crowd: int = 64
    #: Seconds that all rounds together may take.
    budget: float = 540.0
    #: Clients with a job in flight while another one's crashes; 0: nothing is crashed.
    innocents: int = 19
    #: Seconds after which a server that lives and fails every job is given up.
    patience: float = 6.0


@dataclass(frozen=True)
class Instruments:
    """What is there before anything is measured, and stays for all rounds."""

    pinger: Pinger
    bare: BareLoop
    #: The port of the slow server that jobs wait for.
    slow: int


@contextmanager
def instruments(plan: Plan) -> Iterator[Instruments]:
    """All of them, started; ended with the context."""
    with slow_server() as slow:
        pinger, bare = Pinger(), BareLoop(plan.source, plan.ops)
        try:
            yield Instruments(pinger, bare, slow)
        finally:
            pinger.close()
            bare.close()


def measure(
    placements: Sequence[Placement],
    plan: Plan,
    rounds: int,
    tell: Callable[[str], None] = lambda _: None,
) -> Raw:
    """Every placement in every round, each time in a server of its own.

    A round that would not be over before `plan.budget` is not begun; the first one always is.
    """
    raw: Raw = {placement.name: {} for placement in placements}
    began = time.monotonic()
    with instruments(plan) as tools:
        for number in range(1, rounds + 1):
            for placement in placements:
                tell(f"round {number} of {rounds}: {placement.title}")
                for name, values in visit(placement, plan, tools).items():
                    raw[placement.name].setdefault(name, []).append(values)
            if (time.monotonic() - began) / number * (number + 1) > plan.budget:
                tell(f"no time for more than {number} rounds")
                break
    return raw


def visit(placement: Placement, plan: Plan, tools: Instruments) -> dict[str, Values]:
    """All measurements of one placement, in a server that nobody has used before."""
    found: dict[str, Values] = {}
    with (
        tempfile.TemporaryDirectory(prefix="placement-") as folder,
        serving(placement, Path(folder), tools.slow) as server,
    ):
        waits, thumbnails = _demands(placement, plan)
        for name, demand in waits.items():  # first: what they need is told before pictures have been there
            found[name] = asdict(load(placement, server, demand, tools.pinger))
        load(placement, server, replace(thumbnails, clients=2, seconds=0), tools.pinger)  # to warm up
        before = tools.bare.run(plan.bare)
        found["thumbnail"] = asdict(load(placement, server, thumbnails, tools.pinger))
        found["bare"] = {"per_second": (before + tools.bare.run(plan.bare)) / 2}
        if plan.innocents:
            cost = crash(
                placement,
                server,
                plan.source,
                plan.ops,
                innocents=plan.innocents,
                patience=plan.patience,
            )
            found["crash"] = asdict(cost)
    return found


def _demands(placement: Placement, plan: Plan) -> tuple[dict[str, Demand], Demand]:
    """The waits by name, and the thumbnails."""
    body = _small() if placement.ours else b""
    waits = {}
    for work in placement.works:
        if work is not Work.THUMBNAIL:
            waits[str(work)] = Demand(work, body, plan.ops, plan.clients, plan.seconds)
        if work in placement.crowds:
            waits[f"{work}-crowd"] = Demand(work, body, plan.ops, plan.crowd, plan.seconds)
    return waits, Demand(Work.THUMBNAIL, plan.source, plan.ops, plan.clients, plan.seconds)


def _small() -> bytes:
    """A picture that costs nothing: our lanes take nothing but pictures."""
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "PNG")
    return file.getvalue()
