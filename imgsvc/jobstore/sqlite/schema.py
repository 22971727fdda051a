"""Numbered migrations: `PRAGMA user_version` says how far a database has come."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable

from imgsvc.errors import StorageUnavailable


def _migrations() -> list[tuple[int, Traversable]]:
    files = resources.files(__package__).joinpath("migrations").iterdir()
    return sorted((int(file.name[:4]), file) for file in files if file.name.endswith(".sql"))


#: The newest schema that this version knows.
NEWEST = _migrations()[-1][0]


def version(connection: sqlite3.Connection) -> int:
    """How far a database has come; 0 for an empty one."""
    (number,) = connection.execute("PRAGMA user_version").fetchone()
    return int(number)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a database up to date, each step whole or not at all.

    Raises StorageUnavailable for a database that a newer version has written.
    """
    if (found := version(connection)) > NEWEST:
        raise StorageUnavailable(
            f"the job database has schema {found}, written by a newer imgsvc; this one knows {NEWEST}"
        )
    for number, file in _migrations():
        if number > found:
            _step(connection, number, file.read_text(encoding="utf-8"))


def _step(connection: sqlite3.Connection, number: int, script: str) -> None:
    # A rehearsal has begun a transaction that will be taken back.
    begin, commit = (
        ("SAVEPOINT step", "RELEASE step") if connection.in_transaction else ("BEGIN IMMEDIATE", "COMMIT")
    )
    connection.execute(begin)
    try:
        # Another process may have been faster.
        if version(connection) < number:
            for statement in _statements(script):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
        connection.execute(commit)
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> Iterator[str]:
    """The statements of a script, one by one: `executescript` would commit first."""
    lines: list[str] = []
    for line in script.splitlines(keepends=True):
        lines.append(line)
        if sqlite3.complete_statement("".join(lines)):
            yield "".join(lines)
            lines.clear()
