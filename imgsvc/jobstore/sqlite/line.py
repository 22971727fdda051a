"""The line of queued jobs in memory, so that a place in it is a look-up and not a count."""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping

from imgsvc.jobs import Priority
from imgsvc.jobstore.sqlite.clerk import Journal
from imgsvc.jobstore.sqlite.queries import SQL

#: What tells the line of changes, whichever statement makes them; only on the writer's connection.
_TRIGGERS = ("line_entered", "line_moved", "line_removed")


class Line(Journal):
    """Every queued job's rank and id as one number, in order: 60 bytes a job.

    Changed by the writer's thread when a transaction has been committed; read by any thread (what reads
    and what changes are single calls into C, so neither sees the other half done).
    """

    def __init__(self) -> None:
        self._keys: list[int] = []
        self._depths: Counter[str] = Counter()
        #: What the open transaction does: +1 or -1, the key, the priority.
        self._changes: list[tuple[int, int, str]] = []

    def __repr__(self) -> str:
        return f"<Line of {len(self._keys)} jobs>"

    def attach(self, connection: sqlite3.Connection) -> None:
        """Learn what is queued, and from now on what this connection changes."""
        self._changes.clear()
        rows = connection.execute(SQL["line"]).fetchall()
        self._keys = [_key(rank, its) for rank, its, _ in rows]
        self._depths = Counter(priority for _, _, priority in rows)
        connection.create_function("line_change", 4, self._change)
        for name in _TRIGGERS:
            connection.execute(SQL[name])

    def place(self, rank: int, id: str) -> int:
        """The place of a queued job, from 1."""
        return bisect_left(self._keys, _key(rank, id)) + 1

    def depths(self) -> Mapping[Priority, int]:
        """Queued jobs by priority."""
        return {priority: self._depths[priority] for priority in Priority}

    @property
    def length(self) -> int:
        """See `Journal.length`."""
        return len(self._changes)

    def commit(self) -> None:
        """See `Journal.commit`."""
        for change, key, priority in self._changes:
            self._depths[priority] += change
            at = bisect_left(self._keys, key)
            if change > 0:
                self._keys.insert(at, key)
            elif self._keys[at : at + 1] == [key]:  # or a line that is wrong would stop the writer
                del self._keys[at]
        self._changes.clear()

    def roll_back(self, length: int = 0) -> None:
        """See `Journal.roll_back`."""
        del self._changes[length:]

    def _change(self, change: int, rank: int, id: str, priority: str) -> None:
        self._changes.append((change, _key(rank, id), priority))


def _key(rank: int, id: str) -> int:
    """Sorts as rank, then id: an id is a prefix and 32 hex digits."""
    return (rank << 128) | int(id[-32:], 16)
