"""Connections to the database file: how durable, how patient, how large a cache."""

from __future__ import annotations

import logging
import os
import sqlite3
from pathlib import Path

from imgsvc.errors import StorageUnavailable
from imgsvc.jobstore.sqlite.schema import migrate

_log = logging.getLogger(__name__)

#: Kept in memory, in KiB. What is hot is small, the system's page cache holds the rest, and a reader forgets
#: what it has at every commit; more was not faster at a million jobs (benchmarks/store_growth.py).
_WRITER_KIB, _READER_KIB = 4096, 1024
#: What the write-ahead log is cut to after a burst, in bytes.
_WAL_BYTES = 64 * 1024 * 1024
#: What the log is given at the start: twice what SQLite fills (1,000 pages) before it begins from the front
#: again. So some 200 jobs can be canceled or removed on a disk that is full, which makes room; and no commit
#: waits for the file to become longer (median of 800, in turn, on ext4: 2.1 ms instead of 3.4).
_WAL_LAID_IN = 8 * 1024 * 1024
#: Only where it is no more than this part of what is free.
_SHARE = 4


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
        _lay_in(path.with_name(f"{path.name}-wal"))
    except BaseException:
        connection.close()
        raise
    return connection


def _write_ahead(connection: sqlite3.Connection) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StorageUnavailable("the file system of the job database can't hold a write-ahead log")


def _lay_in(log: Path) -> None:
    """Make the log longer by zeros: what is no frame of this log is not read, as after every restart of it.

    Nobody locks this file (SQLite locks the database and its shared memory), so it may be opened and closed.
    """
    try:
        with log.open("ab") as file:
            size = file.tell()
            system = os.statvfs(log)
            if size >= _WAL_LAID_IN or system.f_bavail * system.f_frsize < _SHARE * _WAL_LAID_IN:
                return
            try:
                file.write(bytes(_WAL_LAID_IN - size))
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.ftruncate(file.fileno(), size)
                raise
    except OSError as error:
        _log.warning("no room was laid in for the log of the job database: %s", error.strerror)


def reader(path: Path, patience: float) -> sqlite3.Connection:
    """A connection that can't write; it sees what was committed when its statement began."""
    connection = _connect(path, patience, _READER_KIB)
    connection.execute("PRAGMA query_only = ON")
    return connection
