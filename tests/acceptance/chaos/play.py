"""One run: clients and disorder at the same time, then peace, then the reckoning."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.acceptance.chaos import audit, disk, disorder, remains
from tests.acceptance.chaos.batches import Filler
from tests.acceptance.chaos.client import Client
from tests.acceptance.chaos.house import House
from tests.acceptance.chaos.judge import Judge
from tests.acceptance.chaos.ledger import Asked, Ledger, Verdict
from tests.acceptance.chaos.report import Report
from tests.acceptance.chaos.session import Session
from tests.acceptance.chaos.visitor import Visitor
from tests.acceptance.chaos.wishes import References

#: Short, so that a run meets all of it.
_SETTINGS = {
    "IMGSVC_WORKERS": "2",
    "IMGSVC_TEST_OPERATIONS": "1",
    "IMGSVC_JOB_TIMEOUT": "20",
    "IMGSVC_SHUTDOWN_GRACE": "2",
    "IMGSVC_WORKER_MEMORY": "768MiB",
    "IMGSVC_SWEEP_INTERVAL": "2",
    "IMGSVC_LANE_TASKS": "100",
    # Less than all renders take, so that some have to go.
    "IMGSVC_CACHE_BYTES": "256KiB",
}


#: Of so many clients one fills batches.
_FILLS = 5


@dataclass(frozen=True)
class Options:
    """How long, how hard, and with which luck."""

    seconds: float
    kills: int
    seed: int
    clients: int


def play(options: Options, folder: Path) -> Report:
    """Do all of it in a folder of its own."""
    began, shared = time.monotonic(), remains.shared()
    with disk.small_disk(folder / "disk") as small:
        settings = _SETTINGS | {"IMGSVC_DISK_RESERVE": str(small.reserve)}
        house = House(small.data, folder / "server.log", settings)
        agent = disorder.Disorder(
            house, small, disorder.plan(Random(options.seed), options.seconds, options.kills)
        )
        ledger = Ledger()
        judge = Judge(house, agent.damage, References())
        sessions = [
            Session(f"c{number}", Random(f"{options.seed}-{number}"), house, ledger, judge)
            for number in range(options.clients)
        ]
        stop = threading.Event()
        visitor = Visitor(Session("v", Random(f"{options.seed}-v"), house, ledger, judge), stop)
        clients = [(Client if n % _FILLS else Filler)(session, stop) for n, session in enumerate(sessions)]
        try:
            house.start(first=True)
            _disturb(options, agent, stop, [visitor, *clients])
            auditor = Session("the auditor", Random(options.seed), house, ledger, judge)
            _reckon(house, ledger, auditor, visitor, shared)
        finally:
            house.kill()
        for fault in agent.faults:
            ledger.complain(Verdict.WRONG, f"the agent itself fails: {fault}")
    return _report(options, time.monotonic() - began, str(small), house, agent, ledger)


def _disturb(
    options: Options,
    agent: disorder.Disorder,
    stop: threading.Event,
    clients: Sequence[Client | Filler | Visitor],
) -> None:
    threads = [threading.Thread(target=client.run) for client in clients]
    for thread in threads:
        thread.start()
    try:
        agent.start()
        stop.wait(options.seconds)
        agent.join()
    finally:
        # Also when somebody loses patience: nothing may be started behind our back.
        agent.stop()
        agent.join()
        stop.set()
        for thread in threads:
            thread.join()


def _reckon(house: House, ledger: Ledger, auditor: Session, visitor: Visitor, shared: frozenset[str]) -> None:
    audit.settle(auditor)
    audit.lost_deletions(auditor)
    audit.expire(auditor)
    visitor.audit()
    audit.audit(auditor)
    remains.while_it_runs(house, ledger)
    house.stop()
    for status in house.unclean:
        ledger.complain(Verdict.WRONG, f"a clean stop ended with status {status}")
    remains.when_it_has_stopped(house, ledger, shared)
    remains.log(house, ledger)


def _report(
    options: Options, seconds: float, small: str, house: House, agent: disorder.Disorder, ledger: Ledger
) -> Report:
    tickets = list(ledger.promised())
    states = Counter(ticket.ended["status"] for ticket in tickets if ticket.ended is not None)
    damage = agent.damage
    return Report(
        seed=options.seed,
        seconds=round(seconds, 1),
        clients=options.clients,
        disk=small,
        acknowledged=len(tickets),
        succeeded=states["succeeded"],
        failed=states["failed"],
        canceled=states["canceled"],
        deleted=sum(ticket.ended is None and ticket.deleted is not Asked.NO for ticket in tickets),
        lost=ledger.of(Verdict.LOST),
        wrong=ledger.of(Verdict.WRONG),
        left_over=ledger.of(Verdict.LEFT_OVER),
        server_kills=len(house.kills),
        server_stops=len(house.stops),
        starts_refused=len(house.starts.refused),
        worker_kills=len(damage.worker_kills),
        worker_stops=len(damage.worker_stops),
        desk_kills=damage.desk_kills,
        disk_full=len(damage.fills),
        locks=len(damage.locks),
        ready_s=[round(each, 3) for each in house.starts.ready_s],
        counts=dict(ledger.counts),
    )
