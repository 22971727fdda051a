"""What is left when the service has settled and stopped: files, rows, processes, shared memory, the log."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.acceptance.chaos.house import House
from tests.acceptance.chaos.ledger import Ledger, Verdict
from tests.acceptance.rendering import is_sound

#: Seconds in which what is on its way out must be gone.
_PATIENCE_S = 10.0
_SHARED = Path("/dev/shm")
#: What a process says that the server was about to start when it was killed.
_CUT_OFF = re.compile(r"Traceback \(most recent call last\):\n( .*\n)*EOFError: Ran out of input\n")


_TRACE = re.compile(r"^Traceback \(most recent call last\):\n(?: .*\n)*.*\n?", re.MULTILINE)


def while_it_runs(house: House, ledger: Ledger) -> None:
    """Nothing is being uploaded, and of dead servers nothing runs."""
    staging = house.data / "staging"
    _gone(ledger, "staged", lambda: [str(path) for path in staging.rglob("*") if path.is_file()])
    _gone(ledger, "folders of dead servers in staging", lambda: [p.name for p in staging.iterdir()][1:])
    _gone(ledger, "processes of dead servers", house.left)


def when_it_has_stopped(house: House, ledger: Ledger, before: frozenset[str]) -> None:
    """Files and records name each other, and nothing of any server is anywhere else."""
    _gone(ledger, "processes", house.left)
    _gone(ledger, "in /dev/shm", lambda: [name for name in shared() - before if _ours(house, name)])
    _gone(ledger, "staged", lambda: [str(path) for path in (house.data / "staging").rglob("*")])
    with closing(sqlite3.connect(house.data / "imgsvc.sqlite3")) as database:
        _files(house.data, ledger, database)
        _rows(ledger, database)


def shared() -> frozenset[str]:
    """The names in shared memory."""
    return frozenset(path.name for path in _SHARED.iterdir()) if _SHARED.is_dir() else frozenset()


def log(house: House, ledger: Ledger) -> None:
    """No line may tell of a bug; that a worker's start was cut off by the server's death is none."""
    said = _CUT_OFF.sub("", house.log.read_text(errors="replace"))
    # One that is no line of ours is told with all its lines: nobody can run it again.
    for trace in _TRACE.findall(said):
        ledger.complain(Verdict.WRONG, f"logged: {trace[-2000:]}")
    for line in _TRACE.sub("", said).splitlines():
        if "Traceback" in line or '"level":"error"' in line or '"level":"critical"' in line:
            ledger.complain(Verdict.WRONG, f"logged: {_short(line)}")


def _files(data: Path, ledger: Ledger, database: sqlite3.Connection) -> None:
    named = Counter(key for (key,) in database.execute(_NAMED))
    found = {str(path.relative_to(data)) for path in data.rglob("*") if path.is_file()}
    blobs = {name for name in found if name.startswith(("images/", "results/", "answers/"))}
    for name in sorted(blobs - named.keys()):
        ledger.complain(Verdict.LEFT_OVER, f"no record names {name}")
    for name in sorted(named.keys() - blobs):
        ledger.complain(Verdict.LOST, f"there is no file for {name}")
    for name, times in named.items():
        if times > 1:
            ledger.complain(Verdict.WRONG, f"{name} is named {times} times")
    cached = {name for name in found - blobs if name.startswith("cache/")}
    for name in sorted(cached):
        if not is_sound(data / name):
            ledger.complain(Verdict.WRONG, f"not what its name says: {name}")
    for name in sorted(found - blobs - cached):
        if name != "lock" and not name.startswith("imgsvc.sqlite3"):
            ledger.complain(Verdict.LEFT_OVER, name)


_NAMED = """
SELECT key FROM images WHERE removed_at IS NULL
UNION ALL SELECT blob FROM receipts WHERE blob IS NOT NULL
UNION ALL SELECT result.value ->> 'key' FROM jobs, json_each(jobs.results) AS result
"""
#: Each finds nothing in a database whose counts are right.
_CHECKS = {
    "tallies": """
        SELECT * FROM tally WHERE jobs <> (SELECT count(*) FROM jobs WHERE jobs.state = tally.state)""",
    "images": """
        SELECT id, jobs, needed FROM images WHERE needed <> 0
        OR jobs <> (SELECT count(*) FROM jobs WHERE jobs.image = images.number)""",
    "batches": """
        SELECT id, jobs, succeeded, failed, canceled FROM batches
        WHERE (jobs, succeeded, failed, canceled) <> (
            SELECT count(*), total(state = 'succeeded'), total(state = 'failed'), total(state = 'canceled')
            FROM jobs WHERE batch = batches.id)""",
    "bytes in the queue": "SELECT bytes FROM queue WHERE bytes <> 0",
    "unended jobs": "SELECT id, state FROM jobs WHERE state IN ('queued', 'running')",
    "images that nothing keeps": """
        SELECT id FROM images WHERE removed_at IS NULL AND NOT kept AND NOT (brought AND jobs)""",
    "integrity": "SELECT * FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
}


def _rows(ledger: Ledger, database: sqlite3.Connection) -> None:
    for what, query in _CHECKS.items():
        if rows := database.execute(query).fetchmany(5):
            ledger.complain(Verdict.WRONG, f"in the database, {what}: {rows}")


def _gone(ledger: Ledger, what: str, look: Callable[[], list[object] | list[str] | list[int]]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while (left := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    for each in left:
        ledger.complain(Verdict.LEFT_OVER, f"{what}: {each}")


def _ours(house: House, name: str) -> bool:
    """Does a name such as `sem.loky-4242-xyz` tell of one of our servers?"""
    pids = [int(part) for part in name.split("-") if part.isdigit()]
    try:
        return bool(pids) and house.made(pids[0], (_SHARED / name).stat().st_mtime)
    except FileNotFoundError:
        return False


def _short(line: str) -> str:
    """The event and the last line of what was raised."""
    try:
        said = json.loads(line)
    except ValueError:
        return line[-500:]
    return f"{said.get('event')}: {str(said.get('exception', '')).strip().splitlines()[-1:]} {line[:300]}"
