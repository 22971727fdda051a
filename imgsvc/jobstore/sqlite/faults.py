"""What sqlite3 raises, told in our own errors: the one place where they come in."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from imgsvc.errors import InsufficientStorage, StorageBusy, StorageUnavailable, Unavailable

#: Primary result codes: the low byte of an extended one (https://www.sqlite.org/rescode.html).
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
#: The disk is full; the second one is what opening says then: there is no room for the index of the log.
_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE}
#: Our own mistakes: a statement or a value that does not fit the schema.
_BUGS = (sqlite3.ProgrammingError, sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.DataError)


def translate(error: Exception) -> Exception:
    """Our error for one of sqlite3's; anything that is not a fault of the medium is given back as it is."""
    if not isinstance(error, sqlite3.Error) or isinstance(error, _BUGS):
        return error
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    ours: Exception
    if code & 0xFF in _BUSY:
        ours = StorageBusy("the job database is locked by another process", retry_after=1)
    elif code in _FULL:
        ours = InsufficientStorage("there is no room left for the job database")
    else:
        ours = StorageUnavailable("the job database can't be used at the moment", retry_after=5)
    ours.__cause__ = error
    return ours


def opening(error: Unavailable, path: Path) -> Unavailable:
    """The same error for the operator's eyes: which file it is about, and what is the matter with it."""
    why = str(error)
    if isinstance(error, StorageUnavailable) and isinstance(error.__cause__, sqlite3.Error):
        why = _reason(error.__cause__, path)
    return type(error)(f"the job database {path} can't be opened: {why}", retry_after=error.retry_after)


def _reason(error: sqlite3.Error, path: Path) -> str:
    """SQLite says of all that is wrong with a path that it is unable to open the file."""
    try:
        if path.is_dir():
            return "it is a folder"
        if not path.parent.is_dir():
            return f"there is no folder {path.parent}"
        for place in (path.parent, path):
            if place.exists() and not os.access(place, os.R_OK | os.W_OK):
                return f"no permission to read and write {place}"
    except PermissionError:
        return f"no permission to enter the folders of {path}"
    return str(error)
