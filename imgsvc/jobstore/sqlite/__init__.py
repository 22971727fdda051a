"""The durable job store on one SQLite file: stdlib sqlite3, one writing thread, group commit."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from imgsvc.jobstore.sqlite.store import SqliteStore

__all__ = ["connect"]

#: STRICT tables and `->>` came with 3.38.
_OLDEST = (3, 38, 0)
#: Seconds that a call waits for a lock which another process holds.
_PATIENCE = 2.0


def connect(url: str) -> SqliteStore:
    """Make the store of `sqlite:///abs/path`; `?patience=2` is how many seconds a lock is waited for.

    Raises ValueError for a relative path, an unknown option or a SQLite that is too old.
    """
    if sqlite3.sqlite_version_info < _OLDEST:
        raise ValueError(f"SQLite 3.38 or newer is needed, this Python has {sqlite3.sqlite_version}")
    parts = urlsplit(url)
    path = Path(unquote(parts.path))
    if parts.netloc or not path.is_absolute() or path.name == "":
        raise ValueError("a job database is named by an absolute path: sqlite:///data/imgsvc.sqlite3")
    options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True) if parts.query else ())
    if unknown := options.keys() - {"patience"}:
        raise ValueError(f"sqlite has no option {', '.join(sorted(unknown))}; it has patience")
    return SqliteStore(path, _patience(options.get("patience")))


def _patience(text: str | None) -> float:
    if text is None:
        return _PATIENCE
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 60:
        raise ValueError(f"patience is a number of seconds from 0 to 60, not {text!r}")
    return seconds
