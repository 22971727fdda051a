"""Connections to the database file: how durable, how patient, how large a cache."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from imgsvc.errors import StorageUnavailable
from imgsvc.jobstore.sqlite.schema import migrate

#: Kept in memory, in KiB. What is hot is small, the system's page cache holds the rest, and a reader forgets
#: what it has at every commit; more was not faster at a million jobs (benchmarks/store_growth.py).
_WRITER_KIB, _READER_KIB = 4096, 1024
#: What the write-ahead log is cut to after a burst, in bytes.
_WAL_BYTES = 64 * 1024 * 1024


def _connect(path: Path, patience: float, cache_kib: int, *, create: bool = False) -> sqlite3.Connection:
    mode = "rwc" if create else "rw"
    # Transactions are our own business (isolation_level None): the module's would begin DEFERRED.
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode={mode}", timeout=patience, isolation_level=None, uri=True
    )
    connection.row_factory = sqlite3.Row
    connection.execute(f"PRAGMA cache_size = -{cache_kib}")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def writer(
    path: Path, patience: float, *, create: bool = True, rehearsal: bool = False
) -> sqlite3.Connection:
    """The one connection that writes; brings the schema up to date.

    That of a rehearsal is in a transaction which nobody will commit.
    """
    if not create and not path.exists():
        raise StorageUnavailable(f"there is no job database {path}")
    connection = _connect(path, patience, _WRITER_KIB, create=create)
    try:
        _write_ahead(connection)
        # A commit is on the disk when it returns: an accepted job survives a power cut.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
        if rehearsal:
            connection.execute("BEGIN IMMEDIATE")
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _write_ahead(connection: sqlite3.Connection) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StorageUnavailable("the file system of the job database can't hold a write-ahead log")


def reader(path: Path, patience: float) -> sqlite3.Connection:
    """A connection that can't write; it sees what was committed when its statement began."""
    connection = _connect(path, patience, _READER_KIB)
    connection.execute("PRAGMA query_only = ON")
    return connection
