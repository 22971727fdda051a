"""Threads that work for the event loop: what is handed in while one is busy is done together next."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, TypeVar

from imgsvc.errors import StorageUnavailable
from imgsvc.jobstore.sqlite.faults import translate

T = TypeVar("T")

#: The most that is done together: bounds how long the first of them waits for the last.
TOGETHER = 128


@dataclass(slots=True, eq=False)
class Errand:
    """Something to do on a connection, and who waits for what comes of it."""

    work: Callable[[sqlite3.Connection], Any]  # what it gives goes to `future`, which knows its type
    future: asyncio.Future[Any]
    result: object = None
    error: Exception | None = None

    def run(self, connection: sqlite3.Connection) -> None:
        """Do the work; what it raises is kept. May be called again after a rollback."""
        self.result, self.error = None, None
        try:
            self.result = self.work(connection)
        except Exception as error:  # noqa: BLE001  # it is raised where the errand was handed in
            self.error = error

    def deliver(self) -> None:
        """Tell who waits, on the event loop's thread. One who was cancelled has stopped waiting."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(translate(self.error))
        else:
            self.future.set_result(self.result)


class Journal:
    """Follows transactions on the thread that runs them; this one forgets everything."""

    @property
    def length(self) -> int:
        """How much the open transaction has changed so far."""
        return 0

    def commit(self) -> None:
        """What the open transaction has changed is committed."""

    def roll_back(self, length: int = 0) -> None:
        """What it has changed since it had this length has not happened."""


def together(
    connection: sqlite3.Connection, errands: Sequence[Errand], journal: Journal | None = None
) -> None:
    """Group commit: all in one transaction and one fsync, yet one that fails takes nobody with it."""
    journal = journal or Journal()
    if not _transaction(connection, errands, journal):
        for errand in errands:
            _transaction(connection, [errand], journal)


def _transaction(connection: sqlite3.Connection, errands: Sequence[Errand], journal: Journal) -> bool:
    """False: rolled back, because one of several failed after it had written.

    One that raises before it has written anything (a refusal) leaves nothing to undo.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        for errand in errands:
            changes, length = connection.total_changes, journal.length
            errand.run(connection)
            if errand.error is None:
                continue
            if connection.total_changes != changes or not connection.in_transaction:
                _roll_back(connection, journal)
                return len(errands) == 1
            journal.roll_back(length)  # a statement that failed half-way has told of what it took back
        connection.execute("COMMIT")
        journal.commit()
    except sqlite3.Error as error:
        _roll_back(connection, journal)
        for errand in errands:
            errand.error = error
    return True


def _roll_back(connection: sqlite3.Connection, journal: Journal) -> None:
    journal.roll_back()
    # A full disk has rolled back by itself; then there is nothing left to do.
    with contextlib.suppress(sqlite3.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def one_by_one(connection: sqlite3.Connection, errands: Sequence[Errand]) -> None:
    """Reading: each errand by itself."""
    for errand in errands:
        errand.run(connection)


def rehearsed(
    connection: sqlite3.Connection, errands: Sequence[Errand], journal: Journal | None = None
) -> None:
    """Reading and writing inside a transaction that nobody commits: one that fails is taken back alone."""
    journal = journal or Journal()
    for errand in errands:
        if not connection.in_transaction:  # a full disk has ended it; what came now would be committed
            errand.error = StorageUnavailable("the rehearsal was broken off")
            continue
        try:
            connection.execute("SAVEPOINT errand")
            errand.run(connection)
            if errand.error:
                connection.execute("ROLLBACK TO errand")
                journal.roll_back()
            connection.execute("RELEASE errand")
            journal.commit()
        except sqlite3.Error as error:
            errand.error = errand.error or error


class Clerk:
    """A thread with a connection of its own; start it, hand things in and stop it on one event loop."""

    def __init__(
        self,
        name: str,
        connect: Callable[[], sqlite3.Connection],
        serve: Callable[[sqlite3.Connection, Sequence[Errand]], None],
    ) -> None:
        self._name = name
        self._connect = connect
        self._serve = serve
        self._inbox: SimpleQueue[Errand | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def __repr__(self) -> str:
        return f"<Clerk {self._name} {'working' if self._thread else 'away'}, {self._inbox.qsize()} waiting>"

    async def start(self) -> None:
        """Connect; raises what connecting raises."""
        self._loop = asyncio.get_running_loop()
        ready = Errand(work=lambda _: None, future=self._loop.create_future())
        self._inbox = SimpleQueue()
        self._thread = threading.Thread(target=self._run, args=(ready,), name=self._name, daemon=True)
        self._thread.start()
        try:
            await asyncio.shield(ready.future)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Do what was handed in, disconnect and end the thread; safe to call twice."""
        thread, self._thread = self._thread, None
        if thread:
            self._inbox.put(None)
            await asyncio.to_thread(thread.join)

    def hand(self, work: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Hand in something to do; it will be done, whether or not anyone still waits for it then."""
        if self._thread is None or self._loop is None:
            raise StorageUnavailable("the job database is closed")
        future: asyncio.Future[T] = self._loop.create_future()
        self._inbox.put(Errand(work, future))
        return future

    def _run(self, ready: Errand) -> None:
        try:
            connection = self._connect()
        except Exception as error:  # noqa: BLE001  # `start` raises it
            ready.error = error
            self._tell([ready])
            return
        with contextlib.closing(connection):
            self._tell([ready])
            while errands := self._take():
                self._serve(connection, errands)
                self._tell(errands)

    def _take(self) -> list[Errand]:
        """Wait for something to do, and take what else lies there; nothing means: stop."""
        taken: list[Errand] = []
        while not taken or (len(taken) < TOGETHER and not self._inbox.empty()):
            errand = self._inbox.get()
            if errand is None:
                # Nothing is handed in after the stop; another round will find it again.
                if taken:
                    self._inbox.put(None)
                break
            taken.append(errand)
        return taken

    def _tell(self, errands: Sequence[Errand]) -> None:
        """One hop to the event loop for all of them; a loop that is closed has nobody who waits."""
        with contextlib.suppress(RuntimeError):
            if self._loop:
                self._loop.call_soon_threadsafe(_deliver, errands)


def _deliver(errands: Sequence[Errand]) -> None:
    for errand in errands:
        errand.deliver()
