"""Visits every server with every row, round after round, and keeps what was found there."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.peers.judge import Judge
from benchmarks.peers.kernel import Kernel
from benchmarks.peers.load import rest, visit
from benchmarks.peers.orders import Mode, Order, Row
from benchmarks.peers.services import Service

#: What is asked for before rows of files that have been seen: another width than any row's.
_BEFORE = Order(1024, "jpeg")
#: Files of a source that are seen before such rows, and seconds that a server may then need until it rests.
_SEEN, _PATIENCE_S = 24, 60.0
#: Files of a source, its last, that are asked for before a load of new ones and not counted: processes that
#: have just been replaced have cold memory.
WARM = 4
#: Widths of such a row, a pixel apart: a server that is quick would be through with the files too soon.
_WIDTHS = 5


@dataclass(frozen=True)
class Plan:
    """How long, how often, with how many clients."""

    #: Seconds of a load, by the number of clients.
    seconds: Mapping[int, float]
    rounds: int
    #: Seconds that everything may take: no round begins that would go beyond, and no row that comes after.
    budget: float
    #: Of the bare kernel, in each row.
    kernel: float = 1.0


@dataclass
class Found:
    """The raw numbers of a row; of visits, one each round, by server and by number of clients."""

    title: str
    mode: str
    #: Of the source, and what is made of it.
    kind: str
    order: dict[str, Any]
    results: dict[str, dict[str, Any]]
    visits: dict[str, dict[str, list[dict[str, Any]]]] = field(default_factory=dict)
    kernel_cpu_ms: list[float] = field(default_factory=list)
    #: CPU that each server used for a picture after it had answered, when the files were seen.
    put_off_cpu_ms: dict[str, list[float]] = field(default_factory=dict)


class Rounds:
    """What is there before anything is measured, and stays for all rounds."""

    def __init__(
        self,
        services: Mapping[Mode, Sequence[Service]],
        files: Mapping[str, Sequence[Path]],
        kernel: Kernel,
        tell: Callable[[str], None],
    ) -> None:
        """`services` take part in the rows of a mode, ours first; `files` are the copies of a source, more
        than `WARM`.
        """
        self._services, self._files, self._kernel, self._tell = services, files, kernel, tell
        self._judge = Judge(tell)
        #: The source whose first files have been seen by everybody, and what they did of it afterwards.
        self._seen: tuple[str, dict[str, float]] | None = None
        self._widths = itertools.count()

    def run(self, rows: Sequence[Row], plan: Plan) -> list[Found]:
        """All rows in every round, as far as there is time."""
        began = time.monotonic()
        found: list[Found] = []
        for number in range(1, plan.rounds + 1):
            spent = 0.0
            for place, row in enumerate(rows):
                if time.monotonic() - began > plan.budget:
                    self._tell(f"no time for round {number} from here on")
                    return found
                if place == len(found):
                    found.append(self._begin(row))
                self._tell(f"round {number} of {plan.rounds}, {row.mode}: {row.title}")
                spent -= time.monotonic()
                self._round(row, found[place], plan, number)
                spent += time.monotonic()
            self._seen = None
            if time.monotonic() - began + spent > plan.budget:
                self._tell(f"no time for more than {number} rounds")
                break
        return found

    def _begin(self, row: Row) -> Found:
        """Find the qualities."""
        self._tell(f"equal quality: {row.title}")
        able, file = self._able(row), self._files[row.source.name][0]
        if row.mode is not Mode.HIT:
            able[0].forget([file], row.mode)
        if row.mode is Mode.SEEN:
            visit(able[0], [able[0].path(file, _BEFORE, 80)], _BEFORE.format, 1, 60.0)
            rest(able[0])
        results = self._judge.results(row, file, able)
        found = {name: asdict(each) for name, each in results.items()}
        return Found(row.title, row.mode, row.source.kind, asdict(row.order), found)

    def _round(self, row: Row, into: Found, plan: Plan, number: int) -> None:
        able = [each for each in self._able(row) if each.name in into.results]
        turn = number % len(able)  # nobody is always the first, or always behind the same other
        if row.mode is Mode.SEEN:
            for name, spent in self._see(row, able).items():
                into.put_off_cpu_ms.setdefault(name, []).append(spent)
        for clients, seconds in plan.seconds.items():
            orders = self._orders(row)
            for service in [*able[turn:], *able[:turn]]:
                paths = self._paths(row, orders, service, into.results[service.name]["quality"])
                rest(service)
                there = into.visits.setdefault(service.name, {}).setdefault(str(clients), [])
                there.append(asdict(visit(service, paths, row.order.format, clients, seconds)))
                if row.mode is Mode.FIRST:  # or what it puts off would be done during the next one's load
                    service.forget(self._files[row.source.name], row.mode)
        if row.mode is Mode.FIRST:
            files = self._files[row.source.name]
            into.kernel_cpu_ms.append(self._kernel.cpu_ms(files, row.order.pipeline, plan.kernel))

    def _able(self, row: Row) -> list[Service]:
        return [each for each in self._services[row.mode] if each.template.can(row.order.needs)]

    def _orders(self, row: Row) -> list[Order]:
        """What to ask for of each file: of those that have been seen, widths that nobody has asked for."""
        if row.mode is not Mode.SEEN:
            return [row.order]
        widths = itertools.islice(self._widths, _WIDTHS)
        return [replace(row.order, width=row.order.width + more) for more in widths]

    def _paths(
        self, row: Row, orders: Sequence[Order], service: Service, quality: int | None
    ) -> Iterator[str]:
        """What to ask for, with the server brought into the state that the row is about."""
        files = self._files[row.source.name]
        if row.mode is Mode.HIT:
            path = service.path(files[0], row.order, quality)
            visit(service, [path], row.order.format, 1, 60.0)
            return itertools.repeat(path)
        if row.mode is Mode.FIRST:
            service.forget(files, row.mode)
            warm, files = files[-WARM:], files[:-WARM]
            visit(
                service,
                [service.path(each, row.order, quality) for each in warm],
                row.order.format,
                WARM,
                60.0,
            )
        else:
            files = files[:_SEEN]
        return iter([service.path(file, order, quality) for order in orders for file in files])

    def _see(self, row: Row, services: Sequence[Service]) -> dict[str, float]:
        """Have another width made of the first files, once a round, where that may leave something behind."""
        files = self._files[row.source.name][:_SEEN]
        if self._seen is None or self._seen[0] != row.source.name:
            self._widths = itertools.count()
            spent = {}
            for service in (each for each in services if each.remembers):
                service.forget(files, row.mode)
                paths = [service.path(file, _BEFORE, 80) for file in files]
                visit(service, paths, _BEFORE.format, 8, 60.0)
                spent[service.name] = rest(service, _PATIENCE_S) * 1000 / len(files)
            self._seen = (row.source.name, spent)
        return self._seen[1]
