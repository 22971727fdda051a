"""The agent of disorder: kills servers and workers, stops workers, fills the disk and locks the database."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from random import Random

from tests.acceptance.chaos import wire
from tests.acceptance.chaos.disk import Disk
from tests.acceptance.chaos.house import House

#: Seconds between two of a kind, on average.
_WORKERS_EVERY, _MEDIUM_EVERY = 4.0, 8.0
#: Seconds that a server works at least before it is killed, unless it is to die young.
_AT_WORK = 2.0


@dataclass(frozen=True)
class Event:
    """Something to do at a time (seconds since the start), for some seconds; `luck` chooses whom it meets."""

    at: float
    what: str
    seconds: float
    luck: float


def plan(random: Random, seconds: float, kills: int) -> dict[str, list[Event]]:
    """All that will be done, by who does it: the same for the same seed."""
    every = seconds / (kills + 1)
    server = [
        Event(
            every * (number + random.uniform(0.6, 1.3)),
            random.choice(["kill"] * 4 + ["kill-starting", "kill-twice"]),
            0,
            random.random(),
        )
        for number in range(kills)
    ]
    server += [
        Event(random.uniform(0, seconds), random.choice(["term", "term-kill"]), 0, random.random())
        for _ in range(kills // 4)
    ]
    workers = _spread(
        random,
        seconds,
        _WORKERS_EVERY,
        ["kill-worker"] * 3 + ["stop-worker"] * 2 + ["kill-desk", "pause", "stop-server"],
        2.5,
    )
    medium = _spread(random, seconds, _MEDIUM_EVERY, ["lock"] * 2 + ["fill", "fill-brim"], 5.0)
    return {
        "server": sorted(server, key=lambda event: event.at),
        "workers": workers,
        "medium": medium,
    }


def _spread(
    random: Random, seconds: float, every: float, kinds: Sequence[str], longest: float
) -> list[Event]:
    events, at = [], random.uniform(0, every)
    while at < seconds:
        events.append(Event(at, random.choice(kinds), random.uniform(0.2, longest), random.random()))
        at += random.uniform(0.3, 1.7) * every
    return events


@dataclass
class Damage:
    """What was done, when (seconds since the epoch)."""

    worker_kills: list[float] = field(default_factory=list)
    worker_stops: list[tuple[float, float]] = field(default_factory=list)
    desk_kills: int = 0
    fills: list[tuple[float, float]] = field(default_factory=list)
    locks: list[tuple[float, float]] = field(default_factory=list)

    def met(self, since: float, until: float) -> bool:
        """Was a worker killed or stopped in this time?"""
        return any(since <= at <= until for at in self.worker_kills) or any(
            begin <= until and end >= since for begin, end in self.worker_stops
        )


class Disorder:
    """Does what is planned, each kind on a thread of its own."""

    def __init__(self, house: House, disk: Disk, events: dict[str, list[Event]]) -> None:
        self.damage = Damage()
        self.faults: list[str] = []
        self._house, self._disk = house, disk
        self._began = 0.0
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(who, mine), name=f"chaos-{who}")
            for who, mine in events.items()
        ]

    def start(self) -> None:
        """Begin."""
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait until all is done: the server runs, the disk is free, the database unlocked."""
        for thread in self._threads:
            thread.join()

    def stop(self) -> None:
        """Begin nothing any more; what has begun is ended by `join`."""
        self._over.set()

    def _run(self, who: str, events: Sequence[Event]) -> None:
        acts: dict[str, Callable[[Event], None]] = {
            "kill": self._kill,
            "kill-starting": self._kill_starting,
            "kill-twice": self._kill_twice,
            "term": self._terminate,
            "term-kill": self._terminate_and_kill,
            "kill-worker": self._kill_worker,
            "stop-worker": self._stop_worker,
            "kill-desk": self._kill_desk,
            "stop-server": self._stop_server,
            "pause": self._pause,
            "lock": self._lock,
            "fill": self._fill,
            "fill-brim": self._fill,
        }
        for event in events:
            if self._over.wait(max(0.0, self._began + event.at - time.monotonic())):
                return
            try:
                acts[event.what](event)
            except Exception as error:  # noqa: BLE001  # what goes wrong here must not pass for a quiet run
                self.faults.append(f"{who}: {event}: {error!r}")

    # -- the server -----------------------------------------------------------------------------

    def _kill(self, _: Event) -> None:
        self._let_work()
        self._house.kill()
        self._house.start()

    def _let_work(self) -> None:
        """Where servers start slowly, each has some time to do something that may get lost."""
        time.sleep(max(0.0, self._house.ready_at + _AT_WORK - time.monotonic()))

    def _kill_starting(self, event: Event) -> None:
        """Again while it starts: at any point between its first line and its first answer."""
        self._let_work()
        self._house.kill()
        self._house.begin()
        time.sleep(event.luck * 1.5)
        self._house.kill()
        self._house.start()

    def _kill_twice(self, event: Event) -> None:
        """Again as soon as it is ready: while it takes back what was lost, and sweeps."""
        self._kill(event)
        time.sleep(event.luck * 0.5)
        self._house.kill()
        self._house.start()

    def _terminate(self, _: Event) -> None:
        self._let_work()
        self._house.stop()
        self._house.start()

    def _terminate_and_kill(self, event: Event) -> None:
        self._let_work()
        self._house.terminate()
        time.sleep(event.luck)
        self._house.kill()
        self._house.start()

    # -- its workers ----------------------------------------------------------------------------

    def _pids(self, *, desk: bool = False) -> list[int]:
        """Of the present server; of the next one while there is none."""
        if self._house.port() is None or (server := self._house.server) is None:
            return []
        try:
            found = wire.ask(server.port, "GET", "/v1/workers").json()
        except wire.Lost:
            return []
        infos = [found["desk"]] if desk else found["lanes"]
        mine = set(server.descendants())
        return [info["pid"] for info in infos if info["pid"] in mine]

    def _kill_worker(self, event: Event) -> None:
        if pids := self._pids():
            with suppress(ProcessLookupError):
                os.kill(pids[int(event.luck * len(pids))], signal.SIGKILL)
                self.damage.worker_kills.append(time.time())

    def _kill_desk(self, _: Event) -> None:
        for pid in self._pids(desk=True):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.damage.desk_kills += 1

    def _stop_worker(self, event: Event) -> None:
        if pids := self._pids():
            pid, began = pids[int(event.luck * len(pids))], time.time()
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                time.sleep(event.seconds)
                if self._house.server and pid in self._house.server.descendants():
                    os.kill(pid, signal.SIGCONT)
            self.damage.worker_stops.append((began, time.time()))

    def _stop_server(self, event: Event) -> None:
        """Stand still, as a machine does that is paused: time passes all the same."""
        if server := self._house.server:
            with suppress(ProcessLookupError):
                os.kill(server.pid, signal.SIGSTOP)
                time.sleep(event.seconds)
                os.kill(server.pid, signal.SIGCONT)

    def _pause(self, event: Event) -> None:
        """Pause the queue, and resume it, whichever server that is then."""
        if self._ask("/v1/queue:pause"):
            time.sleep(event.seconds)
            while not self._ask("/v1/queue:resume"):
                time.sleep(0.1)

    def _ask(self, path: str) -> bool:
        port = self._house.port()
        try:
            return port is not None and wire.ask(port, "POST", path).status < 300
        except wire.Lost:
            return False

    # -- its medium -----------------------------------------------------------------------------

    def _lock(self, event: Event) -> None:
        database, began = self._disk.data / "imgsvc.sqlite3", time.time()
        # It fails on a disk that is full.
        with (
            suppress(sqlite3.OperationalError),
            closing(sqlite3.connect(database, timeout=5, isolation_level=None)) as connection,
        ):
            connection.execute("BEGIN EXCLUSIVE")
            time.sleep(event.seconds)
            connection.execute("ROLLBACK")
            self.damage.locks.append((began, time.time()))

    def _fill(self, event: Event) -> None:
        began = time.time()
        try:
            self._disk.fill(brim=event.what == "fill-brim")
            time.sleep(event.seconds)
        finally:
            self._disk.free()
        self.damage.fills.append((began, time.time()))
